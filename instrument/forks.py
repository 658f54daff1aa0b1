"""What a forked child forgets of its parent: locks that no thread will release, counts, connections."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from time import monotonic
from typing import Protocol
from weakref import WeakValueDictionary

_PATIENCE = 0.05
"""Seconds that a fork waits, all in all."""


class Forkable(Protocol):
    """An object with state that a forked child must not go on with."""

    def before_fork(self, deadline: float) -> None:
        """Reach a state in which the process can be copied, by a time of `time.monotonic`."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        ...


class ForkSafe:
    """A base for what only has to begin anew in a child."""

    __slots__ = ()

    def before_fork(self, deadline: float) -> None:
        """Do nothing."""

    def after_fork_in_parent(self) -> None:
        """Do nothing."""


class Guard:
    """A lock that a fork waits for, so that no thread is inside what it guards while the process is copied.

    SQLite has locks of its own, which a child would find taken for ever by threads that it does not have.

    Attributes:
        lock: to be held around every use of what is guarded; free in a child.
    """

    __slots__ = ("__weakref__", "_forking", "lock")

    def __init__(self) -> None:
        self._forking: int | None
        self.after_fork_in_child()
        at_fork(self)

    def before_fork(self, deadline: float) -> None:
        """Keep every other thread out, unless one stays in for too long."""
        if self.lock.acquire(timeout=max(0.0, deadline - monotonic())):
            self._forking = threading.get_ident()

    def after_fork_in_parent(self) -> None:
        """Let threads in again."""
        # Another thread may be forking too, and hold it: then this one waited for it in vain.
        if self._forking == threading.get_ident():
            self._forking = None
            self.lock.release()

    def after_fork_in_child(self) -> None:
        """Begin with a lock that nobody holds."""
        # One that its thread may take again: a signal handler runs inside whatever it interrupts.
        self.lock: threading.RLock = threading.RLock()
        self._forking = None


# Not a WeakSet, which cannot be gone through while another thread adds to it.
_everything: WeakValueDictionary[int, Forkable] = WeakValueDictionary()


def at_fork(what: Forkable) -> None:
    """Call an object's methods whenever this process forks, for as long as the object lives."""
    _everything[id(what)] = what


def _living() -> list[Forkable]:
    return [each for reference in _everything.valuerefs() if (each := reference()) is not None]


def _before() -> None:
    deadline = monotonic() + _PATIENCE
    for each in _living():
        with suppress(Exception):  # what one cannot do must not keep the others from it
            each.before_fork(deadline)


def _in_parent() -> None:
    for each in _living():
        with suppress(Exception):
            each.after_fork_in_parent()


def _in_child() -> None:
    for each in _living():
        with suppress(Exception):
            each.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
