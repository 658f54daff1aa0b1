"""Plans in a spreadsheet: CSV with a row for each property, of our own export or of anybody's.

A table of somebody else's needs a column for the event and one for the property; the rest is read where it is there.
RFC 4180
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instrument.plan.codegen.documents import read_text, validated
from instrument.plan.codegen.drafts import DraftField, DraftMessage
from instrument.plan.codegen.planned import draft_message, draft_of, draft_scope
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.exports.spreadsheet import unguarded
from instrument.plan.jsons import is_object
from instrument.plan.model import PlannedField, PlannedMessage, PlannedScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from instrument.plan.codegen.drafts import Draft

# By what is read, the names that a column may have, in lower case and with spaces.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "event": ("event", "event name", "name"),
    "property": ("property", "property name", "key", "field"),
    "description": ("event description", "description"),
    "type": ("property type", "data type", "type"),
    "required": ("required", "property required", "is required", "status"),
    "meaning": ("property description", "field description", "property notes"),
    "values": ("values", "permitted values", "allowed values", "enum", "property values"),
}
_TYPES: Mapping[str, dict[str, Any]] = {
    **{name: {"type": "string"} for name in ("string", "text", "str", "varchar")},
    **{name: {"type": "integer"} for name in ("integer", "int", "long")},
    **{name: {"type": "number"} for name in ("number", "float", "double", "decimal")},
    **{name: {"type": "boolean"} for name in ("boolean", "bool")},
    **{name: {"type": "object"} for name in ("object", "dict", "map")},
    **{name: {"type": "array"} for name in ("array", "list")},
    **{name: {"type": "string", "format": "date-time"} for name in ("datetime", "date-time", "timestamp")},
    "date": {"type": "string", "format": "date"},
    **{name: {} for name in ("any", "", "mixed")},
}
_YES = frozenset({"yes", "y", "true", "1", "x", "required"})
_NO = frozenset({"", "no", "n", "false", "0", "optional"})
_PERSONAL = re.compile(r"(?P<path>(?:[^. ]+\.)*)(?P<category>[^. ]+) \((?P<policy>\w+)\)")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, by the names of the columns in lower case, and its place."""

    cells: Mapping[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_table(path: Path) -> Draft:
    """Draft the classes of a plan in CSV.

    Raises:
        PlanFileError: it cannot be read, or has no columns for events and properties.
    """
    rows, columns = _rows(path)
    if {"part", "json_type", "schema"} <= columns:
        return _of_our_own(rows, str(path), path.name)
    return draft_of(path.name, list(_messages(rows, columns, str(path))), [], str(path))


def _rows(path: Path) -> tuple[list[_Row], frozenset[str]]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise PlanFileError(f"{path}:{reader.line_num}", f"it is no CSV: {error}") from None
    if not lines:
        raise PlanFileError(str(path), "it is empty")
    header = [_plain(each) for each in lines[0][1]]
    rows = [
        _Row(dict(zip(header, map(unguarded, cells), strict=False)), f"{path}:{number}")
        for number, cells in lines[1:]
        if any(cells)
    ]
    return rows, frozenset(header)


def _plain(heading: str) -> str:
    return heading.strip().lower()


def _messages(rows: Iterable[_Row], columns: frozenset[str], where: str) -> Iterator[DraftMessage]:
    known = {
        what: next((each for each in names if each in {column.replace("_", " ") for column in columns}), None)
        for what, names in _COLUMNS.items()
    }
    for what in ("event", "property"):
        if known[what] is None:
            names = ", ".join(_COLUMNS[what])
            raise PlanFileError(f"{where}:1", f"there is no column for the {what}: one of {names}")
    events: dict[str, list[tuple[_Row, dict[str, str]]]] = {}
    name = ""
    for row in rows:
        spaced = {column.replace("_", " "): cell.strip() for column, cell in row.cells.items()}
        cells = {what: spaced.get(column or "", "") for what, column in known.items()}
        # A cell that is left empty means the event above.
        name = cells["event"] or name
        if not name:
            raise PlanFileError(row.where, "the row has no event")
        events.setdefault(name, []).append((row, cells))
    for event, found in events.items():
        yield DraftMessage(
            call="track",
            name=event,
            fields=tuple(_field(row, cells) for row, cells in found if cells["property"]),
            where=found[0][0].where,
            scopes=(),
            description=next((cells["description"] for _, cells in found if cells["description"]), ""),
        )


def _field(row: _Row, cells: Mapping[str, str]) -> DraftField:
    kind, required = cells["type"].lower(), cells["required"].lower()
    if kind not in _TYPES:
        raise PlanFileError(row.where, f"{cells['type']!a} is no type: write one of {', '.join(filter(None, _TYPES))}")
    if required not in _YES | _NO:
        raise PlanFileError(row.where, f"{cells['required']!a} does not say whether it is required: write yes or no")
    values = [each.strip() for each in re.split(r"[;,|\n]", cells["values"]) if each.strip()]
    schema = {"enum": values} if values and kind in {"string", "text", "str", ""} else _TYPES[kind]
    return DraftField(cells["property"], schema, required in _YES, description=cells["meaning"])


def _of_our_own(rows: Iterable[_Row], where: str, source: str) -> Draft:
    groups: dict[tuple[str, str, str, str], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row["type"], row["name"], row["module"], row["class"]), []).append(row)
    messages = [draft_message(_message(each), each[0].where) for key, each in groups.items() if key[0] != "scope"]
    scopes = [draft_scope(_scope(each), where) for key, each in groups.items() if key[0] == "scope"]
    return draft_of(source, messages, scopes, where)


