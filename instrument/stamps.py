"""Message ids and timestamps."""

from __future__ import annotations

import os
import random
from datetime import datetime, timezone
from time import gmtime, strftime, time_ns

# A generator of our own: the one that `random` shares is seeded by test suites, and equal ids are dropped by
# receivers as repeats.
_random = random.Random()  # noqa: S311 - ids need to be unique, not secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


class Stamps:
    """The clock and the ids of a client."""

    __slots__ = ("_second",)

    def __init__(self) -> None:
        # The second last seen and its text, replaced as one so that threads never see half of it.
        self._second = (-1, "")

    def next(self) -> tuple[str, str]:
        """Return a new message id, a UUID of version 7 (RFC 9562), and the time of now (RFC 3339, milliseconds)."""
        milliseconds = time_ns() // 1_000_000
        return uuid7(milliseconds), self._timestamp(milliseconds)

    def _timestamp(self, milliseconds: int) -> str:
        second, fraction = divmod(milliseconds, 1000)
        seen, text = self._second
        if second != seen:
            text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
            self._second = second, text
        return f"{text}.{fraction:03d}Z"


def uuid7(milliseconds: int) -> str:
    """Return a UUID of version 7 (RFC 9562) for a time in milliseconds since 1970.

    >>> uuid7(1_700_000_000_000)[:15]
    '018bcfe5-6800-7'
    """
    bits = _random.getrandbits(74)
    number = milliseconds << 80 | _VERSION_7 | (bits >> 62) << 64 | _VARIANT | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def format_time(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds; a time without a zone is taken as UTC.

    >>> format_time(datetime(2026, 1, 2, 3, 4, 5))
    '2026-01-02T03:04:05.000Z'
    """
    aware = time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
