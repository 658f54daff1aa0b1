"""The JSON Schema of a message as it is sent: the whole envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.messages import IDENTITY_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instrument.plan.model import PlannedField, PlannedMessage

    Annotate = Callable[[PlannedField], dict[str, Any]]

_IDENTITY = frozenset(IDENTITY_KEYS.values())
_INTEGER = r"^-?[0-9]+$"


def envelope_schema(message: PlannedMessage, annotate: Annotate = lambda _: {}) -> dict[str, Any]:
    """Return the schema of the envelopes of a message; what every envelope has besides is not in it.

    Args:
        message: the message.
        annotate: gives what is put into the schema of a field besides what is checked.
    """
    constants = {"type": message.kind, message.name_key: message.name, "category": message.category}
    properties: dict[str, Any] = {
        key: {"const": value} for key, value in constants.items() if key is not None and value is not None
    }
    required = list(properties)
    for each in message.ids:
        properties[each.key] = {**id_schema(each), **annotate(each)}
    required += [each.key for each in message.ids if each.required]
    if message.payload is not None:
        properties[message.payload] = payload_schema(message.properties, annotate)
        required.append(message.payload)
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if not any(each.key in _IDENTITY and each.required for each in message.ids):
        schema["anyOf"] = [
            {"properties": {each.key: {"type": "string"}}, "required": [each.key]}
            for each in message.ids
            if each.key in _IDENTITY
        ]
    if message.definitions:
        schema["$defs"] = message.definitions
    return schema


def payload_schema(fields: Iterable[PlannedField], annotate: Annotate = lambda _: {}) -> dict[str, Any]:
    """Return the schema of a message's properties or traits."""
    fields = list(fields)
    return {
        "type": "object",
        "properties": {each.key: {**each.schema_, **annotate(each)} for each in fields},
        "required": [each.key for each in fields if each.required],
        "additionalProperties": False,
    }


def id_schema(field: PlannedField) -> dict[str, Any]:
    """Return the schema of an id as it is sent, which is text: a number is written out.

    An optional one may be null, as other libraries write it.
    """
    schemas: list[dict[str, Any]] = field.schema_.get("anyOf", [field.schema_])
    kinds = [each for each in schemas if each.get("type") != "null"]
    types = {each.get("type") for each in kinds}
    if types == {"integer"}:
        schema: dict[str, Any] = {"type": "string", "pattern": _INTEGER}
    else:
        schema = kinds[0] if types == {"string"} and len(kinds) == 1 else {"type": "string"}
    return schema if field.required else {"anyOf": [schema, {"type": "null"}]}
