"""What must be looked at in a value that pydantic has validated: floating-point numbers, which may be no numbers.

A model nested in a message keeps its own rules, and by pydantic's own NaN is valid, and written as null. To look
through every value for that takes longer than all the rest, so a check is compiled of the schema, which visits
nothing but floats.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from instrument.core_schemas import LEAVES, bare_fields
from instrument.errors import Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic_core import CoreSchema

    Check = Callable[[Any], None]

_SAFE = LEAVES - {"float", "bytes"}
_KEYS = frozenset({"str", "int", "uuid", "date", "datetime"})
_SEQUENCES = frozenset({"list", "set", "frozenset"})


class UnknownError(Exception):
    """A schema does not tell what its values hold."""


def finite_check(schema: CoreSchema, field: str) -> Check | None:
    """Compile the check of a field's floats.

    Args:
        schema: of the field's value, in a message, whose own floats are finite by its configuration.
        field: its name, for the message.

    Returns:
        A function of the value that raises `Refusal` where a float is not finite; `None` if there is nothing to check.

    Raises:
        UnknownError: the schema leaves open what a value may hold, or how it is written.
    """
    return _check(schema, None, _refusing(field))


def _refusing(field: str) -> Check:
    def check(value: object) -> None:
        if isinstance(value, float) and not isfinite(value):
            raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: a number is not finite, which JSON cannot say")

    return check


def _check(schema: Any, of_float: Check | None, in_models: Check) -> Check | None:
    """Compile the check of a value, given the one for floats here, and the one for floats in models that allow NaN.

    Args:
        schema: that of the value.
        of_float: that of floats here; `None` where they need none.
        in_models: that of floats in models that allow NaN.

    Raises:
        UnknownError: it is not known what the schema may hold.
    """
    kind = schema["type"]
    if "serialization" in schema:
        raise UnknownError
    if kind in _SAFE:
        return None
    if kind == "float":
        return None if schema.get("allow_inf_nan") is False else of_float
    if kind in ("nullable", "default"):
        return _unless_none(_check(schema["schema"], of_float, in_models))
    if kind in _SEQUENCES and "items_schema" in schema:
        return _of_each(_check(schema["items_schema"], of_float, in_models))
    if kind == "dict" and schema.get("keys_schema", schema)["type"] in _KEYS and "values_schema" in schema:
        return _of_values(_check(schema["values_schema"], of_float, in_models))
    if kind == "model":
        fields = bare_fields(schema)
        if fields is not None:
            strict = schema.get("config", {}).get("allow_inf_nan") is False
            return _of_fields(fields, None if strict else in_models, in_models)
    raise UnknownError


def _of_fields(fields: Mapping[str, Any], of_float: Check | None, in_models: Check) -> Check | None:
    checks: list[tuple[str, Check]] = []
    for name, field in fields.items():
        if "serialization" in field:
            raise UnknownError
        # What a model of the user's own says of bytes is its own affair.
        of_bytes = field["schema"]["type"] == "bytes"
        check = None if of_bytes else _check(field["schema"], of_float, in_models)
        if check is not None:
            checks.append((name, check))
    if not checks:
        return None

    def check_fields(value: object) -> None:
        for name, check in checks:
            check(getattr(value, name))

    return check_fields


def _unless_none(check: Check | None) -> Check | None:
    if check is None:
        return None

    def check_some(value: object) -> None:
        if value is not None:
            check(value)

    return check_some


def _of_each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def check_each(values: Iterable[object]) -> None:
        for value in values:
            check(value)

    return check_each


def _of_values(check: Check | None) -> Check | None:
    check_each = _of_each(check)
    if check_each is None:
        return None

    def check_values(values: Mapping[Any, object]) -> None:
        check_each(values.values())

    return check_values
