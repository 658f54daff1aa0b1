"""What is wrong with an envelope, out of the errors of JSON Schema, whose own texts show values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jsonschema import ValidationError as SchemaError

_MOST_SHOWN = 10
_PLAIN = re.compile(r"[\w$-]{1,100}")
_NAME = re.compile(r"[\w$-]+")
_JSON_TYPES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (list, "array"),
)
_WITH_STEP = ("properties", "prefixItems", "patternProperties", "anyOf", "oneOf", "allOf")
_OF_ITEMS = ("items", "prefixItems", "contains")
_OF_MAPPINGS = ("additionalProperties", "patternProperties")
_REASONS = {
    "const": "it should be {}",
    "minimum": "it should be at least {}",
    "maximum": "it should be at most {}",
    "exclusiveMinimum": "it should be more than {}",
    "exclusiveMaximum": "it should be less than {}",
    "multipleOf": "it should be a multiple of {}",
    "minLength": "it should have {} characters or more",
    "maxLength": "it should have {} characters or fewer",
    "pattern": "it should match the pattern {}",
    "format": "it should be a {}",
    "minItems": "it should have {} items or more",
    "maxItems": "it should have {} items or fewer",
    "uniqueItems": "it has an item twice",
}


class Wrong(str, Enum):
    """What is wrong with an envelope."""

    UNKNOWN = "unknown"
    """The plan has no such message."""
    MISSING = "missing"
    """Something required is not there."""
    EXTRA = "extra"
    """Something is there that the plan does not have."""
    INVALID = "invalid"
    """A value does not fit."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in which an envelope differs from the plan.

    Attributes:
        wrong: what kind of thing.
        path: where in the envelope, such as `properties.items[2].price`; `*` stands for the key of a mapping, which
            belongs to the data, and an empty path for the envelope itself.
        reason: what is expected. It never holds a value of the envelope.
    """

    wrong: Wrong
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error of JSON Schema; what it says of a value stays with it.

    Attributes:
        keyword: the keyword of the schema that failed.
        wanted: what the schema has for it.
        schema: the schema.
        value: the value that failed.
        path: where it is.
        branches: the failures of each branch, where the schema has several.
        at_top: whether it is of the value that the branches are for, not of a part of it.
    """

    keyword: str
    wanted: Any
    schema: Any
    value: Any
    path: str
    branches: tuple[tuple[_Failure, ...], ...]
    at_top: bool

    @classmethod
    def of(cls, error: SchemaError) -> _Failure:
        branches: dict[object, list[_Failure]] = {}
        for each in error.context or ():
            branches.setdefault(each.relative_schema_path[0], []).append(cls.of(each))
        return cls(
            keyword=str(error.validator),
            wanted=error.validator_value,
            schema=error.schema,
            value=error.instance,
            path=_path(error.absolute_path, list(error.absolute_schema_path)[:-1]),
            branches=tuple(map(tuple, branches.values())),
            at_top=not error.relative_path,
        )

    @property
    def is_of_type(self) -> bool:
        return self.keyword == "type" and self.at_top

    @property
    def types(self) -> tuple[str, ...]:
        return (self.wanted,) if isinstance(self.wanted, str) else tuple(self.wanted)


def violations_of(error: SchemaError) -> Iterator[Violation]:
    """Return what an error of JSON Schema says, without values."""
    return _told(_Failure.of(error))


def names_in(path: str) -> set[str]:
    """Return the names that lead to a violation."""
    return set(_NAME.findall(path))


def _told(failure: _Failure) -> Iterator[Violation]:
    if failure.keyword == "required":
        for key in failure.wanted:
            if key not in failure.value:
                yield Violation(Wrong.MISSING, _joined(failure.path, key), "it is required")
    elif failure.keyword == "additionalProperties":
        for key in failure.value:
            if key not in failure.schema.get("properties", {}):
                yield Violation(Wrong.EXTRA, _joined(failure.path, key), "the plan does not have it")
    elif failure.branches:
        yield from _told_of_branches(failure)
    else:
        yield Violation(Wrong.INVALID, failure.path, _reason(failure))


def _told_of_branches(failure: _Failure) -> Iterator[Violation]:
    if not failure.path:
        yield Violation(Wrong.MISSING, "", "it has neither a userId nor an anonymousId")
        return
    # A branch of the right type says more than that another type would do too.
    fitting = [branch for branch in failure.branches if not any(each.is_of_type for each in branch)]
    if fitting:
        for each in fitting[0]:
            yield from _told(each)
        return
    types = [name for branch in failure.branches for each in branch if each.is_of_type for name in each.types]
    yield Violation(Wrong.INVALID, failure.path, _not_of_type(dict.fromkeys(types), failure.value))


def _reason(failure: _Failure) -> str:
    if failure.keyword == "type":
        return _not_of_type(failure.types, failure.value)
    if failure.keyword == "enum":
        more = ", …" if len(failure.wanted) > _MOST_SHOWN else ""
        return f"it should be one of {', '.join(map(_shown, failure.wanted[:_MOST_SHOWN]))}{more}"
    reason = _REASONS.get(failure.keyword)
    return f"it does not fit the plan's {failure.keyword}" if reason is None else reason.format(_shown(failure.wanted))


def _not_of_type(types: Iterable[str], value: object) -> str:
    return f"it should be of type {' or '.join(types)}, not {_json_type(value)}"


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "one that JSON does not have")


def _shown(wanted: object) -> str:
    return json.dumps(wanted, ensure_ascii=False)


def _path(places: Iterable[str | int], steps: Sequence[str | int]) -> str:
    """Return where a failure is: by the names that the plan has, and by `*` for the keys of mappings.

    Args:
        places: the keys and numbers that lead to the value.
        steps: the keywords that lead to the schema, which tell what each of those is.
    """
    path = ""
    place, step = iter(places), iter(steps)
    for keyword in step:
        if keyword in _WITH_STEP:
            next(step)
        if keyword == "properties":
            path = _joined(path, str(next(place)))
        elif keyword in _OF_ITEMS:
            path += f"[{next(place)}]"
        elif keyword in _OF_MAPPINGS:
            next(place)
            path += ".*"
    return path


def _joined(path: str, key: str) -> str:
    if not _PLAIN.fullmatch(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key
