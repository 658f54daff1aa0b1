"""What was sent is compared with the plan, and nothing of it is told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from instrument import PII, Alias, Group, Identify, Page, Scope, Track
from instrument.delivery.envelope import PLAIN_TAIL, encoder_of
from instrument.plan.check import PlanChecker, check_envelope
from instrument.plan.collect import plan_of
from instrument.plan.project import Project
from instrument.plan.violations import Violation, Wrong

if TYPE_CHECKING:
    from instrument import Message
from pathlib import Path


class CheckedScope(Scope):
    user_id: int


class CheckedVisitor(Scope):
    user_id: UUID | None = None
    anonymous_id: str | None = None


class CheckedTeam(CheckedScope):
    team_id: int = Field(serialization_alias="team")


class CheckedColour(str, Enum):
    RED = "red"
    BLUE = "blue"


class CheckedPart(BaseModel):
    price: Decimal
    mail: Annotated[str, PII("email")] = ""
    parts: list[CheckedPart] = []


class CheckedAll(Track, CheckedTeam):
    count: int = Field(ge=1, lt=10)
    text: str = Field(pattern="^[a-z]*$", max_length=5)
    colour: CheckedColour | None = None
    size: Literal["s", "m"] = "s"
    at: datetime
    took: timedelta = timedelta(seconds=1)
    parts: list[CheckedPart] = []
    scores: dict[str, int] = {}
    pair: tuple[int, str] = (1, "a")
    either: int | list[int] = 1
    flag: bool = False
    email: Annotated[str, PII("email")] = "a@example.com"


class CheckedPing(Track, CheckedScope): ...


class CheckedBlob(Track, CheckedScope):
    data: bytes


class CheckedVisit(Track, CheckedVisitor, name="Visited"):
    if not TYPE_CHECKING:
        anonymous_id: str


class CheckedUser(Identify, CheckedScope):
    plan: str


class CheckedPage(Page, CheckedScope, name="Start", category="Docs"): ...


class CheckedStart(Page, CheckedScope, name="Start"):
    referrer: str


class CheckedGroup(Group, CheckedScope):
    size: int = 0


class CheckedAlias(Alias, CheckedScope): ...


PLAN = plan_of(
    [
        CheckedAll,
        CheckedPing,
        CheckedBlob,
        CheckedVisit,
        CheckedUser,
        CheckedPage,
        CheckedStart,
        CheckedGroup,
        CheckedAlias,
    ],
    Project(Path(__file__).parent, ("tests.plan",)),
)
AT = datetime(2026, 1, 2, tzinfo=timezone.utc)


def envelope(message: Message) -> dict[str, Any]:
    sent = encoder_of(type(message))(message, ("id", "2026-01-02T03:04:05.000Z"), PLAIN_TAIL)
    found: dict[str, Any] = json.loads(sent.body)
    return found


GOOD = envelope(
    CheckedAll(user_id=7, team_id=1, count=3, text="abc", at=AT, parts=[CheckedPart(price=Decimal("1.50"))])
)


def changed(**properties: Any) -> dict[str, Any]:
    return {**GOOD, "properties": {**GOOD["properties"], **properties}}


@pytest.mark.parametrize(
    "message",
    [
        CheckedAll(user_id=7, team_id=1, count=3, text="", at=AT),
        CheckedAll(
            user_id=-7,
            team_id=2**62,
            count=9,
            text="abcde",
            at=datetime(2026, 1, 2),  # noqa: DTZ001 - a time without a zone is sent as it is
            colour=CheckedColour.RED,
            took=timedelta(days=3, microseconds=1),
            parts=[CheckedPart(price=Decimal(1), parts=[CheckedPart(price=Decimal("0.1"))])],
            scores={"a.b": 1, "": 2},
            pair=(2, "b"),
            either=[1],
        ),
        CheckedPing(user_id=7),
        CheckedBlob(user_id=7, data=b"\xff"),
        CheckedVisit(anonymous_id="x"),
        CheckedVisit(anonymous_id="x", user_id=UUID(int=1)),
        CheckedUser(user_id=7, plan="pro"),
        CheckedPage(user_id=7),
        CheckedStart(user_id=7, referrer="x"),
        CheckedGroup(user_id=7, group_id="g"),
        CheckedGroup(user_id=7, group_id=9),
        CheckedAlias(user_id=7, previous_id="x"),
    ],
)
def test_what_the_classes_send_is_in_the_plan(message: Message) -> None:
    assert check_envelope(PLAN, envelope(message)) == ()


@pytest.mark.parametrize(
    ("sent", "violations"),
    [
        ({}, [Violation(Wrong.MISSING, "type", "it has no type")]),
        (
            {"type": "screen", "name": "Start"},
            [
                Violation(
                    Wrong.UNKNOWN,
                    "type",
                    "the plan has no messages of this type; its types are: alias, group, identify, page, track",
                )
            ],
        ),
        ({"type": "track"}, [Violation(Wrong.MISSING, "event", "a track has a name, as text")]),
        ({"type": "track", "event": 7}, [Violation(Wrong.INVALID, "event", "a track has a name, as text")]),
        (
            {"type": "track", "event": "Checked Pong"},
            [
                Violation(
                    Wrong.UNKNOWN, "event", "the plan has no track of this name (did you mean 'Checked Ping'?)"
                )
            ],
        ),
        (
            {"type": "track", "event": "Checked Ping"},
            [
                Violation(Wrong.MISSING, "properties", "it is required"),
                Violation(Wrong.MISSING, "userId", "it is required"),
            ],
        ),
        (
            {"type": "track", "event": "Checked Ping", "userId": None, "properties": []},
            [
                Violation(Wrong.INVALID, "properties", "it should be of type object, not array"),
                Violation(Wrong.MISSING, "userId", "it is required"),
            ],
        ),
        (
            {"type": "page", "name": "Start", "category": "Blog", "userId": "7", "properties": {}},
            [Violation(Wrong.INVALID, "category", 'it should be "Docs"')],
        ),
        (
            {"type": "group", "userId": "7", "traits": {}},
            [Violation(Wrong.MISSING, "groupId", "it is required")],
        ),
    ],
)  # fmt: skip
def test_an_envelope_that_differs(sent: dict[str, Any], violations: list[Violation]) -> None:
    assert list(check_envelope(PLAN, sent)) == violations


@pytest.mark.parametrize(
    ("properties", "path", "reason"),
    [
        ({"count": "3"}, "properties.count", "it should be of type integer, not string"),
        ({"count": 0}, "properties.count", "it should be at least 1"),
        ({"count": 10}, "properties.count", "it should be less than 10"),
        ({"text": "Ada"}, "properties.text", 'it should match the pattern "^[a-z]*$"'),
        ({"text": "abcdef"}, "properties.text", "it should have 5 characters or fewer"),
        ({"colour": "pink"}, "properties.colour", 'it should be one of "red", "blue"'),
        ({"colour": 3}, "properties.colour", "it should be of type string or null, not integer"),
        ({"size": "xl"}, "properties.size", 'it should be one of "s", "m"'),
        ({"at": "tomorrow"}, "properties.at", 'it should be a "date-time"'),
        ({"at": "1700000000"}, "properties.at", 'it should be a "date-time"'),
        ({"took": "an hour"}, "properties.took", 'it should be a "duration"'),
        ({"parts": [{"price": 1.5}]}, "properties.parts[0].price", "it should be of type string, not number"),
        ({"parts": [{"price": "1", "parts": [{}]}]}, "properties.parts[0].parts[0].price", "it is required"),
        (
            {"parts": [{"price": "1", "parts": 1}]},
            "properties.parts[0].parts",
            "it should be of type array, not integer",
        ),
        ({"scores": {"ada@example.com": "x"}}, "properties.scores.*", "it should be of type integer, not string"),
        ({"pair": ["x", "y"]}, "properties.pair[0]", "it should be of type integer, not string"),
        ({"pair": [1]}, "properties.pair", "it should have 2 items or more"),
        ({"either": "x"}, "properties.either", "it should be of type integer or array, not string"),
        ({"either": ["x"]}, "properties.either[0]", "it should be of type integer, not string"),
        ({"new": 1}, "properties.new", "the plan does not have it"),
        ({"a.b c": 1}, 'properties["a.b c"]', "the plan does not have it"),
        ({"flag": 1}, "properties.flag", "it should be of type boolean, not integer"),
        ({"email": None}, "properties.email", "it should be of type string, not null"),
    ],
)
def test_a_property_that_differs_is_told_with_its_path(properties: dict[str, Any], path: str, reason: str) -> None:
    (violation,) = check_envelope(PLAN, changed(**properties))
    assert (violation.path, violation.reason) == (path, reason)


@pytest.mark.parametrize(
    ("key", "value"),
    [("email", "***"), ("email", ...), ("parts", [{"price": "1"}]), ("parts", [{"price": "1", "mail": "***"}])],
)
def test_personal_data_may_be_redacted(key: str, value: object) -> None:
    sent = changed(**{key: value})
    if value is ...:
        del sent["properties"][key]
    assert check_envelope(PLAN, sent) == ()


def test_a_message_without_an_identity_is_told() -> None:
    class CheckedNobody(Track, CheckedVisitor):
        anonymous_id: str = "x"

    plan = plan_of([CheckedNobody], Project(Path(__file__).parent, ("tests.plan",)))
    sent = {"type": "track", "event": "Checked Nobody", "properties": {}}
    violations = check_envelope(plan, sent)
    assert list(map(str, violations)) == ["it has neither a userId nor an anonymousId"]
    assert check_envelope(plan, {**sent, "userId": None, "anonymousId": "x"}) == ()


def test_of_two_pages_with_one_name_the_one_that_fits_is_meant() -> None:
    checker = PlanChecker(PLAN)
    found = checker.message_of({"type": "page", "name": "Start", "userId": "7", "properties": {"referrer": "x"}})
    assert found is not None
    assert found.class_name == "CheckedStart"
    assert checker.message_of({"type": "track", "event": "Nothing"}) is None


def test_what_is_nested_too_deep_is_told() -> None:
    parts: list[Any] = []
    for _ in range(5_000):
        parts = [{"price": "1", "parts": parts}]
    (violation,) = check_envelope(PLAN, changed(parts=parts))
    assert violation == Violation(Wrong.INVALID, "", "it cannot be checked (RecursionError)")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["secret-", "secret-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("price") | st.just("parts"), inner),
    max_leaves=5,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*GOOD["properties"], "type", "event"]), json_values))
def test_no_value_is_ever_told(properties: dict[str, Any]) -> None:
    for violation in PlanChecker(PLAN).check(changed(**properties)):
        assert "secret-" not in str(violation)
