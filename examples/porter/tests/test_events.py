"""Every event of the original is declared here, with its name, its scope and its properties, and no other is.

`events.csv` is the table of what Porter's own package declares.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from examples.porter.analytics import events
from examples.porter.analytics.identifiers import UserIdentify
from examples.porter.analytics.scopes import (
    ApplicationScope,
    ClusterScope,
    ProjectScope,
    RegistryScope,
    UserScope,
)
from instrument import Message, Scope, Track, declared_messages, default_client

if TYPE_CHECKING:
    from instrument.testing import Recorder


class ScopeOfTheOriginal(NamedTuple):
    """A scope, the fields that its class has besides the user, and the properties that are sent for them."""

    scope: type[Scope]
    fields: dict[str, Any]
    properties: dict[str, Any]


class Event(NamedTuple):
    """A row of the table; `fields` are the properties with the names of their types."""

    class_name: str
    name: str
    scope: str
    fields: dict[str, str]


_RELEASE = {"app_name": "web", "app_namespace": "default", "chart_name": "nginx"}
SCOPES = {
    "user": ScopeOfTheOriginal(UserScope, {}, {}),
    "project": ScopeOfTheOriginal(ProjectScope, {"project_id": 8}, {"proj_id": 8}),
    "cluster": ScopeOfTheOriginal(ClusterScope, {"project_id": 8, "cluster_id": 9}, {"proj_id": 8, "cluster_id": 9}),
    "registry": ScopeOfTheOriginal(
        RegistryScope, {"project_id": 8, "registry_id": 10}, {"proj_id": 8, "registry_id": 10}
    ),
    "application": ScopeOfTheOriginal(
        ApplicationScope,
        {"project_id": 8, "cluster_id": 9, **_RELEASE},
        {"proj_id": 8, "cluster_id": 9, **_RELEASE},
    ),
}
TYPES = {"str": str, "int": int, "bool": bool}
VALUES: dict[str, Any] = {"str": "text", "int": 11, "bool": True}


def read_table() -> list[Event]:
    with (Path(__file__).parent / "events.csv").open(newline="") as table:
        return [
            Event(row["event"], row["name"], row["scope"], read_properties(row["properties"]))
            for row in csv.DictReader(table)
        ]


def read_properties(text: str) -> dict[str, str]:
    """Read `email: str; name: str (a remark)`."""
    pairs = [each.split(":") for each in text.split(";") if each]
    return {name.strip(): kind.split()[0] for name, kind in pairs}


TABLE = read_table()
every_event = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.class_name)


def test_the_table_is_whole() -> None:
    assert len(TABLE) == 47


def test_no_other_event_is_declared() -> None:
    declared = [each.__name__ for each in declared_messages() if each.__module__ == events.__name__]

    assert sorted(declared) == sorted(row.class_name for row in TABLE)


@every_event
def test_the_event_is_sent_as_the_original_sends_it(row: Event, tracked: Recorder) -> None:
    scope = SCOPES[row.scope]
    values = {name: VALUES[kind] for name, kind in row.fields.items()}
    event: Any = getattr(events, row.class_name)

    # Fields are required and others are forbidden: the class has exactly those of the table.
    default_client().track(event(user_id=7, **scope.fields, **values))

    [envelope] = tracked.envelopes
    sent = json.loads(envelope.body)
    assert {key: sent[key] for key in ("type", "event", "userId", "properties")} == {
        "type": "track",
        "event": row.name,
        "userId": "7",
        "properties": {**scope.properties, **values},
    }


@every_event
def test_the_event_has_the_types_and_the_scope_of_the_original(row: Event) -> None:
    event: type[Track] = getattr(events, row.class_name)

    assert {name: event.model_fields[name].annotation for name in row.fields} == {
        name: TYPES[kind] for name, kind in row.fields.items()
    }
    assert innermost_scope(event) is SCOPES[row.scope].scope


@every_event
def test_the_event_says_what_it_means(row: Event) -> None:
    assert vars(getattr(events, row.class_name))["__doc__"]


def test_a_user_is_identified_by_the_address_and_whether_the_account_came_through_github() -> None:
    user = UserIdentify(user_id=7, email="ada@example.org", is_github=True)

    assert (user.user_id, user.traits) == (7, {"email": "ada@example.org", "github": True})


def innermost_scope(event: type[Track]) -> type:
    return next(base for base in event.__mro__ if issubclass(base, Scope) and not issubclass(base, Message))
