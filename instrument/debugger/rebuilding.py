"""From an envelope back to the message that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.debugger.documents import is_object
from instrument.messages import declaration_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instrument.messages import Message


def rebuilt(model: type[Message], envelope: Mapping[str, Any]) -> Message | None:
    """Return the message that an envelope was made of.

    Args:
        model: its class.
        envelope: parsed JSON.

    Returns:
        The message; `None` where it cannot be made of what was sent, as where personal data was left out.
    """
    try:
        return model.model_validate(dict(_fields(model, envelope)))
    except Exception:  # noqa: BLE001 - a validator of the user's may raise anything
        return None


def _fields(model: type[Message], envelope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    declaration = declaration_of(model)
    payload: Any = envelope.get(declaration.spec.payload or "")
    properties = payload if is_object(payload) else {}
    for name, info in model.model_fields.items():
        key = declaration.ids.get(name)
        place = properties if key is None else envelope
        key = key or info.serialization_alias or info.alias or name
        if key in place:
            yield name, place[key]
