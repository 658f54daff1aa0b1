"""Schemas in words, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from instrument.plan.jsons import is_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "pattern": "matches {}",
    "format": "{}",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
}


def type_text(schema: Mapping[str, Any]) -> str:
    """Return the type that a schema asks for.

    >>> type_text({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    'array of string or null'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    branches = [each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    if branches:
        return " or ".join(dict.fromkeys(map(type_text, branches)))
    kind = str(schema.get("type", "anything"))
    items = schema.get("items")
    if kind == "array" and is_object(items) and items:
        return f"array of {type_text(items)}"
    return kind


def constraints_text(constraints: Mapping[str, Any]) -> str:
    """Return what a schema asks for beyond the type.

    >>> constraints_text({"minimum": 1, "enum": ["a", "b"]})
    'at least 1, one of "a", "b"'
    """
    return ", ".join(filter(None, (_constraint(key, value) for key, value in constraints.items())))


def _constraint(key: str, value: Any) -> str:
    if key == "enum":
        return f"one of {', '.join(json.dumps(each, ensure_ascii=False) for each in value)}"
    if key == "const":
        return f"always {json.dumps(value, ensure_ascii=False)}"
    return _WORDS[key].format(value) if key in _WORDS else ""
