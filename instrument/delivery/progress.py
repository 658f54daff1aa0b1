"""How far all destinations have come together, and who waits for that."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from instrument.delivery.spool import Stretch, joined

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
        self._changed = threading.Condition()
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
        """Move a reader on; answer how many of the envelopes were not given up before."""
        reader.done(stretch.last)
        with self._changed:
            self._delivered_bytes[reader.destination] += stretch.size
            self._changed.notify_all()
            return self.untold(stretch)

    def untold(self, stretch: Stretch) -> int:
        """Return how many of some envelopes were not given up."""
        if not self._given_up:
            return len(stretch.envelopes)
        return sum([place not in self._given_up for place in range(stretch.first, stretch.last + 1)])

    def count_anew(self) -> None:
        """Take note that nothing waits any more but what is in memory."""
        with self._changed:
            for each in self._readers:
                waiting = sum([stretch.size for stretch in each.left()])
                self._delivered_bytes[each.destination] = self._offered_bytes - waiting

    def look_again(self) -> None:
        """Let those who wait see what has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, place: int, deadline: float) -> bool:
        """Wait until everything up to a place is settled; answer whether it was, by a time of `time.monotonic`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.settled >= place, max(0.0, deadline - monotonic()))

    def give_up(self, stretches: Sequence[Stretch]) -> list[Envelope]:
        """Give envelopes up; return those that had not been delivered everywhere."""
        with self._changed:
            left = [each.after(self.settled) for each in stretches if each.last > self.settled]
            self._given_up = frozenset(place for each in left for place in range(each.first, each.last + 1))
            return [envelope for each in left for envelope in each.envelopes]

    def in_memory(self) -> list[Stretch]:
        """Return what waits for any destination, as far as it is in memory, in order."""
        left = {
            place: Stretch(place, stretch.at, [envelope], len(envelope.body))
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
