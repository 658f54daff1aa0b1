"""How far all destinations have come together, and who waits for that."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from instrument.delivery.bell import Bell
from instrument.delivery.stretch import Envelopes, Stretch, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope
    from instrument.delivery.reader import Reader


class Progress:
    """What waits in the process's own spool, and what does not any more.

    Args:
        readers: one for each destination.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._lock = threading.RLock()
        self._waiting: list[Bell] = []
        self._told = {each.destination: each.cursor for each in readers}
        self._offered_until = 0
        self._offered_bytes = 0
        self._delivered_bytes = {each.destination: 0 for each in readers}
        self._given_up: frozenset[int] = frozenset()

    @property
    def settled(self) -> int:
        """The place up to which every destination has everything, which is also how many envelopes that are."""
        return min(each.cursor for each in self._readers)

    @property
    def settled_bytes(self) -> int:
        """How many bytes every destination has, since the beginning."""
        return min(self._delivered_bytes.values())

    def offered(self, stretch: Stretch) -> None:
        """Take note of new envelopes."""
        if stretch.last > self._offered_until:
            self._offered_bytes += stretch.after(self._offered_until).size
            self._offered_until = stretch.last

    def made(self, reader: Reader, stretch: Stretch) -> int:
        """Move a reader on; answer how many of the envelopes were not given up before. `told` is to follow."""
        reader.done(stretch.last)
        with self._lock:
            self._delivered_bytes[reader.destination] += stretch.size
            return self.untold(stretch)

    def untold(self, stretch: Stretch) -> int:
        """Return how many of some envelopes were not given up."""
        if not self._given_up:
            return len(stretch.envelopes)
        return sum([place not in self._given_up for place in range(stretch.first, stretch.last + 1)])

    def count_anew(self) -> None:
        """Take note that nothing waits any more but what is in memory."""
        with self._lock:
            for each in self._readers:
                waiting = sum([stretch.size for stretch in each.left()])
                self._delivered_bytes[each.destination] = self._offered_bytes - waiting

    def told(self, reader: Reader) -> None:
        """Take note that whatever a reader has passed is counted too, and let those who wait see it."""
        self._told[reader.destination] = reader.cursor
        for bell in tuple(self._waiting):
            bell.ring()

    def wait(self, place: int, deadline: float) -> bool:
        """Wait until everything up to a place is settled and counted; answer whether it was, by a time of `monotonic`.

        Each who waits has a bell of its own: a signal handler may wait inside of a wait, or end it by raising.
        """
        changed = Bell()
        self._waiting.append(changed)
        try:
            while min(self._told.values()) < place:
                if not changed.wait(deadline - monotonic()):
                    return False
                changed.mute()
        finally:
            self._waiting.remove(changed)
        return True

    def give_up(self, stretches: Sequence[Stretch]) -> list[Envelope]:
        """Give envelopes up; return those that had not been delivered everywhere."""
        with self._lock:
            left = [each.after(self.settled) for each in stretches if each.last > self.settled]
            self._given_up = frozenset(place for each in left for place in range(each.first, each.last + 1))
            return [envelope for each in left for envelope in each.envelopes]

    def in_memory(self) -> list[Stretch]:
        """Return what waits for any destination, as far as it is in memory, in order."""
        left = {
            place: Stretch.of(place, stretch.at, Envelopes.of([envelope]))
            for reader in self._readers
            for stretch in reader.left()
            for place, envelope in enumerate(stretch.envelopes, start=stretch.first)
        }
        runs: list[list[Stretch]] = []
        for place in sorted(left):
            if runs and runs[-1][-1].last + 1 == place:
                runs[-1].append(left[place])
            else:
                runs.append([left[place]])
        return [joined(run) for run in runs]
