"""A collector in a process of its own, so that what it costs is not counted as the client's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

_BAN = "INSTRUMENT_NO_NETWORK"
"""What keeps the processes of a test run from sending, where a test has not lifted it: that holds here too."""


def environment(**more: str) -> dict[str, str]:
    """Return what child processes get: the settings of whoever runs this are not theirs."""
    settings = ("INSTRUMENT_", "SEGMENT_")
    return {name: value for name, value in os.environ.items() if name == _BAN or not name.startswith(settings)} | more


def child(module: str, *arguments: str) -> Any:
    """Run a module of the benchmarks in a process of its own, and return the JSON that it prints."""
    command = [sys.executable, "-m", module, *arguments]
    return json.loads(subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True).stdout)


class CollectorProcess:
    """The collector of `instrument.testing` as a process, which can be killed and started again at its address.

    Args:
        out: a file for what it receives, a line of JSON for each message; kept over its restarts.
    """

    def __init__(self, out: Path | None = None) -> None:
        self.out = out
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at the address it had before, if it had one."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "instrument.testing.collector", "--port", port]
        if self.out is not None:
            command += ["--out", str(self.out)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the collector did not start")

    def stop(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def behave(self, mode: str = "segment", **options: object) -> None:
        """Treat requests in another way; see `instrument.testing.collector.Behaviour`."""
        body = json.dumps({"mode": mode, **options}).encode()
        with urllib.request.urlopen(f"{self.url}/control", body, timeout=10) as answer:
            answer.read()

    def stats(self) -> dict[str, int]:
        """Return what it has received, as it counts it."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=10) as answer:
            counts: dict[str, int] = json.loads(answer.read())
        return counts

    def received(self) -> Iterator[dict[str, Any]]:
        """Return every message that it kept, repetitions included."""
        if self.out is None or not self.out.exists():
            return
        with self.out.open("rb") as lines:
            for line in lines:
                with suppress(ValueError):  # the line that it was killed in
                    yield json.loads(line)
