"""The events that our client sends."""

from __future__ import annotations

from instrument import Scope, Track


class _UserScope(Scope):
    user_id: int


class FaultProbe(Track, _UserScope):
    """A message that is counted."""

    run: int
    number: int


class Poison(Track, _UserScope, name="poison"):
    """A message that the collector is told to refuse."""

    run: int
    number: int
