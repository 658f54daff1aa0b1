"""A plan file whose schemas are none is said to be no plan, before anything is written of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.forms import Form, exported
from instrument.plan.jsons import written
from instrument.plan.model import Plan
from tests.plan.plans import PLAN


def _plan_with(schema: object, *, of: str) -> str:
    document: dict[str, Any] = PLAN.model_dump(mode="json")
    message = document["messages"][0]
    if of == "property":
        message["properties"] = [{"key": "part", "name": "part", "type": "Part", "schema": schema}]
    else:
        message["definitions"] = {"Part": schema}
    return written(document)


@pytest.mark.parametrize("of", ["property", "definition"])
@pytest.mark.parametrize(
    ("keyword", "value", "why"),
    [
        ("required", None, "None is not of type 'array'"),
        ("required", ["id", 7], "7 is not of type 'string'"),
        ("properties", ["id"], "['id'] is not of type 'object'"),
        ("properties", {"id": "integer"}, "'integer' is not of type 'object', 'boolean'"),
        ("items", 7, "7 is not of type 'object', 'boolean'"),
        ("additionalProperties", "yes", "'yes' is not of type 'object', 'boolean'"),
        ("prefixItems", {"type": "string"}, "{'type': 'string'} is not of type 'array'"),
        ("anyOf", [None], "None is not of type 'object', 'boolean'"),
        ("enum", "a", "'a' is not of type 'array'"),
        ("type", None, "None is not valid under any of the given schemas"),
        ("type", [], "[] is not valid under any of the given schemas"),
        ("minimum", None, "None is not of type 'number'"),
        ("$ref", 7, "7 is not of type 'string'"),
    ],
)
def test_a_keyword_with_another_shape_is_named(of: str, keyword: str, value: object, why: str) -> None:
    inner = {"anyOf": [{"type": "array", "items": {"properties": {"deep": {keyword: value}}}}]}
    for schema, where in (({keyword: value}, ""), (inner, "anyOf/0/items/properties/deep/")):
        with pytest.raises(ValidationError) as raised:
            Plan.from_json(_plan_with(schema, of=of))
        (error,) = raised.value.errors()
        assert error["msg"].startswith(f"Value error, not a JSON Schema: {where}{keyword}")
        assert error["msg"].endswith(f": {why}")
        assert error["loc"][:2] == ("messages", 0)


def test_a_schema_without_an_end_to_its_depth_is_said_to_be_none() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(150):
        schema = {"items": schema}
    with pytest.raises(ValidationError, match="not a JSON Schema: it is nested too deeply"):
        Plan.from_json(_plan_with(schema, of="property"))


def test_whatever_is_no_keyword_may_hold_anything() -> None:
    text = _plan_with({"x-required": None, "examples": [{"required": None}], "default": {"type": 7}}, of="property")
    assert Plan.from_json(text).messages[0].properties[0].schema_["x-required"] is None


def test_a_schema_that_is_true_or_false_is_spelled_out_where_there_are_several() -> None:
    schema = {"anyOf": [True, {"properties": {"any": True, "none": False}}], "additionalProperties": False}
    read = Plan.from_json(_plan_with(schema, of="property"))
    spelled_out = {"anyOf": [{}, {"properties": {"any": {}, "none": {"not": {}}}}], "additionalProperties": False}
    assert read.messages[0].properties[0].schema_ == spelled_out
    assert [form for form in Form if not exported(read, form, CodeLinks())] == []
