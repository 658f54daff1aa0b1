"""What pydantic says of values that do not fit, without the values."""

from __future__ import annotations

import re
from inspect import isclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from pydantic_core.core_schema import ErrorType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_PYDANTICS = frozenset(get_args(ErrorType))
# What these hold was found in the value.
_OF_THE_VALUE = frozenset({"error", "tag", "tz_actual"})


def told(error: ErrorDetails) -> str:
    """Tell what is wrong with a value.

    >>> told({"type": "uuid_parsing", "msg": "Input should be a valid UUID, found `x` at 1", "ctx": {"error": ""},
    ...       "loc": (), "input": ""})
    'Input should be a valid UUID'
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("value_error", "assertion_error") or kind not in _PYDANTICS:
        return "its validator refused the value"
    if kind == "union_tag_invalid":
        return f"{context['discriminator']} should be one of {context['expected_tags']}"
    return error["msg"] if _OF_THE_VALUE.isdisjoint(context) else re.split("[,:]", error["msg"])[0]


def told_all(model: type[BaseModel], error: ValidationError) -> str:
    """Tell everything that is wrong with the values of a model, by field."""
    details = error.errors(include_url=False)
    return "; ".join(f"field {'.'.join(field_path(model, each['loc'])) or '?'!r}: {told(each)}" for each in details)


def field_path(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the names of the fields that lead to a value, as far as classes declare them.

    What follows may be the key of a mapping, which belongs to the user's data.
    """
    path: list[str] = []
    kind: Any = model
    for step in location:
        name = _field_name(kind, step)
        if name is None:
            break
        path.append(name)
        kind = kind.model_fields[name].annotation
    return path


def _field_name(kind: Any, step: str | int) -> str | None:
    if not (isclass(kind) and issubclass(kind, BaseModel)):
        return None
    aliases = (name for name, field in kind.model_fields.items() if step in (name, field.alias, field.validation_alias))
    return next(aliases, None)
