"""The two kinds of JSON value that hold others, for the type checkers as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeIs


def is_object(value: Any) -> TypeIs[dict[str, Any]]:
    """Whether a value is an object of JSON."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeIs[list[Any]]:
    """Whether a value is a list of JSON."""
    return isinstance(value, list)


def kind_of(value: Any) -> str:
    """Name the kind of a value.

    >>> kind_of(None), kind_of([1]), kind_of({})
    ('null', 'a list', 'an object')
    """
    if value is None:
        return "null"
    kinds = ((dict, "an object"), (list, "a list"), (bool, "a boolean"), (str, "a text"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a number")
