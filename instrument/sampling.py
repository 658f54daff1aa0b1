"""Sampling: a share of the users for whom an event is sent, the same ones every time."""

from __future__ import annotations

import hashlib

_RANGE = 1 << 64


def is_sampled(event: str, user: str, rate: float) -> bool:
    """Whether an event of a user is among the share that is sent.

    The first eight bytes of the SHA-256 of event name, a zero byte and user id, in UTF-8, are read as a number, the
    highest byte first. The event is sent where that number is below rate x 2**64. So each event has its own users,
    who are the same in every process; and whoever is among the share stays so when the rate is raised.

    Args:
        event: the event's name.
        user: the user's id as text, before any hashing.
        rate: the share, from 0 to 1.

    >>> sum(is_sampled("Page Scrolled", str(user), 0.1) for user in range(1000))
    98
    """
    digest = hashlib.sha256(f"{event}\0{user}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < rate * _RANGE
