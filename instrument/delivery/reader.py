"""How far one destination has come in one spool."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from instrument.delivery.destination import Limits
from instrument.delivery.spool import SpoolError
from instrument.delivery.stretch import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.spool import Spool
    from instrument.delivery.stretch import Stretch

_MOST_IN_MEMORY = 2 << 20
"""Bytes of bodies that a reader keeps to itself, so that it need not read them back from the disk."""
_WHOLE = 0.9
"""The share of its limits from which on a batch need not be filled up."""
_TIDY_AFTER = 32
"""Batches after which what every destination has is removed from the file, though there is more to send."""


class Reader:
    """The envelopes of one spool that a destination does not have yet, in order.

    The newest of them are kept in memory as they come; what does not fit is read from the file. Without a file,
    everything is kept.

    Args:
        destination: the name of the destination.
        spool: the file; `None` where messages are kept in memory only.
    """

    def __init__(self, destination: str, spool: Spool | None) -> None:
        self.spool = spool
        self.destination = destination
        self.waiting = 0
        """How many envelopes of a dead process wait."""
        self._newest: deque[Stretch] = deque()
        self._bytes = 0
        self._untidied = 0
        self.offered: int = 0
        """The place of the newest envelope that was offered."""
        self._lock = threading.RLock()
        self.cursor: int = 0 if spool is None else spool.cursor(destination)
        """The place up to which the destination has everything."""

    def offer(self, stretch: Stretch, *, committed: bool) -> int:
        """Take note of new envelopes; of what was offered before, nothing is taken twice.

        Args:
            stretch: the envelopes.
            committed: whether the file has them, so that they need not be kept.

        Returns:
            How many bytes of bodies wait in memory now.
        """
        with self._lock:
            # What was just committed may have been read from the file, and delivered, before it came here.
            known = max(self.offered, self.cursor)
            if stretch.last > known and (not committed or self._bytes <= _MOST_IN_MEMORY):
                new = stretch.after(known)
                self._newest.append(new)
                self._bytes += new.size
            self.offered = max(self.offered, stretch.last)
            return self._bytes

    def has_batch(self, limits: Limits) -> bool:
        """Whether a whole batch waits; what is on the disk only waits there since it is more than that."""
        with self._lock:
            in_memory_from = self._newest[0].first if self._newest else self.offered + 1
            return self._bytes >= limits.size or self.cursor + 1 < in_memory_from

    def next(self, limits: Limits) -> Stretch | None:
        """Return the next envelopes, as many as fit into one batch; they stay the next ones until `done`.

        Raises:
            SpoolError: the file cannot be read.
        """
        batch = self._behind(self.cursor, limits)
        if batch is None:
            return None
        # What is in memory and what is on the disk lie in turn where more comes than is taken.
        while batch.share_of(limits) < _WHOLE and (more := self._next_to(batch, limits)) is not None:
            batch = joined([batch, more])
        return batch.cut(limits)

    def done(self, place: int) -> None:
        """Take note that the destination has everything up to a place; `tidy` is to follow when there is time."""
        self._pass(place)
        if self.spool is None:
            return
        # Where it fails, the envelopes are delivered all the same. The next step moves the cursor over them too; should
        # the process die before, they are sent once more, with the same ids.
        with suppress(SpoolError):
            self.spool.advance(self.destination, place)
        self._untidied += 1
        if self._untidied >= _TIDY_AFTER:
            self.tidy()

    def tidy(self) -> None:
        """Remove what every destination has from the file, if that can be done now."""
        self._untidied = 0
        if self.spool is not None:
            with suppress(SpoolError):
                self.spool.tidy()

    def move_to(self, spool: Spool) -> None:
        """Go on in another file, which has all that is kept in memory."""
        self.spool = spool

    def left(self) -> Sequence[Stretch]:
        """Return what is kept in memory and not delivered."""
        with self._lock:
            return list(self._newest)

    def oldest(self) -> float | None:
        """Return when the oldest envelope that waits was accepted, in seconds since 1970."""
        left = self.left()
        kept = left[0].at if left else None
        if self.spool is None or (left and left[0].first == self.cursor + 1):
            return kept
        try:
            on_disk = self.spool.oldest(self.cursor)
        except SpoolError:
            return kept
        return kept if on_disk is None else on_disk

    def _pass(self, place: int) -> None:
        with self._lock:
            self.cursor = max(self.cursor, place)
            while self._newest and self._newest[0].first <= place:
                stretch = self._newest.popleft()
                self._bytes -= stretch.size
                if stretch.last > place:
                    rest = stretch.after(place)
                    self._newest.appendleft(rest)
                    self._bytes += rest.size

    def _next_to(self, batch: Stretch, limits: Limits) -> Stretch | None:
        """Return envelopes that a batch can be filled up with, if there are any."""
        count = len(batch.envelopes)
        try:
            more = self._behind(batch.last, Limits(limits.count - count, limits.size - batch.size - count))
        except SpoolError:  # told when it is their turn: what is there already need not wait for them
            return None
        return more if more is not None and more.first == batch.last + 1 else None

    def _behind(self, place: int, limits: Limits) -> Stretch | None:
        """Return envelopes that follow a place, from wherever they are."""
        with self._lock:
            kept = self._in_memory(place, limits)
        spool = self.spool
        end = 0 if spool is None else spool.last if kept is None else kept.first - 1
        if spool is None or place >= end:
            return kept
        found = spool.read(place, limits)
        if found is not None and found.first <= end:
            return found.until(end)
        if place == self.cursor:
            self._pass(end)  # nothing is left between, or it lies in another file by now
        return kept

    def _in_memory(self, place: int, limits: Limits) -> Stretch | None:
        batch: list[Stretch] = []
        count = size = 0
        for each in self._newest:
            if each.last <= place:
                continue
            if batch and (each.first != batch[-1].last + 1 or count >= limits.count or size >= limits.size):
                break
            batch.append(each.after(place))
            count += len(batch[-1].envelopes)
            size += batch[-1].size + len(batch[-1].envelopes)
        return joined(batch) if batch else None
