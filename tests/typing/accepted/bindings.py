"""Bindings carry the class that they bind."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from instrument import (
    Alias,
    Binding,
    Call,
    Group,
    Identify,
    Outcome,
    Page,
    Scope,
    Screen,
    Source,
    Track,
    aliases,
    groups,
    identifies,
    pages,
    screens,
    tracks,
)


class UserScope(Scope):
    user_id: int


class ClusterScope(UserScope):
    cluster_id: int


class Done(Track, ClusterScope):
    size: int


class Known(Identify, UserScope):
    pass


class Joined(Group, UserScope):
    pass


class Seen(Page, UserScope):
    pass


class SeenOnScreen(Screen, UserScope):
    pass


class Merged(Alias, UserScope):
    pass


def size_of(call: Call) -> int:
    assert_type(call.outcome, Outcome)
    return len(call.arguments)


def is_error(call: Call) -> bool:
    return bool(call.result.status >= 400)


assert_type(Done.from_call(size="cluster.size"), Binding[Done])
assert_type(ClusterScope.from_call(cluster_id=size_of), Binding[ClusterScope])
source: Source = "cluster.size"
another: Source = size_of
as_base: Binding[Track] = Done.from_call(size=source, cluster_id=another)


@tracks(
    Done.from_call(size=lambda call: len(call.kwargs)),
    scope=ClusterScope.from_call(cluster_id="result.id"),
    failed_if=is_error,
    message_id="delivery_id",
)
def create(delivery_id: str) -> Any: ...


@tracks(as_base, scope=UserScope)
@identifies(Known)
@groups(Joined.from_call(group_id="team.id"))
@pages(Seen)
@screens(SeenOnScreen)
@aliases(Merged.from_call(previous_id="old"))
def everything(team: Any, old: str, size: int, cluster_id: int) -> None: ...
