"""What `segment.analytics` makes of the values it is given: a value without a JSON form costs its property."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date
from enum import Enum
from numbers import Integral, Number
from operator import methodcaller
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Leave = Callable[[type], None]
"""Told the type of each value that is left out."""

_MOST_WRITABLE = 1_000
"""Bits of an integer that Python writes whatever its limit is."""


class _NoForm(Exception):
    """A value that has no JSON form."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.kind = type(value)


def plain(values: dict[str, Any], leave: Leave) -> dict[str, Any]:
    """Return a copy of a message of nothing but what JSON can say, and times.

    A value that JSON cannot say is left out, with the list or set that it stands in, up to the nearest key.

    Args:
        values: the message; it is not changed.
        leave: told of what is left out.

    Raises:
        RecursionError: it is circular, or nested too deep.

    >>> from decimal import Decimal
    >>> plain({"price": Decimal("2.50"), "tags": ("a", "b"), "file": object()}, print)
    <class 'object'>
    {'price': 2.5, 'tags': ['a', 'b']}
    """
    return _mapping(values, leave)


def as_json(message: dict[str, Any]) -> bytes:
    """Serialise what `plain` made: times in ISO 8601, half of a surrogate pair as a question mark.

    Raises:
        RecursionError: it is nested too deep.
    """
    text = json.dumps(
        message, default=methodcaller("isoformat"), separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode(errors="replace")


def _value(value: Any, leave: Leave) -> Any:
    # Typed before they are told apart: what `isinstance` tells leaves the types of the parts unknown.
    mapping: dict[Any, Any] = value
    several: Iterable[Any] = value
    if isinstance(value, (str, bool, date, type(None))):
        return value
    if isinstance(value, Number):
        return _number(value)
    if isinstance(value, (list, tuple, set)):
        return [_value(each, leave) for each in several]
    if isinstance(value, dict):
        return _mapping(mapping, leave)
    if isinstance(value, Enum):
        return _value(value.value, leave)
    if isinstance(value, (bytes, bytearray)):
        return _text(value)
    raise _NoForm(value)


def _mapping(values: dict[Any, Any], leave: Leave) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, value in values.items():
        try:
            made[_key(key)] = _value(value, leave)
        except _NoForm as error:  # noqa: PERF203 - each value may have none
            leave(error.kind)
    return made


def _key(key: Any) -> Any:
    if isinstance(key, (int, float)):
        _number(key)
    elif not isinstance(key, (str, type(None))):
        raise _NoForm(key)
    return key


def _number(value: Any) -> int | float:
    try:
        if isinstance(value, Integral):
            return _writable(int(value))
        number = float(value)  # a TypeError for what is complex
    except (TypeError, ValueError, OverflowError):
        raise _NoForm(value) from None
    if not math.isfinite(number):
        raise _NoForm(value)
    return number


def _writable(number: int) -> int:
    """Return the number, unless Python refuses to write so many digits (`sys.set_int_max_str_digits`)."""
    if number.bit_length() > _MOST_WRITABLE:
        str(number)
    return number


def _text(value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _NoForm(value) from None
