"""Rate limits: a token bucket for an event."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Callable


class Bucket(ForkSafe):
    """Lets through so many a second on average, and at once no more than those of one second, or one.

    Args:
        rate: how many a second.
        clock: gives seconds.

    >>> bucket = Bucket(2, clock=lambda: 0.0)
    >>> [bucket.take() for _ in range(3)]
    [True, True, False]
    """

    __slots__ = ("__weakref__", "_at", "_clock", "_lock", "_rate", "_size", "_tokens")

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._size = self._tokens = max(1.0, rate)
        self._at = clock()
        self._lock = threading.RLock()
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Begin with a lock that nobody holds."""
        self._lock = threading.RLock()

    def take(self) -> bool:
        """Take a token; answer whether there was one."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
