"""Plans of Segment Protocols, of Typewriter, and their older forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instrument import Group, Identify, Page, Screen, Track
from tests.plan.codegen.made import plan_of, rule

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop

SHOP = plan_of(
    {
        "type": "TRACK",
        "key": "Order Completed",
        "version": 1,
        "jsonSchema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "description": "A user paid for an order.",
            "labels": {"area": "shop"},
            "properties": {
                "context": {},
                "traits": {},
                "properties": {
                    "type": "object",
                    "properties": {
                        "order_id": {"type": "string", "description": "What the shop knows it by."},
                        "Total": {"type": "number", "minimum": 0},
                        "date": {"type": "string", "format": "date"},
                        "deadline": {"type": ["string", "null"], "format": "date"},
                        "channel": {"type": "string", "enum": ["web", "app"]},
                        "products": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "default": 1}},
                                "required": ["sku"],
                            },
                        },
                    },
                    "required": ["order_id", "Total", "products"],
                },
            },
        },
    }
)

SHOP_EVENTS = '''\
"""The messages of the tracking plan."""

import datetime as dt
from typing import Literal

from instrument import Track
from pydantic import Field

from .objects import OrderCompletedProducts
from .scopes import UserScope


class OrderCompleted(Track, UserScope):
    """A user paid for an order."""

    order_id: str = Field(description="What the shop knows it by.")
    total: float = Field(ge=0.0, serialization_alias="Total")
    date: dt.date | None = None
    deadline: dt.date | None = None
    channel: Literal["web", "app"] | None = None
    products: list[OrderCompletedProducts]
'''

SHOP_OBJECTS = '''\
"""The objects inside of properties."""

from pydantic import BaseModel


class OrderCompletedProducts(BaseModel, frozen=True, extra="forbid"):
    sku: str
    count: int = 1
'''

SHOP_SCOPES = '''\
"""The scopes: identifying fields that messages share."""

from instrument import Scope


class UserScope(Scope):
    """The user who acts."""

    user_id: str | int
'''


def test_a_plan_becomes_scopes_objects_and_events(workshop: Workshop) -> None:
    assert workshop.made(SHOP) == SHOP_EVENTS
    assert workshop.source("objects.py") == SHOP_OBJECTS
    assert workshop.source("scopes.py") == SHOP_SCOPES
    assert set(workshop.files()) == {"__init__.py", "events.py", "objects.py", "scopes.py"}


def test_the_events_can_be_built_and_send_the_keys_of_the_plan(workshop: Workshop) -> None:
    workshop.made(SHOP)
    with workshop.imported() as messages:
        built = messages["OrderCompleted"].model_validate(
            {"user_id": 7, "order_id": "o1", "total": 3, "products": [{"sku": "s"}]}
        )
        assert isinstance(built, Track)
        assert (built.event, built.properties) == (
            "Order Completed",
            {
                "order_id": "o1",
                "Total": 3.0,
                "date": None,
                "deadline": None,
                "channel": None,
                "products": [{"sku": "s", "count": 1}],
            },
        )


def _typewriter(properties: Any) -> Any:
    return {"name": "Paid", "description": "Somebody paid.", "rules": {"type": "object", "properties": properties}}


_PROPERTIES = {"amount": {"type": "integer"}}
_ENVELOPE = {"context": {}, "traits": {}, "properties": {"type": "object", "properties": _PROPERTIES}}
_PUBLIC: dict[str, Any] = {
    "type": "TRACK",
    "key": "Paid",
    "jsonSchema": {"description": "Somebody paid.", "properties": _ENVELOPE},
}


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param([_PUBLIC], id="the rules alone"),
        pytest.param({"rules": [_PUBLIC]}, id="a plan of Typewriter"),
        pytest.param({"data": {"rules": [_PUBLIC]}}, id="an answer of the Public API to a request for rules"),
        pytest.param({"data": {"trackingPlan": {"rules": [_PUBLIC]}}}, id="an answer with a plan"),
        pytest.param({"rules": [{"name": "Paid", "jsonSchema": _PUBLIC["jsonSchema"]}]}, id="a name for the key"),
        pytest.param(
            {"rules": {"events": [_typewriter(_ENVELOPE)], "global": {}, "identify": {}}}, id="the Config API"
        ),
        pytest.param({"events": [_typewriter(_ENVELOPE)], "identify_traits": []}, id="a local file of Typewriter"),
        pytest.param(
            {"rules": [{**_PUBLIC, "jsonSchema": {"description": "Somebody paid.", "properties": _PROPERTIES}}]},
            id="a schema of the properties alone",
        ),
    ],
)
def test_every_form_of_a_plan_is_read(workshop: Workshop, plan: Any) -> None:
    assert workshop.made(plan) == (
        '"""The messages of the tracking plan."""\n\n'
        "from instrument import Track\n\n"
        "from .scopes import UserScope\n\n\n"
        "class Paid(Track, UserScope):\n"
        '    """Somebody paid."""\n\n'
        "    amount: int | None = None\n"
    )


def test_the_other_calls_become_classes_of_their_own(workshop: Workshop) -> None:
    traits = {"properties": {"traits": {"type": "object", "properties": {"plan": {"type": "string"}}}}}
    workshop.made(
        plan_of(
            {"type": "IDENTIFY", "jsonSchema": traits},
            {"type": "GROUP", "jsonSchema": traits},
            {"type": "PAGE", "key": "Home", "jsonSchema": {"properties": {"name": {"type": "string"}}}},
            {"type": "SCREEN", "key": "Basket", "jsonSchema": {}},
        )
    )
    with workshop.imported() as messages:
        assert {name: each.__mro__[1] for name, each in messages.items()} == {
            "UserTraits": Identify,
            "GroupTraits": Group,
            "Home": Page,
            "Basket": Screen,
        }
        home = messages["Home"].model_validate({"user_id": 7, "name_": "x"})
        assert isinstance(home, Page)
        assert (home.name, home.properties) == ("Home", {"name": "x"})


def test_what_is_common_to_all_events_is_in_each(workshop: Workshop) -> None:
    common = {
        "type": "COMMON",
        "jsonSchema": {
            "properties": {"properties": {"properties": {"app": {"type": "string"}, "own": {}}}, "context": {}}
        },
    }
    source = workshop.made(plan_of(common, rule("Opened", {"own": {"type": "integer"}})))
    assert source.endswith("    own: int | None = None\n    app: str | None = None\n")


def test_of_several_versions_the_newest_counts(workshop: Workshop) -> None:
    old, new = rule("Opened", {"a": {}}), rule("Opened", {"b": {"type": "string"}})
    result = workshop.codegen(plan_of({**new, "version": 2}, old))
    assert "note: " in result.output
    assert "rules[1]: version 1 is left out, since there is a newer one" in result.output
    assert workshop.source("events.py").endswith("    b: str | None = None\n")


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"rules": [{"type": "TRACK", "key": "A"}]}, "rules[0]: jsonSchema: Field required"),
        ({"rules": [{"type": "NEW", "key": "A", "jsonSchema": {}}]}, "rules[0]: type: Input should be 'TRACK', "),
        ({"rules": "none"}, "rules: a list of rules is expected here, or an object with `events`"),
        ({"rules": {"events": "none"}}, "rules.events: a list of rules is expected here"),
        (plan_of(rule("A"), rule("A")), "rules[1]: the rule 'A' is there already, at "),
        (plan_of(rule("  ")), "rules[0]: the event has no name"),
        (plan_of(rule("A", {"b": 3})), "rules[0].jsonSchema.properties['b']: an object is expected here"),
        (plan_of(rule("A", {"b": {"type": "text"}})), "property 'b'.type: it is none of string, integer, "),
        (plan_of(rule("A", {"b": {"type": "string", "minLength": "1"}})), "property 'b'.minLength: it is no number"),
        (plan_of(rule("A", {}, required=3)), "rules[0].jsonSchema.required: it is no list of keys"),
        ({"something": "else"}, "plan.json: it is no plan"),
        ([], "plan.json: it is no plan"),
    ],
)
def test_a_fault_is_told_with_its_place_in_the_file(workshop: Workshop, plan: Any, problem: str) -> None:
    result = workshop.codegen(plan)
    assert result.exit_code == 1
    assert problem in result.output
    assert not workshop.package.exists()


def test_the_old_form_may_have_one_schema_for_all_identify_calls(workshop: Workshop) -> None:
    plan = {"name": "Shop", "rules": {"events": [], "identify": {"properties": {"plan": {"type": "string"}}}}}
    assert "class UserTraits(Identify, UserScope):\n    plan: str | None = None\n" in workshop.made(plan)


def test_the_old_form_has_a_name_for_each_event(workshop: Workshop) -> None:
    result = workshop.codegen({"name": "Shop", "events": {"properties": {"plan": {"type": "string"}}}})
    assert result.exit_code == 1
    assert "plan.json: events: " in result.output
