"""JSON Schema, draft 2020-12: of the whole plan, or one document a message.

What JSON Schema has no word for stands in keys that begin with `x-instrument-`, so that the same classes can be made
of it again. https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.plan.envelope_schema import envelope_schema
from instrument.plan.exports.naming import class_names, slugs
from instrument.plan.exports.references import moved, pointer
from instrument.plan.jsons import written
from instrument.plan.schemas import DIALECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from instrument.plan.model import Deprecation, Plan, PlannedField, PlannedMessage, PlannedScope


def document(plan: Plan) -> str:
    """Return one schema, which any envelope of the plan fits; each message is a definition."""
    names = class_names(plan.messages)
    return _text(
        {
            **_head(plan),
            "anyOf": [{"$ref": pointer("$defs", names[each.identity])} for each in plan.messages],
            "$defs": {
                names[each.identity]: moved(message_schema(each), pointer("$defs", names[each.identity]))
                for each in plan.messages
            },
        }
    )


def documents(plan: Plan) -> Mapping[str, str]:
    """Return a schema for each message, by the names of their files."""
    names = slugs(plan.messages)
    return {
        f"{names[each.identity]}.json": _text({**_head(plan, plan.scopes_of(each)), **message_schema(each)})
        for each in plan.messages
    }


def message_schema(message: PlannedMessage) -> dict[str, Any]:
    """Return the schema of a message's envelopes, with what else is known of it."""
    return {
        **message_notes(message),
        **envelope_schema(message, lambda field: field_notes(field, is_id=field in message.ids)),
    }


def message_notes(message: PlannedMessage) -> dict[str, Any]:
    """Return what is known of a message besides the schema of its envelopes."""
    notes = {
        "class": message.class_name,
        "module": message.module,
        "owner": message.owner,
        "category": message.category,
        "scopes": list(message.scopes),
    }
    return {**_described(message.title, message.doc, message.deprecated), **known(notes)}


def field_notes(field: PlannedField, *, is_id: bool = False) -> dict[str, Any]:
    """Return what is known of a field besides its schema."""
    notes = {
        "name": field.name,
        "type": field.type,
        "scope": field.scope,
        "computed": field.computed or None,
        "pii": [each.model_dump(mode="json", exclude_defaults=True) for each in field.pii],
        # An id is sent as text, whatever it is.
        "schema": field.schema_ if is_id else None,
    }
    return {**_described(None, field.description, field.deprecated), **known(notes)}


def field_facts(field: PlannedField) -> dict[str, Any]:
    """Return all that is known of a field where it does not stand among the properties of a schema."""
    return {"required": field.required, "schema": field.schema_, **field_notes(field)}


def scope_notes(scopes: Iterable[PlannedScope]) -> list[dict[str, Any]]:
    """Return what is known of scopes."""
    return [
        {
            "name": each.name,
            **known({"class": each.class_name, "module": each.module, "doc": each.doc, "bases": list(each.bases)}),
            "fields": [{"key": field.key, **field_facts(field)} for field in each.fields],
            **({"$defs": each.definitions} if each.definitions else {}),
        }
        for each in scopes
    ]


def _head(plan: Plan, scopes: Iterable[str] | None = None) -> dict[str, Any]:
    wanted = {each.name for each in plan.scopes} if scopes is None else set(scopes)
    return {
        "$schema": DIALECT,
        "title": plan.name,
        "x-instrument-plan": plan.name,
        "x-instrument-scope-classes": scope_notes(each for each in plan.scopes if each.name in wanted),
    }


def _described(title: str | None, text: str, deprecated: Deprecation) -> dict[str, Any]:
    described: dict[str, Any] = {} if title is None else {"title": title}
    if text:
        described["description"] = text
    if deprecated:
        described["deprecated"] = True
    if isinstance(deprecated, str) and deprecated:
        described["x-instrument-deprecated"] = deprecated
    return described


def known(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return notes under their keys, those that say nothing left out."""
    return {f"x-instrument-{name}": value for name, value in notes.items() if value not in (None, [], "")}


def _text(schema: dict[str, Any]) -> str:
    return written(schema)
