"""Ids and a clock that are the same in every run."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from instrument.stamps import Stamps, format_time

if TYPE_CHECKING:
    from instrument.stamps import Stamp

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class FixedStamps(Stamps):
    """Numbered message ids, and a clock that stands still or goes in steps: for `recording` and `Client`.

    Args:
        start: the time of the first message; a time without a zone is taken as UTC.
        step: by how much each message is later than the one before.

    >>> stamps = FixedStamps(step=timedelta(seconds=1))
    >>> stamps.next()
    ('00000000-0000-7000-8000-000000000001', '2026-01-01T00:00:00.000Z')
    >>> stamps.next()
    ('00000000-0000-7000-8000-000000000002', '2026-01-01T00:00:01.000Z')
    """

    __slots__ = ("_lock", "_now", "_number", "_step")

    def __init__(self, start: datetime = _START, *, step: timedelta = timedelta(0)) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._now = start
        self._number = 0
        self._step = step

    def next(self) -> Stamp:
        """Return the next message id and the time of now."""
        with self._lock:
            self._number += 1
            now, self._now = self._now, self._now + self._step
            return f"00000000-0000-7000-8000-{self._number:012x}", format_time(now)

    def advance(self, by: timedelta) -> None:
        """Move the clock on."""
        with self._lock:
            self._now += by
