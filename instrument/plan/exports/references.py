"""References between the schemas of a plan, for where there are no definitions, or others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from instrument.plan.jsons import is_list, is_object
from instrument.plan.schemas import REF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Schema = dict[str, Any]


def pointer(*names: str) -> str:
    """Return a reference to what stands below these names. RFC 6901, section 6.

    >>> pointer("$defs", "a/b c")
    '#/$defs/a~1b%20c'
    """
    return "#" + "".join(f"/{quote(name.replace('~', '~0').replace('/', '~1'), safe='$~')}" for name in names)


def moved(schema: Schema, below: str) -> Schema:
    """Return a schema whose references lead to definitions that stand below another place of the document."""
    return cast("Schema", _changed(schema, lambda name: {"$ref": f"{below}/$defs/{name}"}))


def inlined(schema: Schema, definitions: Mapping[str, Schema], *, endless: Schema | None = None) -> Schema:
    """Return a schema without references.

    Args:
        schema: the schema.
        definitions: what it refers to.
        endless: what stands where a definition refers to itself; by default what anything fits.
    """

    def replaced(name: str, within: tuple[str, ...]) -> Schema:
        if name in within or name not in definitions:
            return endless or {}
        return cast("Schema", _changed(definitions[name], lambda inner: replaced(inner, (*within, name))))

    return cast("Schema", _changed(schema, lambda name: replaced(name, ())))


def needed(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the definitions that a schema refers to, also by way of others."""
    found: dict[str, Schema] = {}

    def keep(name: str) -> Schema:
        if name in definitions and name not in found:
            found[name] = definitions[name]
            _changed(definitions[name], keep)
        return {}

    _changed(schema, keep)
    return dict(sorted(found.items()))


def _changed(part: Any, resolve: Callable[[str], Schema]) -> Any:
    if is_list(part):
        return [_changed(each, resolve) for each in part]
    if not is_object(part):
        return part
    name = _referred(part)
    rest = {key: _changed(value, resolve) for key, value in part.items() if name is None or key != "$ref"}
    return rest if name is None else {**resolve(name), **rest}


def _referred(schema: Schema) -> str | None:
    """Return what a schema refers to; a property may have the name of a reference, but its schema is no text."""
    reference = schema.get("$ref")
    return reference.removeprefix(REF) if isinstance(reference, str) and reference.startswith(REF) else None
