"""What changed between two JSON Schemas of one property, and whether it breaks who sends it or who reads it.

Only what narrows, or what makes another type of it, breaks: a value that was fine is refused, or one of a new kind
arrives. Of a keyword that is unknown here, any change does, since nothing can be said of it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from instrument.plan.schemas import REF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Schema = Mapping[str, Any]

_MOST_SHOWN = 60

# What says nothing of which values fit.
_ANNOTATIONS: Final = frozenset(
    {"$defs", "$ref", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
# What is compared part by part.
_STRUCTURE: Final = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "maximum",
        "minimum",
        "oneOf",
        "prefixItems",
        "properties",
        "required",
        "type",
    }
)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference.

    Attributes:
        path: where in the property, such as `.street` or `[]`; empty for the property itself.
        breaking: whether a value that was fine may be no longer, or a reader meets one of a new kind.
        is_type: whether it is the type that changed, or what may be in it.
        text: the difference, for people.
    """

    path: str
    breaking: bool
    is_type: bool
    text: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """What the references of the two schemas lead to.

    Attributes:
        old: the definitions before, by name.
        new: those after.
    """

    old: Mapping[str, Any]
    new: Mapping[str, Any]


def schema_changes(old: Schema, new: Schema, definitions: Definitions) -> list[SchemaChange]:
    """Compare two schemas.

    Args:
        old: the schema before.
        new: the schema after.
        definitions: what their references, `#/$defs/…`, lead to.

    >>> [each.text for each in schema_changes({"type": "string"}, {"type": "integer"}, Definitions({}, {}))]
    ['the type changed from string to integer']
    >>> [each.text for each in schema_changes({"minLength": 0}, {"minLength": 1}, Definitions({}, {}))]
    ['minLength changed from 0 to 1']
    """
    return list(_Comparison(definitions).compare(old, new, ""))


def value_type(schema: Schema, definitions: Mapping[str, Any]) -> str:
    """Return what the values of a schema are, but for null and for constraints.

    >>> value_type({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, {})
    'array of integer'
    """
    return _either(set(_value_types(schema, definitions)))


def _value_types(schema: Schema, definitions: Mapping[str, Any]) -> Iterator[str]:
    for each in _Shape.of(schema, definitions).alternatives:
        items = each.get("items")
        named = each.get("title") if each.get("type") == "object" else None
        if isinstance(items, dict) and _canonical(items) != _canonical(schema):
            yield f"{_type(each)} of {value_type(cast('Schema', items), definitions)}"
        else:
            yield _type(each) + (f" {named}" if named else "")


def has_any(schema: Schema, definitions: Mapping[str, Any]) -> bool:
    """Whether some part of what a schema describes may be anything.

    >>> has_any({"type": "array", "items": {}}, {}), has_any({"type": "array", "items": {"type": "integer"}}, {})
    (True, False)
    """
    return _has_any(schema, definitions, frozenset())


def _has_any(schema: Schema, definitions: Mapping[str, Any], around: frozenset[str]) -> bool:
    known = _canonical(schema)
    if known in around:
        return False
    return any(
        _type(each) == "anything"
        or any(_has_any(part, definitions, around | {known}) for part in _parts(each))
        or (each.get("type") == "object" and each.get("additionalProperties") is True)
        for each in _Shape.of(schema, definitions).alternatives
    )


def _parts(schema: Schema) -> Iterator[Schema]:
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword]
    yield from schema.get("prefixItems", ())
    yield from schema.get("properties", {}).values()


@dataclass(frozen=True, slots=True)
class _Shape:
    """A schema without references: what its values may be, and whether null is among them."""

    alternatives: tuple[Schema, ...]
    nullable: bool

    @classmethod
    def of(cls, schema: Schema, definitions: Mapping[str, Any]) -> _Shape:
        found = tuple(_alternatives(schema, definitions, frozenset()))
        values = tuple(each for each in found if each.get("type") != "null")
        return cls(values, nullable=len(values) < len(found))

    def by_type(self) -> dict[str, Schema]:
        """Name the alternatives by their types, those of one type by what they are too."""
        names = [_type(each) for each in self.alternatives]
        often = Counter(names)
        return {
            name if often[name] == 1 else f"{name} {each.get('title') or _shown(each)}": each
            for name, each in zip(names, self.alternatives, strict=True)
        }


