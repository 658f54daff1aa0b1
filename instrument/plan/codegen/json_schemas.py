"""JSON Schemas: a directory with one for each event, or our export with all messages in one document."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from instrument.messages import KINDS
from instrument.plan.codegen.documents import read_json
from instrument.plan.codegen.drafts import ID_KEYS
from instrument.plan.codegen.notes import deprecation, noted_field, noted_names, noted_scopes, text_note
from instrument.plan.codegen.planned import draft_message, draft_of, draft_scope
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.codegen.reduction import description_of, members_of
from instrument.plan.codegen.references import Document
from instrument.plan.jsons import is_list, is_object
from instrument.plan.model import CodePlace, PlannedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from instrument.plan.codegen.drafts import Draft, DraftMessage
    from instrument.plan.model import PlannedField, PlannedScope

_PLAN = "plan"


def is_whole_plan(value: Any) -> bool:
    """Whether a document is a JSON Schema that our export made of a whole plan."""
    return text_note(value, _PLAN) is not None and is_object(value.get("$defs")) and is_list(value.get("anyOf"))


def read_whole_plan(value: Any, where: str, source: str) -> Draft:
    """Draft the classes of a schema that has each message among its definitions.

    Args:
        value: the document.
        where: the file, for errors.
        source: what the plan is called in the modules that are made.

    Raises:
        PlanFileError: the document has another shape.
    """
    definitions: dict[str, Any] = value["$defs"]
    messages = [
        _message(each, Document(value, where), f"{where}: $defs.{name}", name) for name, each in definitions.items()
    ]
    return draft_of(source, messages, [draft_scope(each, where) for each in noted_scopes(value, where)], where)


def read_directory(directory: Path) -> Draft:
    """Draft the classes of a directory with a JSON Schema for each event.

    Raises:
        PlanFileError: there is none, or one has another shape.
    """
    files = sorted(each for each in directory.iterdir() if each.suffix == ".json")
    if not files:
        raise PlanFileError(str(directory), "there is no file *.json in it")
    messages: list[DraftMessage] = []
    scopes: dict[str, PlannedScope] = {}
    for path in files:
        value, where = read_json(path), str(path)
        messages.append(_message(value, Document(value, where), where, path.stem))
        scopes.update((each.name, each) for each in noted_scopes(value, where))
    drafts = [draft_scope(each, str(directory)) for each in scopes.values()]
    return draft_of(directory.resolve().name, messages, drafts, str(directory))


def _message(schema: Any, document: Document, where: str, otherwise: str) -> DraftMessage:
    """Draft the class of a schema, be it of the whole envelope or of the properties alone.

    Args:
        schema: what JSON says.
        document: what its references are resolved in.
        where: the place in the file, for errors.
        otherwise: the event's name, where the schema says none.

    Raises:
        PlanFileError: it is no schema of a message.
    """
    if not is_object(schema):
        raise PlanFileError(where, "an object is expected here")
    parts: Any = schema.get("properties", {})
    envelope: Mapping[str, Any] = parts if is_object(parts) and _is_envelope(parts) else {}
    call = _constant(envelope, "type") or "track"
    if call not in KINDS:
        raise PlanFileError(f"{where}: properties.type", "it is no call of the Segment spec")
    payload = next((each for each in ("properties", "traits") if each in envelope), None)
    if envelope:
        inner, place = envelope.get(payload or "", {}), f"{where}: properties.{payload}"
    else:
        inner, place = schema, where
    planned = PlannedMessage(
        kind=call,
        name=_name(schema, envelope, call, otherwise),
        class_name=text_note(schema, "class") or "",
        module=text_note(schema, "module") or "",
        doc=description_of(schema),
        owner=text_note(schema, "owner"),
        deprecated=deprecation(schema),
        category=_constant(envelope, "category"),
        scopes=noted_names(schema, "scopes", where),
        ids=tuple(_ids(schema, envelope, where)),
        properties=tuple(_fields(inner, document, place)),
        declared=CodePlace(file=""),
    )
    return replace(draft_message(planned, where), root=document.root)


def _is_envelope(parts: dict[str, Any]) -> bool:
    return any(is_object(parts.get(each)) for each in ("properties", "traits")) or _constant(parts, "type") == "alias"


def _constant(parts: Mapping[str, Any], key: str) -> str | None:
    found: Any = parts.get(key)
    value = found.get("const") if is_object(found) else None
    return value if isinstance(value, str) else None


def _name(schema: dict[str, Any], envelope: Mapping[str, Any], call: str, otherwise: str) -> str | None:
    key = {"track": "event", "page": "name", "screen": "name"}.get(call)
    if key is None:
        return None
    title: Any = schema.get("title")
    return _constant(envelope, key) or (title if isinstance(title, str) and title else otherwise)


def _ids(schema: dict[str, Any], envelope: Mapping[str, Any], where: str) -> Iterator[PlannedField]:
    required: Any = schema.get("required", [])
    for key in ID_KEYS:
        if key in envelope and text_note(envelope[key], "name") is not None:
            yield noted_field(key, envelope[key], f"{where}: properties.{key}", required=key in required)


def _fields(schema: Any, document: Document, where: str) -> Iterator[PlannedField]:
    for key, each, required in members_of(schema, document, where):
        yield noted_field(key, each, f"{where}.properties[{key!a}]", required=required)
