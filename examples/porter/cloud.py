"""A cloud provider that can be had without an account: it takes its time, fails and hangs as its regions say."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.porter.errors import CloudError, UnknownKindError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

FULL_REGION = "eu-full-1"
"""Has no capacity left."""
SLOW_REGION = "eu-slow-1"
"""Takes longer than anybody waits."""

PROVIDERS = {"eks": "aws", "gke": "gcp", "aks": "azure", "ecr": "aws", "gcr": "gcp", "acr": "azure"}
"""Which provider has which kind of cluster or registry."""
_CLUSTERS = frozenset({"eks", "gke", "aks"})
_REGISTRIES = frozenset({"ecr", "gcr", "acr"})
_MOST_LOG_BYTES = 12_000
_ENDLESS = 3_600.0


@dataclass(slots=True)
class BuildLogs:
    """What a build has said so far."""

    lines: list[str] = field(default_factory=list[str])

    @property
    def base64(self) -> str:
        """The end of the logs in base 64: no more than fits an event."""
        return base64.b64encode("\n".join(self.lines).encode()[-_MOST_LOG_BYTES:]).decode()


@dataclass(frozen=True, slots=True)
class Cloud:
    """The provider.

    Attributes:
        step: seconds that it needs for anything.
        slow_step: the same in the slow region.
    """

    step: float = 0.001
    slow_step: float = 3_600.0

    async def create_cluster(self, kind: str, region: str) -> None:
        """Make a cluster."""
        _check(kind, _CLUSTERS, region)
        await asyncio.sleep(self._step(region))

    async def destroy_cluster(self, region: str) -> None:
        """Tear down a cluster."""
        await asyncio.sleep(self._step(region))

    def create_registry(self, kind: str, region: str) -> None:
        """Make a registry; blocks while it does."""
        _check(kind, _REGISTRIES, region)
        time.sleep(self._step(region))

    def check(self, kind: str, region: str) -> Generator[str]:
        """Check whether a cluster could be made, and tell each check that is passed."""
        yield "credentials"
        time.sleep(self._step(region))
        _check(kind, _CLUSTERS, region)
        yield "quota"
        yield "network"

    async def build(self, image_uri: str, logs: BuildLogs) -> AsyncGenerator[str]:
        """Build an image, and tell each step that is done; `:broken` does not compile, `:endless` never ends."""
        for line in ("clone", "compile", "push"):
            if line == "compile" and image_uri.endswith(":broken"):
                raise CloudError("exit code 2")
            await asyncio.sleep(_ENDLESS if line == "compile" and image_uri.endswith(":endless") else self.step)
            logs.lines.append(line)
            yield line

    def _step(self, region: str) -> float:
        return self.slow_step if region == SLOW_REGION else self.step


def _check(kind: str, known: frozenset[str], region: str) -> None:
    if kind not in known:
        raise UnknownKindError(f"there is no such kind: choose one of {', '.join(sorted(known))}")
    if region == FULL_REGION:
        raise CloudError("the region has no capacity left")