class _Comparison:
    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._around: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
        pair = (_canonical(old), _canonical(new))
        if pair in self._around:  # a model that holds itself
            return
        self._around.add(pair)
        before, after = _Shape.of(old, self._definitions.old), _Shape.of(new, self._definitions.new)
        if before.nullable and not after.nullable:
            yield _type_change(path, "it may no longer be null", breaking=True)
        if after.nullable and not before.nullable:
            yield _type_change(path, "it may be null", breaking=False)
        if len(before.alternatives) == len(after.alternatives) == 1:
            yield from self._compare_one(before.alternatives[0], after.alternatives[0], path)
        else:
            yield from self._compare_several(before.by_type(), after.by_type(), path)
        self._around.remove(pair)

    def _compare_several(self, old: dict[str, Schema], new: dict[str, Schema], path: str) -> Iterator[SchemaChange]:
        if old.keys() != new.keys():
            yield _type_change(path, f"the type changed from {_either(old)} to {_either(new)}", breaking=True)
        for name, before in old.items():
            if name in new:
                yield from self._compare_one(before, new[name], path)

    def _compare_one(self, old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
        if _type(old) != _type(new):
            yield _type_change(path, f"the type changed from {_type(old)} to {_type(new)}", breaking=True)
            return
        yield from _choice_changes(old, new, path)
        yield from _bound_changes(old, new, path)
        for keyword in sorted((old.keys() | new.keys()) - _STRUCTURE - _ANNOTATIONS):
            if old.get(keyword) != new.get(keyword):
                yield _keyword_change(keyword, old.get(keyword), new.get(keyword), path)
        yield from self._property_changes(old, new, path)
        yield from self._part_changes("items", old, new, f"{path}[]")
        yield from self._part_changes("additionalProperties", old, new, f"{path}.*")
        yield from self._positions(old, new, path)

    def _property_changes(self, old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
        before: Schema = old.get("properties", {})
        after: Schema = new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}"
            if name not in after:
                yield _type_change(inner, "it was removed", breaking=True)
            elif name not in before:
                needed = name in needed_after
                yield _type_change(inner, f"it was added, {'required' if needed else 'optional'}", breaking=needed)
            else:
                if name in needed_after - needed_before:
                    yield _type_change(inner, "it is required now", breaking=True)
                if name in needed_before - needed_after:
                    yield _type_change(inner, "it is optional now", breaking=False)
                yield from self.compare(before[name], after[name], inner)

    def _part_changes(self, keyword: str, old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
        before, after = (_as_schema(each.get(keyword, True)) for each in (old, new))
        if before is None or after is None:
            if before is not after:
                what = "nothing else may be in it" if after is None else "something else may be in it"
                yield _type_change(path, what, breaking=after is None)
            return
        yield from self.compare(before, after, path)

    def _positions(self, old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
        before: list[Schema] = old.get("prefixItems", [])
        after: list[Schema] = new.get("prefixItems", [])
        if len(before) != len(after):
            text = f"it has {len(after)} positions instead of {len(before)}"
            yield _type_change(path, text, breaking=True)
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from self.compare(one, other, f"{path}[{number}]")


def _alternatives(schema: Schema, definitions: Mapping[str, Any], around: frozenset[str]) -> Iterator[Schema]:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in around:
        target: Schema = definitions.get(reference.removeprefix(REF), {})
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        yield from _alternatives({**target, **beside}, definitions, around | {reference})
        return
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            beside = {key: value for key, value in schema.items() if key not in (keyword, "discriminator")}
            for each in schema[keyword]:
                yield from _alternatives({**beside, **each}, definitions, around)
            return
    if "allOf" in schema and len(schema["allOf"]) == 1:
        beside = {key: value for key, value in schema.items() if key != "allOf"}
        yield from _alternatives({**beside, **schema["allOf"][0]}, definitions, around)
        return
    types: object = schema.get("type")
    if isinstance(types, list):
        for each in cast("list[str]", types):
            yield {**schema, "type": each}
        return
    yield schema


def _type(schema: Schema) -> str:
    """Return what a schema without alternatives calls its values, in one word or two."""
    named = schema.get("type")
    if named is None:
        choices = _choices(schema)
        return "anything" if choices is None else "one of some values"
    return f"{named} ({schema['format']})" if "format" in schema else str(named)


def _either(alternatives: Iterable[str]) -> str:
    return " or ".join(sorted(alternatives)) or "null"


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _choice_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    before, after = _choices(old), _choices(new)
    if before is None and after is not None:
        yield _constraint_change(path, f"it takes only {_listed(after)}", breaking=True)
    elif before is not None and after is None:
        yield _constraint_change(path, "it takes any value of its type", breaking=False)
    elif before is not None and after is not None:
        gone, more = _without(before, after), _without(after, before)
        if gone:
            yield _constraint_change(path, f"it no longer takes {_listed(gone)}", breaking=True)
        if more:
            yield _constraint_change(path, f"it takes {_listed(more)} too", breaking=False)


def _bound_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    """Compare the least and the greatest number, of which each may itself be excluded.

    Args:
        old: the schema before.
        new: the schema after.
        path: that of the value in its message, as `address.street`.
    """
    for what, bound in (("the least value", _least), ("the greatest value", _greatest)):
        before, after = bound(old), bound(new)
        if before is None and after is not None:
            yield _constraint_change(path, f"{what} is {after}", breaking=True)
        elif before is not None and after is None:
            yield _constraint_change(path, f"{what} is no longer {before}", breaking=False)
        elif before is not None and after is not None and before != after:
            text = f"{what} changed from {before} to {after}"
            yield _constraint_change(path, text, breaking=after.strictness > before.strictness)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A bound of numbers: the greater its strictness, the fewer numbers fit."""

    strictness: tuple[float, bool]
    text: str

    def __str__(self) -> str:
        return self.text


def _least(schema: Schema) -> _Bound | None:
    step = 1 if schema.get("type") == "integer" else 0
    return _strictest(
        _bound(schema.get("minimum"), 1, "{}"),
        # Above 0 and from 1 on are the same integers.
        _bound(schema.get("exclusiveMinimum"), 1, "above {}", step),
    )


def _greatest(schema: Schema) -> _Bound | None:
    step = -1 if schema.get("type") == "integer" else 0
    return _strictest(
        _bound(schema.get("maximum"), -1, "{}"), _bound(schema.get("exclusiveMaximum"), -1, "below {}", step)
    )


def _bound(value: Any, sign: int, text: str, step: int = 0) -> _Bound | None:
    if not _is_number(value):
        return None
    if step:
        return _Bound((sign * (value + step), False), str(value + step))
    return _Bound((sign * value, text != "{}"), text.format(value))


def _strictest(*bounds: _Bound | None) -> _Bound | None:
    return max((each for each in bounds if each is not None), key=lambda each: each.strictness, default=None)


def _keyword_change(keyword: str, old: Any, new: Any, path: str) -> SchemaChange:
    if old is None:
        text = f"{keyword} {_shown(new)} was added"
    elif new is None:
        text = f"{keyword} {_shown(old)} was removed"
    else:
        text = f"{keyword} changed from {_shown(old)} to {_shown(new)}"
    return _constraint_change(path, text, breaking=_narrows(keyword, old, new))


def _narrows(keyword: str, old: Any, new: Any) -> bool:
    if new is None or new is False:
        return False
    if old is None or not (_is_number(old) and _is_number(new)):
        return True
    if keyword == "multipleOf":
        return bool(new and old % new)
    return bool(new > old if keyword.startswith("min") else new < old)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _constraint_change(path: str, text: str, *, breaking: bool) -> SchemaChange:
    return SchemaChange(path, breaking=breaking, is_type=False, text=text)


def _type_change(path: str, text: str, *, breaking: bool) -> SchemaChange:
    return SchemaChange(path, breaking=breaking, is_type=True, text=text)


def _as_schema(value: bool | Schema) -> Schema | None:  # noqa: FBT001 - JSON Schema has it so
    """Return what `true`, `false` or a schema asks of a value; `None` where none fits."""
    if isinstance(value, bool):
        return {} if value else None
    return value


def _without(values: list[Any], others: list[Any]) -> list[Any]:
    known = set(map(_canonical, others))
    return [each for each in values if _canonical(each) not in known]


def _listed(values: list[Any]) -> str:
    return _cut(", ".join(map(_canonical, values)))


def _shown(value: Any) -> str:
    return _cut(_canonical(value))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
