"""The last records, bounded by their number and by their bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from instrument.debugger.records import Record

MOST_RECORDS = 10_000
MOST_BYTES = 64 << 20


class Kept(NamedTuple):
    """One record as it is kept: its number, and its JSON."""

    seq: int
    body: bytes


class History:
    """The last records. It belongs to one event loop.

    Args:
        most_records: how many records are kept.
        most_bytes: how many bytes of JSON are kept.

    Attributes:
        last: the number of the newest record; 0 before the first.
        forgotten: how many records were let go to make room, since the last clearing.
        clearings: how often it was cleared.
        closed: whether nothing more will come.
    """

    def __init__(self, *, most_records: int = MOST_RECORDS, most_bytes: int = MOST_BYTES) -> None:
        self.last: int = 0
        self.forgotten: int = 0
        self.clearings: int = 0
        self.closed: bool = False
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: deque[Kept] = deque()
        self._changed = asyncio.Event()

    @property
    def next(self) -> int:
        """The number of the next record."""
        return self.last + 1

    def add(self, record: Record) -> None:
        """Keep a record, whose number is `next`; let go of the oldest where there is no room."""
        kept = Kept(record.seq, record.as_json())
        self.last = record.seq
        self._kept.append(kept)
        self._bytes += len(kept.body)
        while len(self._kept) > self._most_records or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().body)
            self.forgotten += 1
        self._announce()

    def clear(self) -> None:
        """Forget every record; the numbers go on."""
        self._kept.clear()
        self._bytes = self.forgotten = 0
        self.clearings += 1
        self._announce()

    def close(self) -> None:
        """Let those who wait know that nothing more will come."""
        self.closed = True
        self._announce()

    def newest(self, limit: int) -> list[Kept]:
        """Return the last records, oldest first."""
        return self.after(self.last - limit, limit)

    def after(self, seq: int, limit: int) -> list[Kept]:
        """Return records that came after another one, oldest first.

        Args:
            seq: the number of that one.
            limit: how many records at most.
        """
        if not self._kept:
            return []
        # The numbers of what is kept have no gap.
        start = max(0, seq + 1 - self._kept[0].seq)
        return [self._kept[index] for index in range(start, min(len(self._kept), start + limit))]

    async def change(self, patience: float) -> bool:
        """Wait until something is added, cleared or closed; answer whether it was, within so many seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), patience)
        except (TimeoutError, asyncio.TimeoutError):  # two classes in Python 3.10
            return False
        return True

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
