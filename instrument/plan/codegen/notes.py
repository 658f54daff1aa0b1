"""What our exports say of classes besides their schemas: keys that begin with `x-instrument-`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.plan.codegen.documents import validated
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.jsons import is_list, is_object, is_texts
from instrument.plan.model import PlannedField, PlannedScope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX = "x-instrument-"
SCOPES = f"{_PREFIX}scope-classes"


def note(schema: Any, name: str) -> Any:
    """Return a note of a schema, `None` where it has none of this name."""
    return schema.get(f"{_PREFIX}{name}") if is_object(schema) else None


def text_note(schema: Any, name: str) -> str | None:
    """Return a note that is a text, `None` where it has none of this name."""
    found = note(schema, name)
    return found if isinstance(found, str) else None


def noted_names(schema: Any, name: str, where: str) -> tuple[str, ...]:
    """Return a note that is a list of names, empty where there is none.

    Raises:
        PlanFileError: it is something else.
    """
    names: Any = note(schema, name) or []
    if not is_texts(names):
        raise PlanFileError(f"{where}.{_PREFIX}{name}", "it is no list of names")
    return tuple(names)


def deprecation(schema: Mapping[str, Any]) -> str | bool:
    """Return whether what a schema describes is deprecated, and what is to be used instead."""
    return text_note(schema, "deprecated") or schema.get("deprecated") is True


def noted_field(key: str, schema: Any, where: str, *, required: bool) -> PlannedField:
    """Return what a schema says of a field, with its notes.

    Args:
        key: as it is sent.
        schema: what JSON says.
        where: the place in the file, for errors.
        required: whether it has to be there.

    Raises:
        PlanFileError: a note has another shape.
    """
    if isinstance(schema, bool):
        return PlannedField(key=key, name="", type="", schema={} if schema else {"not": {}}, required=required)
    if not is_object(schema):
        raise PlanFileError(where, "an object is expected here")
    facts = {
        "key": key,
        "name": text_note(schema, "name") or "",
        "type": "",
        "schema": _without_notes(schema) if note(schema, "schema") is None else note(schema, "schema"),
        "required": required,
        "description": schema.get("description", ""),
        "deprecated": deprecation(schema),
        "pii": note(schema, "pii") or (),
        "scope": note(schema, "scope"),
        "computed": note(schema, "computed") or False,
    }
    return validated(PlannedField, facts, where)


def noted_ids(value: Any, where: str) -> Iterator[PlannedField]:
    """Give the ids of a message, which a rule has by their keys.

    Raises:
        PlanFileError: the note has another shape.
    """
    for key, each in _object(value or {}, where).items():
        yield _fact(key, each, f"{where}.{key}")


def noted_scopes(document: Any, where: str) -> Iterator[PlannedScope]:
    """Give the scopes of a document.

    Raises:
        PlanFileError: the note has another shape.
    """
    listed: Any = document.get(SCOPES, []) if is_object(document) else []
    if not is_list(listed):
        raise PlanFileError(f"{where}: {SCOPES}", "it is no list of scopes")
    for index, each in enumerate(listed):
        place = f"{where}: {SCOPES}[{index}]"
        scope = _object(each, place)
        name = scope.get("name")
        facts = {
            "name": name,
            "class_name": text_note(scope, "class") or name,
            "module": text_note(scope, "module") or "",
            "doc": text_note(scope, "doc") or "",
            "bases": note(scope, "bases") or (),
            "fields": list(_scope_fields(scope.get("fields") or [], f"{place}.fields")),
            "definitions": scope.get("$defs", {}),
            "declared": {"file": ""},
        }
        yield validated(PlannedScope, facts, place)


def _scope_fields(fields: Any, where: str) -> Iterator[PlannedField]:
    if not is_list(fields):
        raise PlanFileError(where, "it is no list of fields")
    for index, each in enumerate(fields):
        place = f"{where}[{index}]"
        key = _object(each, place).get("key")
        if not isinstance(key, str):
            raise PlanFileError(place, "the field has no key")
        yield _fact(key, each, place)


def _fact(key: str, facts: Any, where: str) -> PlannedField:
    """Return a field that does not stand among the properties of a schema, and so has its schema as a part.

    Args:
        key: as it is sent.
        facts: what JSON says of it, with its schema under `schema`.
        where: the place in the file, for errors.
    """
    noted = {**_object(facts, where), f"{_PREFIX}schema": facts.get("schema", {})}
    return noted_field(key, noted, where, required=facts.get("required") is not False)


def _without_notes(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if not key.startswith(_PREFIX)}


def _object(value: Any, where: str) -> dict[str, Any]:
    if not is_object(value):
        raise PlanFileError(where, "an object is expected here")
    return value
