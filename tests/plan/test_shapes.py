"""A plan file whose schemas are none is said to be no plan, before anything is written of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

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
    ("keyword", "value", "shape"),
    [
        ("required", None, "a list of texts"),
        ("required", ["id", 7], "a list of texts"),
        ("properties", ["id"], "an object of schemas"),
        ("properties", {"id": "integer"}, "an object of schemas"),
        ("items", 7, "a schema"),
        ("additionalProperties", "yes", "a schema"),
        ("prefixItems", {"type": "string"}, "a list of schemas"),
        ("anyOf", [None], "a list of schemas"),
        ("enum", "a", "a list"),
        ("type", None, "a text, or a list of texts"),
        ("$ref", 7, "a text"),
    ],
)
def test_a_keyword_with_another_shape_is_named(of: str, keyword: str, value: object, shape: str) -> None:
    inner = {"anyOf": [{"type": "array", "items": {"properties": {"deep": {keyword: value}}}}]}
    for schema in ({keyword: value}, inner):
        with pytest.raises(ValidationError) as raised:
            Plan.from_json(_plan_with(schema, of=of))
        (error,) = raised.value.errors()
        assert error["msg"] == f"Value error, not a JSON Schema: {keyword!r} holds something else than {shape}"
        assert error["loc"][:2] == ("messages", 0)


def test_whatever_is_no_keyword_may_hold_anything() -> None:
    text = _plan_with({"x-required": None, "examples": [{"required": None}], "default": {"type": 7}}, of="property")
    assert Plan.from_json(text).messages[0].properties[0].schema_["x-required"] is None
