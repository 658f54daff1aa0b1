"""What can be read off an envelope, whoever sent it and whatever is in it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from instrument.debugger.documents import is_array, is_object
from instrument.debugger.records import HandlerPlace, Status, Violation
from instrument.delivery.envelope import MAX_BYTES
from instrument.messages import KINDS

NAME_KEYS = {"track": "event", "page": "name", "screen": "name"}
"""By call of the spec, the key that holds the name."""

MOST_SHOWN_BYTES = 256 << 10
"""How much of one envelope is kept."""
_MOST_SHOWN_TEXT = 1_000
"""How many characters are kept of each text in an envelope that is above Segment's limit."""
_MOST_KEYS = 50
"""How many keys are kept of an envelope that is too large even then."""
_MOST_WORD = 200
"""How many characters are kept of what names a message."""


class Fate(BaseModel):
    """What the client tells of a message that was not sent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, strict=False)

    status: Status
    reason: str = ""


class Notes(BaseModel):
    """What a client in debug mode writes into `context.instrument`.

    Attributes:
        late: whether the message began after its request had ended.
        provenance: by field, where it came from.
        handler: the name of the handler.
        place: where it is defined, or where the message was sent: `file:line`.
        request: what the messages of one request have in common.
        fate: what became of a message that was not sent.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")

    late: bool = False
    provenance: dict[str, str] | None = None
    handler: str | None = Field(default=None, max_length=2_000)
    place: str | None = Field(default=None, max_length=8_000)
    request: str | None = Field(default=None, max_length=_MOST_WORD)
    fate: Fate | None = None

    @classmethod
    def of(cls, envelope: dict[str, Any]) -> Notes:
        """Read the notes of an envelope; what does not look like them is none."""
        context = envelope.get("context")
        raw = context.get("instrument") if is_object(context) else None
        if raw is None:
            return cls()
        try:
            return cls.model_validate(raw)
        except ValidationError:
            return cls()

    @property
    def handler_place(self) -> HandlerPlace | None:
        """The handler, with its file and line."""
        if self.handler is None:
            return None
        file, _, line = (self.place or "").rpartition(":")
        if not (line.isascii() and line.isdigit() and len(line) < len("1000000000")):
            return HandlerPlace(name=self.handler)
        return HandlerPlace(name=self.handler, file=file or None, line=int(line))


def too_large(envelope: dict[str, Any]) -> Violation | None:
    """Say that a message is above Segment's limit, if it is."""
    size = _size(envelope)
    if size <= MAX_BYTES:
        return None
    return Violation(path="", reason=f"it takes {size:,} bytes, above Segment's limit of {MAX_BYTES:,}")


def shortened(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a message that is above Segment's limit."""
    kept: dict[str, Any] = _shortened(envelope)
    if _size(kept) <= MOST_SHOWN_BYTES:
        return kept
    scalars = [(key, value) for key, value in kept.items() if not isinstance(value, (dict, list))]
    return dict(scalars[:_MOST_KEYS])


def name_of(envelope: dict[str, Any]) -> str | None:
    """Return the name of the event, page or screen."""
    return _word(envelope.get(NAME_KEYS.get(_type(envelope), "")))


def type_of(envelope: dict[str, Any]) -> str:
    """Return the call of the spec, as it was sent."""
    return _type(envelope)[:_MOST_WORD]


def user_of(envelope: dict[str, Any]) -> str | None:
    """Return the user's id, or the anonymous id."""
    return _word(envelope.get("userId")) or _word(envelope.get("anonymousId"))


def message_id_of(envelope: dict[str, Any]) -> str:
    """Return the id of the message; empty where it has none."""
    return _word(envelope.get("messageId")) or ""


def against_the_spec(envelope: dict[str, Any]) -> tuple[Violation, ...]:
    """Check what Segment requires of every message: https://segment.com/docs/connections/spec/common/."""
    found: list[Violation] = []
    kind = _type(envelope)
    if kind not in KINDS:
        found.append(Violation(path="type", reason=f"it is none of {', '.join(sorted(KINDS))}"))
    if user_of(envelope) is None:
        found.append(Violation(path="", reason="it has neither a userId nor an anonymousId"))
    if kind == "track" and not name_of(envelope):
        found.append(Violation(path="event", reason="a track has no event"))
    return tuple(found)


def _type(envelope: dict[str, Any]) -> str:
    kind = envelope.get("type")
    return kind if isinstance(kind, str) else ""


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    try:
        return str(value)[:_MOST_WORD] or None
    except ValueError:  # an integer of more digits than Python prints
        return None


def _size(envelope: Any) -> int:
    return len(to_json(envelope, inf_nan_mode="strings"))


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MOST_SHOWN_TEXT:
        return f"{value[:_MOST_SHOWN_TEXT]}… ({len(value):,} characters)"
    if is_object(value):
        return {key[:_MOST_WORD]: _shortened(each) for key, each in value.items()}
    if is_array(value):
        return [_shortened(each) for each in value]
    return value
