"""Messages of the Segment spec, read back from their envelopes for destinations that have a format of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic_core import from_json

from instrument.delivery.destination import Rejected
from instrument.messages import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from instrument.delivery.envelope import Envelope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Segment spec.

    Attributes:
        kind: one of `instrument.messages.KINDS`.
        name: of the event, page or screen.
        category: of the page or screen.
        user_id: who it is about, if known.
        anonymous_id: who it is about, by the id of an unknown visitor.
        group_id: the group of a `group`.
        previous_id: the other id of an `alias`.
        payload: its properties or traits.
        context: its context.
        message_id: its id.
        time: when it happened, in ISO 8601.
    """

    kind: str
    name: str | None
    category: str | None
    user_id: str | None
    anonymous_id: str | None
    group_id: str | None
    previous_id: str | None
    payload: Mapping[str, Any]
    context: Mapping[str, Any]
    message_id: str
    time: str

    @classmethod
    def of(cls, envelope: Envelope) -> Call:
        """Read an envelope.

        Raises:
            ValueError: it is no JSON, or no call that the spec has.
            KeyError: it lacks what every message has.
        """
        message: dict[str, Any] = from_json(envelope.body)
        if message["type"] not in KINDS:
            raise ValueError("no call of the spec")
        return cls(
            kind=message["type"],
            name=message.get("event") or message.get("name"),
            category=message.get("category"),
            user_id=_text(message.get("userId")),
            anonymous_id=_text(message.get("anonymousId")),
            group_id=_text(message.get("groupId")),
            previous_id=_text(message.get("previousId")),
            payload=message.get("properties") or message.get("traits") or {},
            context=message.get("context") or {},
            message_id=message["messageId"],
            time=message["timestamp"],
        )

    @property
    def event(self) -> str:
        """The name of the event; of a page or screen, the one that Segment's own destinations give it."""
        if self.kind not in ("page", "screen"):
            return self.name or ""
        return f"Viewed {self.name} {self.kind.title()}" if self.name else f"Loaded a {self.kind.title()}"

    @property
    def titles(self) -> Mapping[str, str]:
        """The name and the category of a page or screen that was viewed, where it has them."""
        has = {"name": self.name, "category": self.category} if self.kind in ("page", "screen") else {}
        return {key: value for key, value in has.items() if value is not None}

    @property
    def page(self) -> Mapping[str, Any]:
        """What is known of the page, by Segment's names: `url`, `path`, `referrer`, `title`, `search`."""
        told: Any = self.context.get("page")
        around: dict[str, Any] = cast("dict[str, Any]", told) if isinstance(told, dict) else {}  # it may be anything
        return {**around, **self.payload} if self.kind == "page" else around

    @property
    def who(self) -> str:
        """The id of the user, or of the unknown visitor."""
        return self.user_id or self.anonymous_id or ""

    @property
    def milliseconds(self) -> int:
        """When it happened, since 1970."""
        moment = datetime.fromisoformat(self.time.replace("Z", "+00:00"))
        return round(moment.timestamp() * 1_000)


def translated(batch: Sequence[Envelope], translate: Callable[[Call], T]) -> list[T]:
    """Translate every message of a batch.

    Raises:
        Rejected: one of them is none, or the destination has nothing like it.
    """
    try:
        return [translate(Call.of(each)) for each in batch]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Rejected(f"a message cannot be read ({type(error).__name__})") from None


def as_uuid(message_id: str) -> str:
    """Return a message's id as the UUID that some vendors require: itself, or one that is always made of it.

    >>> as_uuid("00000000-0000-7000-8000-000000000001")
    '00000000-0000-7000-8000-000000000001'
    >>> as_uuid("invoice 7")
    'fcbc0dfc-411f-5039-aa3b-bd202c55ec1f'
    """
    try:
        return str(UUID(message_id))
    except ValueError:
        return str(uuid5(NAMESPACE_OID, message_id))


def unsupported(vendor: str, call: Call) -> Rejected:
    """Return what to raise for a call that a destination has nothing like."""
    return Rejected(f"{vendor} has no call like {call.kind}")


def present(names: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a mapping has, by other names.

    >>> present({"$ip": "ip", "$host": "host"}, {"ip": "192.0.2.1"})
    {'$ip': '192.0.2.1'}
    """
    return {name: source[key] for name, key in names.items() if source.get(key) is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