def _message(rows: list[_Row]) -> PlannedMessage:
    head, fields = rows[0], [(each["part"], _planned_field(each)) for each in rows]
    facts = {
        "kind": head["type"],
        "name": head["name"] or None,
        "class_name": head["class"],
        "module": head["module"],
        "doc": head["description"],
        "owner": head["owner"] or None,
        "deprecated": _deprecation(head["deprecated"]),
        "category": head["category"] or None,
        "scopes": _names(head["scopes"]),
        "ids": [field for part, field in fields if part == "id"],
        "properties": [field for part, field in fields if part in {"property", "trait"}],
        "definitions": _definitions(field for _, field in fields),
        "declared": {"file": ""},
    }
    return validated(PlannedMessage, facts, head.where)


def _scope(rows: list[_Row]) -> PlannedScope:
    head, fields = rows[0], [_planned_field(each) for each in rows if each["key"]]
    facts = {
        "name": head["name"],
        "class_name": head["class"],
        "module": "",
        "doc": head["description"],
        "bases": _names(head["scopes"]),
        "fields": fields,
        "definitions": _definitions(fields),
        "declared": {"file": ""},
    }
    return validated(PlannedScope, facts, head.where)


def _definitions(fields: Iterable[PlannedField]) -> dict[str, Any]:
    """Return what the schemas of some fields refer to, which each cell has with it."""
    found: dict[str, Any] = {}
    for each in fields:
        own: Any = each.schema_.get("$defs", {})
        found.update(own if is_object(own) else {})
    return found


def _planned_field(row: _Row) -> PlannedField:
    try:
        schema: Any = json.loads(row["schema"] or "{}")
    except (json.JSONDecodeError, RecursionError):
        raise PlanFileError(row.where, "the schema is no JSON") from None
    facts = {
        "key": row["key"],
        "name": row["field"],
        "type": row["python_type"],
        "schema": schema,
        "required": row["required"] != "no",
        "description": row["field_description"],
        "deprecated": _deprecation(row["field_deprecated"]),
        "pii": [_personal(match) for match in _PERSONAL.finditer(row["personal_data"])],
        "scope": row["scope"] or None,
        "computed": row["computed"] == "yes",
    }
    return validated(PlannedField, facts, row.where)


def _personal(match: re.Match[str]) -> dict[str, Any]:
    path = [each for each in match["path"].split(".") if each]
    return {"category": match["category"], "policy": match["policy"], "path": path}


def _names(cell: str) -> list[str]:
    return [each for each in cell.split("; ") if each]


def _deprecation(cell: str) -> str | bool:
    return True if cell == "yes" else cell or False
