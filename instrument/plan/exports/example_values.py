"""An example of a message: an envelope that the plan allows, made of its schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.plan.envelope_schema import id_schema
from instrument.plan.exports.references import inlined
from instrument.plan.jsons import is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instrument.plan.model import PlannedMessage

    Schema = dict[str, Any]

_NOTHING: Schema = {"not": {}}
"""What nothing fits: where a definition would go on for ever, an example ends."""

_OF_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


def example(message: PlannedMessage) -> dict[str, Any]:
    """Return an envelope of the message as it could be, but for what every envelope has.

    What a pattern asks for is not looked at: an example shows the form.
    """
    envelope: dict[str, Any] = {"type": message.kind}
    if message.name_key is not None and message.name is not None:
        envelope[message.name_key] = message.name
    if message.category is not None:
        envelope["category"] = message.category
    for each in message.ids:
        envelope[each.key] = "7" if "pattern" in id_schema(each) else str(_value(id_schema(each), each.name))
    if message.payload is not None:
        envelope[message.payload] = {
            each.key: _value(inlined(each.schema_, message.definitions, endless=_NOTHING), each.name)
            for each in message.properties
        }
    return envelope


def _value(schema: Schema, name: str) -> Any:
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    branches = [each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ()) if each != _NOTHING]
    if branches:
        return _value(next((each for each in branches if each.get("type") != "null"), branches[0]), name)
    kind = schema.get("type")
    return _MAKERS[kind](schema, name) if kind in _MAKERS else name


def _number(schema: Schema, _: str) -> float:
    step: float = schema.get("multipleOf", 1)
    lowest: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    highest: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if lowest is not None:
        return lowest if "minimum" in schema and lowest % step == 0 else lowest - lowest % step + step
    return step if highest is None or highest > step else highest - highest % step - step


def _text(schema: Schema, name: str) -> str:
    text = _OF_FORMATS.get(schema.get("format", ""), name.replace("_", " "))
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _items(schema: Schema, name: str) -> list[Any]:
    first = [_value(each, name) for each in schema.get("prefixItems", ())]
    items = schema.get("items")
    more = items if is_object(items) else {}
    usual = 0 if first or more == _NOTHING else min(1, schema.get("maxItems", 1))
    wanted = max(schema.get("minItems", 0), usual)
    return first + [_value(more, name) for _ in range(wanted - len(first))]


def _members(schema: Schema, _: str) -> dict[str, Any]:
    return {key: _value(each, key) for key, each in schema.get("properties", {}).items() if each != _NOTHING}


def _true(_: Schema, __: str) -> bool:
    return True


def _null(_: Schema, __: str) -> None:
    return None


_MAKERS: Mapping[Any, Callable[[Schema, str], Any]] = {
    "integer": _number,
    "number": _number,
    "string": _text,
    "boolean": _true,
    "null": _null,
    "array": _items,
    "object": _members,
}
