"""Two applications, their collector, and what is counted of them."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from benchmarks.faults.records import read, written
from benchmarks.faults.row import Case
from benchmarks.faults.scene import Scene, Sender, Size
from benchmarks.soak.figures import Figures

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from benchmarks.soak.length import Length

_APPLICATIONS = 2
_LOOKS = 9
"""How often an application is looked at, for what it typically holds."""


class Stage(Scene):
    """The scene of a soak: of its applications, the first lives from the beginning to the end.

    Args:
        length: how long it lasts, and how much is sent.
        seed: of everything that is drawn.
        directory: for its files.
    """

    def __init__(self, length: Length, seed: int, directory: Path) -> None:
        super().__init__(Case("ours", length.durability), Size(), directory)
        self.flush_timeout = 30.0
        self._length = length
        self._draw = random.Random(seed)
        self._survivor: Sender
        self._mortal: Sender

    def __enter__(self) -> Self:
        super().__enter__()
        self._survivor, self._mortal = self._application(), self._application()
        return self

    def begin(self) -> None:
        """Let both applications work."""
        for application in (self._survivor, self._mortal):
            application.go()

    def kill_one(self) -> None:
        """Kill one of the applications, and start another in its place."""
        following = self._application()  # imports meanwhile
        self._mortal.kill()
        self._mortal = following.go()

    def restart_collector(self) -> None:
        """Kill the collector, and start it again."""
        self.collector.stop()
        self.collector.start()

    def last(self) -> None:
        """Let things be as they are, for a while."""
        time.sleep(self._draw.uniform(*self._length.spell))

    def wait_until_refused(self) -> None:
        """Wait until there is no room for a message."""
        before = written(self.records)
        self.wait_until(lambda: any(not each.accepted for each in read(self.records, skip=before)))

    def at_rest(self) -> Figures:
        """Return what the first application holds when nothing goes wrong and everything is delivered."""
        self.collector.behave()
        time.sleep(self._length.rest)
        self.wait_until(lambda: len(self.spools()) <= _APPLICATIONS)
        looks: list[Figures] = []
        for _ in range(_LOOKS):
            looks.append(Figures.of(self._survivor.pid, self.spool_dir))
            time.sleep(self._length.rest / _LOOKS)
        return Figures.typical(looks)

    def end(self) -> None:
        """Let both applications end, and somebody take over what a killed one left."""
        for application in (self._survivor, self._mortal):
            application.end()
        self.recover()

    def _application(self) -> Sender:
        job = self.job(
            run=len(self.senders),
            rate=self._length.rate,
            threads=self._length.threads,
            spool_max_bytes=self._length.spool_max_bytes,
        )
        application = Sender(job, self.bound + 5.0, "benchmarks.soak.application")
        self.senders.append(application)
        return application
