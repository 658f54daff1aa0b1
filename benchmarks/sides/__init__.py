"""The clients that are compared: one module for each, which imports that client alone."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driver

OURS = "instrument"


@dataclass(frozen=True, slots=True)
class Side:
    """A client that is compared.

    Attributes:
        name: what reports call it, after the package that is installed.
        package: what a program imports.
        module: the module of `benchmarks.sides` that drives it.
        distribution: what is installed.
    """

    name: str
    package: str
    module: str
    distribution: str

    def driver(self) -> Driver:
        """Import what drives it, and with that the client."""
        return cast("Driver", import_module(f"benchmarks.sides.{self.module}"))


_ALL = (
    Side(OURS, "instrument", "ours", "instrument-analytics"),
    Side("segment", "segment.analytics", "segment", "segment-analytics-python"),
    Side("posthog", "posthog", "posthog", "posthog"),
    Side("rudderstack", "rudderstack.analytics", "rudderstack", "rudder-sdk-python"),
    Side("amplitude", "amplitude", "amplitude", "amplitude-analytics"),
    Side("snowplow", "snowplow_tracker", "snowplow", "snowplow-tracker"),
)
SIDES = {side.name: side for side in _ALL}
