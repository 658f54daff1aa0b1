"""From an envelope back to the message that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from instrument.debugger.documents import is_object
from instrument.debugger.records import Violation
from instrument.errors import nearest
from instrument.messages import declaration_of
from instrument.validation import field_path, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from instrument.messages import Message

_MOST_VIOLATIONS = 20


class DoesNotFit(Exception):
    """An envelope that is none of a message class.

    Attributes:
        violations: why.
    """

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("the envelope does not fit the class")
        self.violations = tuple(violations[:_MOST_VIOLATIONS])


def rebuilt(model: type[Message], envelope: Mapping[str, Any]) -> Message:
    """Return the message that an envelope was made of.

    Args:
        model: its class.
        envelope: parsed JSON.

    Raises:
        DoesNotFit: a field is missing or wrong, or a key is none of the class's.
    """
    keys = _keys(model)
    found = {name: value for name, path in keys.items() if (value := _at(envelope, path)) is not None}
    strangers = _strangers(model, envelope, keys)
    try:
        message = model.model_validate(found)
    except ValidationError as error:
        raise DoesNotFit([*(_violation(model, keys, each) for each in error.errors()), *strangers]) from None
    except Exception as error:  # noqa: BLE001 - a validator of the user's may raise anything
        raise DoesNotFit([Violation(path="", reason=f"its validation raised {type(error).__name__}")]) from None
    if strangers:
        raise DoesNotFit(strangers)
    return message


def _keys(model: type[Message]) -> dict[str, tuple[str, ...]]:
    """Return, by field, the keys that lead to its value."""
    declaration = declaration_of(model)
    payload = declaration.spec.payload or ""
    return {
        name: (declaration.ids[name],)
        if name in declaration.ids
        else (payload, info.serialization_alias or info.alias or name)
        for name, info in model.model_fields.items()
    }


def _at(envelope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = envelope
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value


def _strangers(
    model: type[Message], envelope: Mapping[str, Any], keys: Mapping[str, tuple[str, ...]]
) -> list[Violation]:
    root = declaration_of(model).spec.payload
    payload: Any = {} if root is None else envelope.get(root)
    if not is_object(payload):
        return []
    computed = {info.alias or name for name, info in model.model_computed_fields.items()}
    known = {path[-1] for path in keys.values() if len(path) > 1} | computed
    return [
        Violation(path=f"{root}.{key}", reason=f"{model.__name__} declares no such key{nearest(key, known)}")
        for key in payload
        if key not in known
    ]


def _violation(model: type[Message], keys: Mapping[str, tuple[str, ...]], error: ErrorDetails) -> Violation:
    name, *inner = field_path(model, error["loc"]) or [""]
    return Violation(path=".".join([*keys.get(name, ()), *inner]), reason=told(error))
