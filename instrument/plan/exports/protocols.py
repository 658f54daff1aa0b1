"""Segment Protocols: a tracking plan in the form of Segment's Public API.

`name` and `type` are the body of `POST /tracking-plans`, and `rules` that of `PUT /tracking-plans/{id}/rules`. A
rule's schema is of draft 7 and has no references. Protocols knows no alias, and one rule for each type and name.

https://docs.segmentapis.com/tag/Tracking-Plans, https://segment.com/docs/protocols/tracking-plan/create/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from instrument.plan.exports.json_schema import field_facts, field_notes, known, message_notes, scope_notes
from instrument.plan.exports.references import inlined
from instrument.plan.jsons import is_list, is_object, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from instrument.plan.model import Plan, PlannedField, PlannedMessage

_DIALECT = "http://json-schema.org/draft-07/schema#"
_KINDS = ("group", "identify", "page", "screen", "track")


def document(plan: Plan) -> str:
    """Return the tracking plan as JSON."""
    rules: dict[tuple[str, str | None], list[PlannedMessage]] = {}
    for each in plan.messages:
        if each.kind in _KINDS:
            rules.setdefault((each.kind, each.name), []).append(each)
    content = {
        "name": plan.name,
        "type": "LIVE",
        "rules": [_rule(messages) for messages in rules.values()],
        "x-instrument-scope-classes": scope_notes(plan.scopes),
    }
    return written(content)


def _rule(messages: Sequence[PlannedMessage]) -> dict[str, Any]:
    """Return the rule of the messages with one type and name: nearly always one, but pages may share a name."""
    first = messages[0]
    fields: dict[str, list[tuple[PlannedField, dict[str, Any]]]] = {}
    for each in messages:
        for field in each.properties:
            fields.setdefault(field.key, []).append((field, _schema(field, each)))
    required = [
        key for key, found in fields.items() if len(found) == len(messages) and all(f.required for f, _ in found)
    ]
    properties = {key: _merged(schema for _, schema in found) for key, found in fields.items()}
    payload = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {
        "type": first.kind.upper(),
        **({} if first.name is None else {"key": first.name}),
        "version": 1,
        "jsonSchema": {
            "$schema": _DIALECT,
            "type": "object",
            **message_notes(first),
            "properties": {"context": {"type": "object"}, first.payload or "properties": payload},
            "required": [first.payload or "properties"],
            **known({"ids": {each.key: field_facts(each) for each in first.ids}}),
        },
    }


def _schema(field: PlannedField, message: PlannedMessage) -> dict[str, Any]:
    return {**_as_draft_7(inlined(field.schema_, message.definitions)), **field_notes(field)}


def _merged(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    different = list({json.dumps(each, sort_keys=True): each for each in schemas}.values())
    return different[0] if len(different) == 1 else {"anyOf": different}


def _as_draft_7(part: Any) -> Any:
    """Return a schema with tuples as draft 7 has them: a list of `items`."""
    if is_list(part):
        return [_as_draft_7(each) for each in part]
    if not is_object(part):
        return part
    schema = {key: _as_draft_7(value) for key, value in part.items()}
    if is_list(schema.get("prefixItems")):
        rest = {"additionalItems": schema.pop("items")} if "items" in schema else {}
        return {**schema, "items": schema.pop("prefixItems"), **rest}
    return schema
