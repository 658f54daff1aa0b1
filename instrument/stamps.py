"""Message ids and timestamps."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from itertools import count
from time import gmtime, strftime, time_ns
from typing import TYPE_CHECKING

from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Iterator

Stamp = tuple[str, str]
"""The id of a message, a UUID of version 7 (RFC 9562), and its time (RFC 3339, in UTC, with milliseconds)."""


class Stamps(ForkSafe):
    """The clock and the ids of a client.

    An id is a UUID of version 7: the milliseconds, bits that are random for each process and millisecond, and a
    counter that starts anywhere (RFC 9562, section 6.2, method 1).

    >>> len(Stamps().next()[0])
    36
    """

    __slots__ = ("__weakref__", "_counter", "_millisecond", "_random")

    def __init__(self) -> None:
        # A generator of our own: the one that `random` shares is seeded by test suites, and receivers drop
        # messages with equal ids as repeats.
        self._random = random.Random()  # noqa: S311 - ids need to be unique, not secret
        self._counter: Iterator[int]
        self._millisecond: tuple[int, str, str]
        self.after_fork_in_child()
        at_fork(self)

    def next(self) -> Stamp:
        """Return a new id and the time of now."""
        now = time_ns() // 1_000_000
        # Replaced as one, so that threads never see half of it.
        millisecond, start, timestamp = self._millisecond
        if millisecond != now:
            start, timestamp = self._id_start(now), _timestamp(now)
            self._millisecond = (now, start, timestamp)
        return start + "%08x" % (next(self._counter) & 0xFFFFFFFF), timestamp  # half the time of an f-string

    def _id_start(self, now: int) -> str:
        bits = self._random.getrandbits(42)
        time = f"{now >> 16:08x}-{now & 0xFFFF:04x}"
        return f"{time}-7{bits >> 30:03x}-{0x8000 | bits >> 16 & 0x3FFF:04x}-{bits & 0xFFFF:04x}"

    def after_fork_in_child(self) -> None:
        """Begin elsewhere than the parent goes on."""
        self._random.seed()
        self._counter = count(self._random.getrandbits(32))
        self._millisecond = (-1, "", "")


def _timestamp(milliseconds: int) -> str:
    second, fraction = divmod(milliseconds, 1000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(second))}.{fraction:03d}Z"


def format_time(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds; a time without a zone is taken as UTC.

    >>> format_time(datetime(2026, 1, 2, 3, 4, 5))
    '2026-01-02T03:04:05.000Z'
    """
    aware = time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
