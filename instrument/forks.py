"""What a forked child forgets of its parent: locks that no thread will release, counts, connections."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An object with state that a forked child must not go on with."""

    def before_fork(self) -> None:
        """Reach a state in which the process can be copied, within 50 milliseconds."""
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

    def before_fork(self) -> None:
        """Do nothing."""

    def after_fork_in_parent(self) -> None:
        """Do nothing."""


_everything: WeakSet[Forkable] = WeakSet()


def at_fork(what: Forkable) -> None:
    """Call an object's methods whenever this process forks, for as long as the object lives."""
    _everything.add(what)


def _before() -> None:
    for each in list(_everything):
        each.before_fork()


def _in_parent() -> None:
    for each in list(_everything):
        each.after_fork_in_parent()


def _in_child() -> None:
    for each in list(_everything):
        each.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
