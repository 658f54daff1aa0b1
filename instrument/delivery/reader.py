"""How far one destination has come in one spool."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from instrument.delivery.spool import SpoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.destination import Limits
    from instrument.delivery.spool import Queued, Spool

_MOST_IN_MEMORY = 4 << 20
"""Bytes of bodies that a reader keeps to itself, so that it need not read them back from the disk."""


class Reader:
    """The envelopes of one spool that a destination does not have yet, in order.

    The newest of them are kept in memory as they come; what does not fit is read from the file. Without a file,
    everything is kept.

    Args:
        destination: the name of the destination.
        spool: the file; `None` where messages are kept in memory only.
        everyone: the names of all destinations, this one included.
    """

    def __init__(self, destination: str, spool: Spool | None, everyone: Sequence[str]) -> None:
        self.spool = spool
        self._destination = destination
        self._everyone = tuple(everyone)
        self._newest: deque[Queued] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self.cursor = 0 if spool is None else spool.cursor(destination)
        """The place up to which the destination has everything."""

    def offer(self, queued: Sequence[Queued], *, committed: bool) -> None:
        """Take note of new envelopes.

        Args:
            queued: the envelopes, behind all that were offered before.
            committed: whether the file has them, so that they need not be kept.
        """
        with self._lock:
            if committed and self._bytes > _MOST_IN_MEMORY:
                return
            self._newest.extend(queued)
            self._bytes += sum([len(each.envelope.body) for each in queued])

    def next(self, limits: Limits) -> list[Queued]:
        """Return the next envelopes, as many as fit into one batch; they stay the next ones until `done`.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._lock:
            self._forget_delivered()
            on_disk_until = self._newest[0].seq - 1 if self._newest else None
        if self.spool is not None:
            end = self.spool.last if on_disk_until is None else on_disk_until
            if self.cursor < end:
                batch = [each for each in self.spool.read(self.cursor, limits) if each.seq <= end]
                if batch:
                    return batch
                self.cursor = end  # what lay between is gone: removed, or lost with a damaged page
        with self._lock:
            return self._in_memory(limits)

    def done(self, seq: int) -> None:
        """Take note that the destination has everything up to a place."""
        self.cursor = seq
        if self.spool is None:
            return
        try:
            self.spool.advance(self._destination, seq, self._everyone)
        except SpoolError:
            # The envelopes are delivered all the same. The next step moves the cursor over them too; should the
            # process die before, they are sent once more, with the same ids.
            return

    def left(self) -> list[Queued]:
        """Return what is kept in memory and not delivered."""
        with self._lock:
            return [each for each in self._newest if each.seq > self.cursor]

    def oldest(self) -> float | None:
        """Return when the oldest envelope that waits was accepted, in seconds since 1970."""
        if self.spool is not None:
            try:
                return self.spool.backlog(self.cursor).oldest
            except SpoolError:
                return None
        left = self.left()
        return left[0].at if left else None

    def _forget_delivered(self) -> None:
        while self._newest and self._newest[0].seq <= self.cursor:
            self._bytes -= len(self._newest.popleft().envelope.body)

    def _in_memory(self, limits: Limits) -> list[Queued]:
        batch: list[Queued] = []
        size = 0
        for each in self._newest:
            size += len(each.envelope.body) + 1
            gap = bool(batch) and each.seq != batch[-1].seq + 1
            if gap or len(batch) == limits.count or (batch and size > limits.size):
                break
            batch.append(each)
        return batch
