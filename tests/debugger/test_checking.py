"""What the debugger thinks of a message, given what is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_core import from_json

from instrument.debugger.catalog import Catalog
from instrument.delivery.envelope import PLAIN_TAIL, encoder_of
from instrument.plan.model import Plan
from tests.debugger.declared import DECLARED, PARCEL, CheckedCompany, CheckedOrder, CheckedPrices, CheckedProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument import Message
    from tests.debugger.asked import Asked


@pytest.fixture
def debugger(start: Callable[..., Asked]) -> Asked:
    """A debugger that knows some messages."""
    return start(Catalog(DECLARED))


def envelope_of(message: Message, message_id: str = "m") -> dict[str, Any]:
    """Return a message as a client sends it."""
    envelope: dict[str, Any] = from_json(
        encoder_of(type(message))(message, (message_id, "2026-01-02T03:04:05.678Z"), PLAIN_TAIL).body
    )
    return envelope


def recorded(debugger: Asked, envelope: dict[str, Any]) -> dict[str, Any]:
    debugger.send(envelope)
    return debugger.records()[-1]


ORDER = CheckedOrder(user_id=7, shop_id=3, amount=12)


@pytest.mark.parametrize(
    "message",
    [
        ORDER,
        PARCEL,
        CheckedProfile(user_id=7, plan="pro"),
        CheckedCompany(user_id=7, staff=3),
        CheckedPrices(user_id=7),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_declared_is_valid_and_can_be_asserted(debugger: Asked, message: Message) -> None:
    record = recorded(debugger, envelope_of(message))
    assert (record["status"], record["violations"], record["reason"]) == ("valid", [], None)

    @dataclass
    class Tracked:
        messages: list[Message]

    namespace: dict[str, Any] = {"tracked": Tracked([message])}
    exec(record["assertion"], namespace)  # raises where it is wrong


def test_an_assertion_is_short_where_the_message_is(debugger: Asked) -> None:
    assert recorded(debugger, envelope_of(ORDER))["assertion"] == (
        "from tests.debugger.declared import CheckedOrder\n\n"
        "assert CheckedOrder(user_id=7, shop_id=3, amount=12) in tracked.messages\n"
    )


def test_the_fields_of_scopes_are_told_apart(debugger: Asked) -> None:
    assert recorded(debugger, envelope_of(ORDER))["scope"] == {"user_id": "7", "shop_id": 3}


def test_what_does_not_fit_is_invalid_and_says_where_without_the_value(debugger: Asked) -> None:
    envelope = envelope_of(ORDER) | {"properties": {"shop": 3, "amount": "a secret", "colour": "red"}}
    record = recorded(debugger, envelope)
    assert (record["status"], record["assertion"]) == ("invalid", None)
    assert record["violations"] == [
        {"path": "properties.amount", "reason": "it should be of type integer, not string"},
        {"path": "properties.colour", "reason": "the plan does not have it"},
    ]


def test_an_event_that_nobody_declares_is_unknown_and_says_which_is_nearest(debugger: Asked) -> None:
    record = recorded(debugger, envelope_of(ORDER) | {"event": "Checked Ordre"})
    assert record["status"] == "unknown"
    assert record["reason"] == ("event: the plan has no track of this name (did you mean 'Checked Order'?)")


def test_a_repetition_names_the_first(debugger: Asked) -> None:
    debugger.send(envelope_of(ORDER, "a"), envelope_of(ORDER, "b"), envelope_of(ORDER, "a"))
    assert [each["duplicate_of"] for each in debugger.records()] == [None, None, 1]


@pytest.mark.parametrize(
    ("envelope", "path", "reason"),
    [
        ({"type": "track", "event": "Strange"}, "", "it has neither a userId nor an anonymousId"),
        ({"type": "track", "userId": "7"}, "event", "a track has no event"),
        ({"userId": "7"}, "type", "it is none of alias, group, identify, page, screen, track"),
    ],
)
def test_what_segment_requires_is_checked_where_nothing_is_declared(
    debugger: Asked, envelope: dict[str, Any], path: str, reason: str
) -> None:
    record = recorded(debugger, envelope)
    assert record["status"] == "invalid"
    assert {"path": path, "reason": reason} in record["violations"]


def test_what_is_above_the_limit_of_segment_is_invalid_and_shortened(debugger: Asked) -> None:
    record = recorded(debugger, envelope_of(ORDER) | {"properties": {"note": "x" * 40_000}})
    (violation,) = record["violations"]
    assert violation["reason"].endswith("bytes, above Segment's limit of 32,768")
    assert record["envelope"]["properties"]["note"] == "x" * 1_000 + "… (40,000 characters)"


def test_a_plan_file_checks_without_the_classes(start: Callable[..., Asked]) -> None:
    catalog = Catalog(DECLARED)
    listed = [each.model_dump() for each in catalog.listing()]
    plan = Plan.from_json(catalog.plan.to_json())
    debugger = start(Catalog((), plan))
    assert [each["name"] for each in debugger.get("/api/plan").json()["messages"]] == [each["name"] for each in listed]
    record = recorded(debugger, envelope_of(ORDER))
    assert (record["status"], record["scope"], record["assertion"]) == ("valid", {"user_id": "7", "shop_id": 3}, None)


def test_what_is_declared_is_listed(debugger: Asked) -> None:
    order = next(each for each in debugger.get("/api/plan").json()["messages"] if each["class_name"] == "CheckedOrder")
    assert order.pop("line") > 0
    assert order == {
        "type": "track",
        "name": "Checked Order",
        "class_name": "CheckedOrder",
        "doc": "Somebody ordered something.",
        "scope": ["user_id", "shop_id"],
        "file": "tests/debugger/declared.py",
    }
