"""CSV for spreadsheets: a row for each property, trait and id, and for each field of a scope.

A cell that a spreadsheet would take for a formula has an apostrophe before it, which `unguarded` takes off again.
https://owasp.org/www-community/attacks/CSV_Injection, RFC 4180
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from instrument.plan.exports.references import needed
from instrument.plan.exports.schema_texts import type_text
from instrument.plan.exports.texts import plain
from instrument.plan.jsons import is_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instrument.plan.model import Plan, PlannedField, PlannedMessage, PlannedScope

COLUMNS = (
    *("type", "name", "class", "module", "category", "owner", "deprecated", "scopes", "description"),
    *("part", "key", "field", "json_type", "python_type", "required", "computed", "scope", "field_description"),
    *("field_deprecated", "personal_data", "schema", "declared", "emitted"),
)
_FORMULA = re.compile(r"'*[=+\-@|%\t\r\n\uff1d\uff0b\uff0d\uff20]")
BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for something else."""


def document(plan: Plan) -> str:
    """Return the plan as CSV, in UTF-8 with a byte order mark."""
    rows = [row for message in plan.without_lines().messages for row in _message_rows(message)]
    rows += [row for scope in plan.without_lines().scopes for row in _scope_rows(scope)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guarded(_cell(value)) for name, value in row.items()} for row in rows)
    return BYTE_ORDER_MARK + text.getvalue()


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> guarded("=1+1"), guarded("1+1"), guarded("'=1+1")
    ("'=1+1", '1+1', "''=1+1")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Return the text that `guarded` was given.

    >>> unguarded(guarded("'=1+1")), unguarded("'tis")
    ("'=1+1", "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _message_rows(message: PlannedMessage) -> Iterator[Mapping[str, Any]]:
    head = {
        "type": message.kind,
        "name": message.name,
        "class": message.class_name,
        "module": message.module,
        "category": message.category,
        "owner": message.owner,
        "deprecated": message.deprecated,
        "scopes": list(message.scopes),
        "description": message.doc,
        "declared": message.declared.file,
        "emitted": [f"{each.handler} ({each.moment})" for each in message.emissions],
    }
    part = "trait" if message.payload == "traits" else "property"
    for each in message.ids:
        yield {**head, "part": "id", **_field_cells(each, message.definitions)}
    for each in message.properties:
        yield {**head, "part": part, **_field_cells(each, message.definitions)}


def _scope_rows(scope: PlannedScope) -> Iterator[Mapping[str, Any]]:
    head = {
        "type": "scope",
        "name": scope.name,
        "class": scope.class_name,
        "module": scope.module,
        "scopes": list(scope.bases),
        "description": scope.doc,
        "declared": scope.declared.file,
    }
    if not scope.fields:
        yield head
    for each in scope.fields:
        yield {**head, "part": "field", **_field_cells(each, scope.definitions)}


def _field_cells(field: PlannedField, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    own = needed(field.schema_, definitions)
    return {
        "key": field.key,
        "field": field.name,
        "json_type": type_text(field.schema_),
        "python_type": field.type,
        "required": "yes" if field.required else "no",
        "computed": field.computed,
        "scope": field.scope,
        "field_description": field.description,
        "field_deprecated": field.deprecated,
        "personal_data": [f"{'.'.join((*each.path, ''))}{each.category} ({each.policy})" for each in field.pii],
        "schema": json.dumps({**field.schema_, **({"$defs": own} if own else {})}, ensure_ascii=False),
    }


def _cell(value: object) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    return plain("; ".join(value) if is_list(value) else str(value))
