"""Directories of JSON Schemas, and tables in CSV, of whoever made them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plan.codegen.made import Workshop


def _directory(workshop: Workshop, **schemas: Any) -> Path:
    path = workshop.root / "schemas"
    path.mkdir()
    for name, schema in schemas.items():
        (path / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")
    (path / "README.md").touch()
    return path


def test_a_directory_has_one_schema_for_each_event(workshop: Workshop) -> None:
    properties = {"id": {"type": "string"}}
    path = _directory(
        workshop,
        order_completed={"properties": properties, "required": ["id"], "description": "Somebody paid."},
        titled={
            "title": "Order Refunded!",
            "$defs": {"id": properties["id"]},
            "properties": {"id": {"$ref": "#/$defs/id"}},
        },
        whole={
            "properties": {
                "type": {"const": "page"},
                "name": {"const": "Basket"},
                "properties": {"properties": properties},
            }
        },
    )
    assert workshop.made(path) == (
        '"""The messages of the tracking plan."""\n\n'
        "from instrument import Page, Track\n\n"
        "from .scopes import UserScope\n\n\n"
        'class OrderCompleted(Track, UserScope, name="order_completed"):\n'
        '    """Somebody paid."""\n\n'
        "    id: str\n\n\n"
        'class OrderRefunded(Track, UserScope, name="Order Refunded!"):\n'
        "    id: str | None = None\n\n\n"
        "class Basket(Page, UserScope):\n"
        "    id: str | None = None\n"
    )


def test_a_table_of_anybody_s_is_read_by_the_names_of_its_columns(workshop: Workshop) -> None:
    table = (
        "Event Name,Event Description,Property Name,Property Type,Required,Property Description,Permitted Values\r\n"
        'Order Completed,"Somebody paid, in full.",order_id,String,yes,What the shop knows it by.,\r\n'
        ",,Total,number,no,,\r\n"
        ",,channel,text,,,web; app\r\n"
        "Signed Out,,,,,,\r\n"
    )
    assert workshop.made(workshop.plan("\ufeff" + table, "plan.csv")) == (
        '"""The messages of the tracking plan."""\n\n'
        "from typing import Literal\n\n"
        "from instrument import Track\n"
        "from pydantic import Field\n\n"
        "from .scopes import UserScope\n\n\n"
        "class OrderCompleted(Track, UserScope):\n"
        '    """Somebody paid, in full."""\n\n'
        '    order_id: str = Field(description="What the shop knows it by.")\n'
        '    total: float | None = Field(default=None, serialization_alias="Total")\n'
        '    channel: Literal["web", "app"] | None = None\n\n\n'
        "class SignedOut(Track, UserScope):\n"
        "    pass\n"
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "plan.csv: it is empty"),
        ("a,b\n1,2\n", "plan.csv:1: there is no column for the event: one of event, event name, name"),
        ("event,b\n1,2\n", "plan.csv:1: there is no column for the property: one of property, "),
        ("event,property\n,x\n", "plan.csv:2: the row has no event"),
        ("event,property,type\nA,x,blob\n", "plan.csv:2: 'blob' is no type: write one of string, text, "),
        (
            "event,property,required\nA,x,maybe\n",
            "plan.csv:2: 'maybe' does not say whether it is required: write yes or no",
        ),
        ("event,property\nA,x\nA,x\n", "plan.csv:2: the property 'x' is there 2 times"),
        ('event,property\nA,"x\n', "plan.csv:2: it is no CSV: "),
        ("type,name,part,json_type,schema,key\ntrack,A,property,,{,x\n", "plan.csv:2: the schema is no JSON"),
        (
            "type,name,part,json_type,schema,key\nshout,A,property,,{},x\n",
            "plan.csv:2: a 'shout' is no call of the Segment spec",
        ),
    ],
)
def test_a_fault_in_a_table_is_told_with_its_line(workshop: Workshop, table: str, problem: str) -> None:
    result = workshop.codegen(workshop.plan(table, "plan.csv"))
    assert result.exit_code == 1
    assert problem in result.output
    assert not workshop.package.exists()


_SCOPED = {"format": 1, "name": "shop", "messages": [], "scopes": []}
_SCOPE = {"class_name": "A", "module": "m", "declared": {"file": "m.py"}}
_MESSAGE = {"kind": "track", "name": "Paid", "class_name": "Paid", "module": "m", "declared": {"file": "m.py"}}


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"format": 2, "name": "shop"}, "plan.json: format: this version reads format 1 alone"),
        ({**_SCOPED, "more": 1}, "plan.json: more: Extra inputs are not permitted"),
        ({**_SCOPED, "messages": [{**_MESSAGE, "kind": "shout"}]}, "is no call of the Segment spec"),
        (
            {**_SCOPED, "messages": [{**_MESSAGE, "scopes": ["B"]}]},
            "plan.json: the whole file: Value error, the plan has no scope B",
        ),
        (
            {**_SCOPED, "scopes": [{**_SCOPE, "name": "A", "bases": ["A"]}]},
            "plan.json: the whole file: Value error, scopes inherit from each other: A, A",
        ),
        (
            {**_SCOPED, "scopes": [{**_SCOPE, "name": "A", "bases": ["B"]}]},
            "Value error, the plan has no scope B",
        ),
    ],
)
def test_a_fault_in_a_plan_file_is_told_with_its_place(workshop: Workshop, plan: Any, problem: str) -> None:
    result = workshop.codegen(plan)
    assert result.exit_code == 1
    assert problem in result.output
    assert not workshop.package.exists()


@pytest.mark.parametrize(
    ("notes", "problem"),
    [
        ({"scopes": ["B"]}, "rules[0]: there is no scope 'B'"),
        ({"scopes": "B"}, "rules[0].jsonSchema.x-instrument-scopes: it is no list of names"),
        ({"ids": ["userId"]}, "rules[0].jsonSchema.x-instrument-ids: an object is expected here"),
    ],
)
def test_a_fault_in_the_notes_of_a_rule_is_told_with_its_place(
    workshop: Workshop, notes: dict[str, Any], problem: str
) -> None:
    noted = {f"x-instrument-{name}": value for name, value in notes.items()}
    result = workshop.codegen({"rules": [{"type": "TRACK", "key": "Paid", "jsonSchema": noted}]})
    assert result.exit_code == 1
    assert problem in result.output


@pytest.mark.parametrize(
    ("scopes", "problem"),
    [
        ({}, "x-instrument-scope-classes: it is no list of scopes"),
        ([{"name": 3}], "x-instrument-scope-classes[0]: name: Input should be a valid string"),
        ([{"name": "A", "fields": [{}]}], "x-instrument-scope-classes[0].fields[0]: the field has no key"),
        ([{"name": "A", "x-instrument-bases": ["A"]}], "the scopes inherit from each other in a circle"),
        ([{"name": "A", "x-instrument-bases": ["B"]}], "there is no scope 'B', from which another one inherits"),
    ],
)
def test_a_fault_in_the_scopes_of_a_plan_is_told_with_its_place(workshop: Workshop, scopes: Any, problem: str) -> None:
    result = workshop.codegen({"rules": [], "x-instrument-scope-classes": scopes})
    assert result.exit_code == 1
    assert problem in result.output


def test_a_directory_without_schemas_is_no_plan(workshop: Workshop) -> None:
    path = workshop.root / "empty"
    path.mkdir()
    assert workshop.codegen(path).output == f"{path}: there is no file *.json in it\n"
    (path / "a.json").write_text('{"properties": []}', encoding="utf-8")
    assert workshop.codegen(path).output == (f"{path / 'a.json'}.properties: an object is expected here, not a list\n")


def test_pages_of_one_name_stay_classes_of_their_own(workshop: Workshop) -> None:
    pages = [
        {
            **_MESSAGE,
            "module": "shop.events",
            "kind": "page",
            "name": "Start",
            "class_name": name,
            "category": name,
            "name_key": "name",
        }
        for name in ("DocsStart", "ShopStart")
    ]
    source = workshop.made({**_SCOPED, "messages": pages})
    assert 'class DocsStart(Page, UserScope, name="Start", category="DocsStart"):' in source
    assert 'class ShopStart(Page, UserScope, name="Start", category="ShopStart"):' in source
    before = workshop.files()
    assert workshop.made({**_SCOPED, "messages": pages}) == source
    assert workshop.files() == before
    result = workshop.codegen({**_SCOPED, "messages": pages[:1]})
    assert "  page 'ShopStart': class ShopStart\n" in result.output
    assert "DocsStart" not in result.output


def test_what_a_scope_has_already_is_left_out_of_its_messages(workshop: Workshop) -> None:
    field = {"key": "shop", "name": "shop", "type": "int", "schema": {"type": "integer"}}
    user = {"key": "userId", "name": "user_id", "type": "int", "schema": {"type": "integer"}}
    scope = {**_SCOPE, "name": "ShopScope", "class_name": "ShopScope", "fields": [user, field]}
    message = {**_MESSAGE, "scopes": ["ShopScope"], "properties": [field]}
    result = workshop.codegen({**_SCOPED, "scopes": [scope], "messages": [message]})
    assert "property 'shop': it is left out, since a scope has it already" in result.output
    with workshop.imported() as messages:
        assert list(messages["Paid"].model_fields) == ["user_id", "shop"]
