"""Declared classes have typed constructors, without a plugin of the type checker."""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import Field
from typing_extensions import assert_type

from instrument import Alias, Group, Identify, Message, Page, Scope, Screen, SegmentTrack, Track, declared_messages

T = TypeVar("T")


class UserScope(Scope):
    user_id: int


class ProjectScope(UserScope):
    project_id: int = Field(serialization_alias="proj_id")


class RegionScope(Scope):
    region: str = "eu"


class ClusterCreated(Track, ProjectScope, name="Cluster Created"):
    size: int
    note: str | None = None


class ClusterMoved(Track, ProjectScope, RegionScope):
    target: UUID


class Billing(Track, ProjectScope, abstract=True):
    amount: float


class InvoicePaid(Billing):
    pass


class Measured(Track, UserScope, Generic[T]):
    value: T


class UserKnown(Identify, UserScope):
    email: str


class TeamJoined(Group, UserScope):
    seats: int


class PricingSeen(Page, UserScope, category="Shop"):
    tab: str


class SettingsSeen(Screen, UserScope, name="Settings", category="App"):
    pass


class UserMerged(Alias, UserScope):
    pass


created = ClusterCreated(user_id=7, project_id=1, size=3)
assert_type(created, ClusterCreated)
assert_type(created.user_id, int)
assert_type(created.project_id, int)
assert_type(created.note, "str | None")
assert_type(created.event, str)
assert_type(created.properties, dict[str, Any])

moved = ClusterMoved(user_id=7, project_id=1, region="us", target=UUID(int=1))
assert_type(moved.region, str)
assert_type(moved.target, UUID)

assert_type(InvoicePaid(user_id=7, project_id=1, amount=1).amount, float)
assert_type(Measured[int](user_id=7, value=3).value, int)

assert_type(UserKnown(user_id=7, email="a@b.example").traits, dict[str, Any])
assert_type(TeamJoined(user_id=7, group_id="g", seats=2).group_id, "str | int | UUID")
assert_type(PricingSeen(user_id=7, tab="x").name, "str | None")
assert_type(SettingsSeen(user_id=7).category, "str | None")
assert_type(UserMerged(user_id=7, previous_id="cookie").previous_id, "str | int | UUID")

as_protocol: SegmentTrack = created
messages: tuple[type[Message], ...] = declared_messages()
