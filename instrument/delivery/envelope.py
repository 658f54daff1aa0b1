"""Envelopes: messages as JSON, serialised once, on the caller."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json, to_json

from instrument.core_schemas import (
    INT_RANGE,
    check_marks,
    custom_serialized,
    field_schema,
    has_own_output,
    marks_in,
    open_fields,
    refers_elsewhere,
    without_marks,
)
from instrument.delivery.numbers import UnknownError, finite_check
from instrument.errors import DeclarationError, Reason, Refusal
from instrument.messages import Message, declaration_of
from instrument.privacy.marks import mark_of
from instrument.privacy.redaction import DROPPED, HIDDEN_MARK, REFUSING, UNCONFIGURED, is_dropped, pruned
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import CoreSchema

    from instrument.delivery.numbers import Check
    from instrument.messages import Declaration, SegmentTrack
    from instrument.privacy.marks import PII, Redactor
    from instrument.privacy.redaction import Redaction
    from instrument.stamps import Stamp

T = TypeVar("T")

MAX_BYTES = 32 << 10
"""Segment's limit for one message, in bytes."""

LIBRARY_CONTEXT = {"name": LIBRARY, "version": VERSION}
_HEAD = re.compile(rb'\{"type":"([a-z]+)",(?:"(?:event|name)":("(?:[^"\\]|\\.)*"),)?')
_IDENTITY_KEYS = (b'"userId":', b'"anonymousId":')
_TEMPLATE_END = b'"messageId":"%b","timestamp":"%b",%b'
PLAIN_TAIL = b'"context":%b,"integrations":{}}' % to_json({"library": LIBRARY_CONTEXT})

_MOST_DEPTH = 200
_MESSAGE_ID = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]{1,100}')
# -2**63 has nineteen digits: a shorter number needs no closer look.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
# What pydantic writes as the key of a JSON object without losing what it was.
_KEYS = (str, int, UUID, Enum, date, time, timedelta, Decimal)


class Envelope(NamedTuple):
    """A message as it is queued, spooled and sent.

    Attributes:
        message_id: stable over every repetition; receivers drop repeats by it.
        body: the JSON, in UTF-8.
    """

    message_id: str
    body: bytes

    @property
    def type(self) -> str:
        """The type of the call."""
        match = _HEAD.match(self.body)
        return "" if match is None else match[1].decode()

    @property
    def name(self) -> str:
        """The name of the event, page or screen; empty where the call has none."""
        match = _HEAD.match(self.body)
        return "" if match is None or match[2] is None else str(from_json(match[2]))


class Variants(Envelope):
    """A message as destinations with different privacy policies get it.

    By itself it holds what all of them may see: so does whoever takes it for any other envelope.

    Attributes:
        each: an envelope for each policy, or the parts of one, in the order of the policies.
    """

    each: tuple[Parts, ...]

    @classmethod
    def of(cls, strictest: Parts, each: tuple[Parts, ...]) -> Envelope:
        """Put envelopes of one message together."""
        whole = cls(*strictest)
        whole.each = each
        return whole


def tail(context: Mapping[str, Any] | None, integrations: Mapping[str, Any] | None) -> bytes:
    """Serialise what an envelope ends with: its context, with the library's name, and its integrations.

    Raises:
        Refusal: a value has no JSON form.
    """
    if not context and not integrations:
        return PLAIN_TAIL
    whole = {**(context or {}), "library": LIBRARY_CONTEXT}
    return b'"context":%b,"integrations":%b}' % (
        _checked_json(whole, "context"),
        _checked_json(integrations or {}, "integrations"),
    )


Parts = tuple[str, bytes]
"""The id and the body of an envelope, which is one of these with names: what is queued at once needs none."""

Encode = Callable[[T, "Stamp", bytes], Envelope]
"""Serialise one message, given the id and time of its envelope, and what `tail` made.

Raises `Refusal` where the message has no identity, no JSON form, or is above Segment's limit.
"""
EncodeParts = Callable[[T, "Stamp", bytes], Parts]
"""Do the same, for a message or its fields, without the time that it takes to make an envelope."""


_encoders: dict[type, Encode[Any]] = {}


def encoder_of(model: type[Message]) -> Encode[Any]:
    """Return the serialisation of a message class, compiled at its first use.

    Marked values have the policy of their mark; what would be hashed is left out.

    Raises:
        DeclarationError: the class is abstract, or hides a mark of personal data.
    """
    encode = _encoders.get(model)
    if encode is None:
        encode = _encoders[model] = compile_encoder(model, UNCONFIGURED)
    return encode


@cache
def holds_personal_data(model: type[BaseModel]) -> bool:
    """Whether anything in a message class, or in a model, is marked as personal data.

    Raises:
        DeclarationError: a mark is hidden by a serializer.
    """
    model.model_rebuild()
    schema = model.__pydantic_core_schema__
    check_marks(schema)
    return bool(marks_in(schema))


def compile_encoder(model: type[Message], redaction: Redaction) -> Encode[Any]:
    """Compile the serialisation of a message class under policies for personal data.

    Raises:
        DeclarationError: the class is abstract, or hides a mark of personal data.
    """
    declaration = declaration_of(model)
    if holds_personal_data(model):
        return _redacting(model, declaration, redaction)
    serializer = model.__pydantic_serializer__
    payload_of = partial(serializer.to_json, by_alias=True, exclude=set(declaration.ids), warnings=False)
    checks, loose = tuple(_checks(model, declaration, REFUSING)), _is_loose(model)

    def checked_payload_of(message: Message) -> bytes:
        for field, check in checks:
            check(getattr(message, field))
        payload = payload_of(message)
        check_numbers(payload)
        return payload

    chosen = checked_payload_of if loose else payload_of
    return _enveloped(assembler(model, chosen, attrgetter, serializer.to_python))


def _redacting(model: type[Message], declaration: Declaration, redaction: Redaction) -> Encode[Any]:
    serializer, ids_only = model.__pydantic_serializer__, redaction.of_ids
    left_out = {*declaration.ids, *_dropped_fields(model, redaction)}
    payload_of = leaving_out_dropped(
        partial(serializer.to_json, by_alias=True, exclude=left_out, warnings=False, context=redaction)
    )
    checks, loose = tuple(_checks(model, declaration, redaction)), _is_loose(model)

    def redacted_payload_of(message: Message) -> bytes:
        for field, check in checks:
            check(getattr(message, field))
        payload = payload_of(message)
        if loose:
            check_numbers(payload)
        return payload

    ids_of = refusing_dropped(declaration, partial(serializer.to_python, context=ids_only))
    return _enveloped(assembler(model, redacted_payload_of, attrgetter, ids_of))


def leaving_out_dropped(payload_of: Callable[[T], bytes]) -> Callable[[T], bytes]:
    """Have a serialisation leave out what is to be dropped, of which it may find out only when it meets it."""

    def pruned_payload_of(message: T) -> bytes:
        payload = payload_of(message)
        return pruned(payload) if DROPPED in payload else payload

    return pruned_payload_of


def refusing_dropped(declaration: Declaration, ids_of: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Have a serialisation of ids refuse to drop one."""
    shown = declaration.name or declaration.spec.type

    def kept_ids_of(message: object, **options: Any) -> dict[str, Any]:
        ids = ids_of(message, **options)
        for name, value in ids.items():
            if is_dropped(value):
                raise Refusal(Reason.NO_IDENTITY, f"{shown}: its {name} is to be hashed, and there is no pii_key")
        return ids

    return kept_ids_of


def _dropped_fields(model: type[Message], redaction: Redaction) -> set[str]:
    """Name the fields that need not be serialised at all."""
    marks = {name: mark_of(field) for name, field in model.model_fields.items()}
    return {name for name, mark in marks.items() if mark is not None and redaction.policy_of(mark) == "drop"}


def assembler(
    model: type[Message],
    payload_of: Callable[[T], bytes],
    getter: Callable[[str], Callable[[T], Any]],
    to_python: Callable[..., Any],
) -> EncodeParts[T]:
    """Return the function that puts the parts of an envelope together.

    Args:
        model: the message class.
        payload_of: serialises what is no id.
        getter: gives for a field's name the function that reads it.
        to_python: serialises into the objects of JSON, as pydantic does.
    """
    declaration = declaration_of(model)
    shown = declaration.name or declaration.spec.type
    template = _template(declaration, b"%b")
    ids_of = _compile_ids(model, declaration, getter, to_python)
    first, key = next(iter(declaration.ids.items()))
    first_id = getter(first)
    # Most messages have one id, and that is a number: it is written together with the rest.
    is_short = len(declaration.ids) == 1 and _is_plain(model, first)
    short_template = _template(declaration, b'"%b":"%%d",' % key.encode())

    def encode(message: T, stamp: Stamp, end: bytes) -> Parts:
        message_id, timestamp = stamp
        try:
            payload = payload_of(message)
            id_ = first_id(message)
            if is_short and type(id_) is int:
                body = short_template % (id_, payload, message_id.encode(), timestamp.encode(), end)
            else:
                body = template % (ids_of(message), payload, message_id.encode(), timestamp.encode(), end)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
            raise Refusal(Reason.NOT_SERIALIZABLE, f"{shown}: {_why(error)}") from None
        if len(body) > MAX_BYTES:
            raise _too_large(shown, body)
        return message_id, body

    return encode


def _enveloped(encode: EncodeParts[T]) -> Encode[T]:
    new_envelope = tuple[Any, ...].__new__

    def encode_envelope(message: T, stamp: Stamp, end: bytes) -> Envelope:
        return new_envelope(Envelope, encode(message, stamp, end))

    return encode_envelope


def _template(declaration: Declaration, ids: bytes) -> bytes:
    """Return the pattern of an envelope, with a given pattern for its ids."""
    spec = declaration.spec
    head = b'{"type":%b,' % to_json(spec.type)
    if spec.name_key is not None and declaration.name is not None:
        head += b'"%b":%b,' % (spec.name_key.encode(), to_json(declaration.name))
    if declaration.category is not None:
        head += b'"category":%b,' % to_json(declaration.category)
    # Alias has nothing but ids: its payload is formatted to nothing.
    payload = b"%.0b" if spec.payload is None else b'"%b":%%b,' % spec.payload.encode()
    return head.replace(b"%", b"%%") + ids + payload + _TEMPLATE_END


def _checks(model: type[Message], declaration: Declaration, redactor: Redactor) -> Iterator[tuple[str, Check]]:
    """Compile the checks of the fields that may hold what pydantic has not checked down to the leaf."""
    schema = model.__pydantic_core_schema__
    opened = open_fields(schema)
    for name in model.model_fields:
        if name in declaration.ids or not (opened is None or name in opened):
            continue
        if opened is None or refers_elsewhere(schema, name) or not custom_serialized(schema, name):
            own = field_schema(schema, name)
            check = _check_of(own, name, redactor, marks_in(schema if own is None else own))
            if check is not None:
                yield name, check


def _check_of(schema: CoreSchema | None, field: str, redactor: Redactor, marks: frozenset[PII]) -> Check | None:
    if schema is not None:
        with suppress(UnknownError):
            return finite_check(schema, field)
    return partial(check_jsonable, field=field, redactor=redactor, marks=marks)


def _is_loose(model: type[Message]) -> bool:
    """Whether the JSON may hold a number that pydantic has not checked."""
    schema, _ = without_marks(model.__pydantic_core_schema__)
    names = open_fields(schema)
    return names is None or bool(names) or has_own_output(schema)


def _compile_ids(
    model: type[Message],
    declaration: Declaration,
    getter: Callable[[str], Callable[[T], Any]],
    to_python: Callable[..., Any],
) -> Callable[[T], bytes]:
    patterns = tuple(
        (name, getter(name), b'"%b":"%%d",' % key.encode(), b'"%b":%%b,' % key.encode(), _is_plain(model, name))
        for name, key in declaration.ids.items()
    )
    shown = declaration.name or declaration.spec.type

    def encode_ids(message: T) -> bytes:
        encoded = b""
        for name, get, of_integer, of_text, plain in patterns:
            value = get(message)
            if plain and type(value) is int:
                encoded += of_integer % value
            elif value is not None:
                if not plain or not isinstance(value, str):
                    value = to_python(message, mode="json", include={name}, by_alias=False)[name]
                encoded += of_text % to_json(_id_text(name, value))
        if not encoded.startswith(_IDENTITY_KEYS):  # they come first
            raise Refusal(Reason.NO_IDENTITY, f"{shown}: it has neither a user_id nor an anonymous_id")
        return encoded

    return encode_ids


def _is_plain(model: type[Message], name: str) -> bool:
    """Whether an integer or a text in a field is sent as it is; a mark of personal data is a serializer too."""
    return not custom_serialized(model.__pydantic_core_schema__, name)


def encode_undeclared(track: SegmentTrack, stamp: Stamp, end: bytes) -> Envelope:
    """Serialise an object that has the three attributes of a track, under the same limits.

    Args:
        track: the object.
        stamp: the message's id and time.
        end: the rest of the body, from the context on.

    Raises:
        Refusal: it has no event name, identity or properties, no JSON form, or is above Segment's limit.
    """
    name: object = track.event
    # An untyped object need not keep what the protocol promises.
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise Refusal(Reason.INVALID, f"{type(track).__name__}: its event name is empty, or no text")
    user, anonymous = track.user_id, getattr(track, "anonymous_id", None)
    if user is None and anonymous is None:
        raise Refusal(Reason.NO_IDENTITY, f"{name}: it has neither a user_id nor an anonymous_id")
    properties = track.properties
    if not isinstance(properties, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise Refusal(Reason.INVALID, f"{name}: its properties are no mapping, but {type(properties).__name__}")
    payload = _checked_json(dict(properties), "properties")
    head = b'{"type":"track","event":%b,' % _json(name, "event")
    for field, key, value in (("user_id", b"userId", user), ("anonymous_id", b"anonymousId", anonymous)):
        if value is not None:
            head += b'"%b":%b,' % (key, _json(_id_text(field, value), field))
    message_id, timestamp = stamp
    ended = _TEMPLATE_END % (message_id.encode(), timestamp.encode(), end)
    body = b'%b"properties":%b,%b' % (head, payload, ended)
    if len(body) > MAX_BYTES:
        raise _too_large(name, body)
    return Envelope(message_id, body)


def _too_large(name: str, body: bytes) -> Refusal:
    return Refusal(Reason.TOO_LARGE, f"{name}: it takes {len(body):,} bytes, above the limit of {MAX_BYTES:,}")


def check_message_id(message_id: object) -> str:
    """Check an id that came from outside: it stands in the JSON as it is.

    Raises:
        Refusal: it is no text, empty, longer than 100 characters, or has characters that JSON would escape.
    """
    if not isinstance(message_id, str) or not _MESSAGE_ID.fullmatch(message_id):
        raise Refusal(
            Reason.INVALID, "message_id is text of 1 to 100 characters, none of them a quote, a backslash or a control"
        )
    return message_id


def check_numbers(payload: bytes) -> None:
    """Check that JSON holds no NaN, no infinity and no integer beyond 64 bits.

    Raises:
        Refusal: it does.
    """
    if b"NaN" in payload or b"Infinity" in payload or _LONG_NUMBER.search(payload):
        import json  # noqa: PLC0415 - only a payload that looks wrong needs it

        json.loads(payload, parse_int=_check_int, parse_constant=_refuse_constant)


def check_jsonable(
    value: object, field: str, redactor: Redactor = REFUSING, marks: frozenset[PII] = frozenset()
) -> None:
    """Check that a value of any type has a JSON form that loses nothing.

    Args:
        value: the value.
        field: the field that holds it, for the message.
        redactor: what decides about marked values in it; by default they are not expected, and refused.
        marks: those that the annotation of the field names.

    Raises:
        Refusal: it holds bytes, NaN, an infinity, a key that is no text, a circle, too deep a nesting, or more
            values than can have room in a message.
    """
    waiting: list[tuple[object, int, bool]] = [(value, 0, False)]
    room = MAX_BYTES
    while waiting:
        value, depth, in_model = waiting.pop()
        _check_leaf(value, field, in_model=in_model)
        if depth > _MOST_DEPTH:
            raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: circular, or nested more than {_MOST_DEPTH} deep")
        # Counted, since parts that are shared unfold to many more values than there are objects.
        in_model = in_model or isinstance(value, BaseModel)
        parts = [(part, depth + 1, in_model) for part in islice(_parts(value, field, redactor, marks), room + 1)]
        room -= len(parts)
        if room < 0:
            raise Refusal(
                Reason.TOO_LARGE, f"field {field!r}: it holds more values than fit into {MAX_BYTES:,} bytes, the limit"
            )
        waiting += reversed(parts)


def _check_leaf(value: object, field: str, *, in_model: bool) -> None:
    # A model of the user's own says itself how it writes bytes.
    if isinstance(value, (bytes, bytearray, memoryview)) and not in_model:
        raise Refusal(
            Reason.NOT_SERIALIZABLE, f"field {field!r}: bytes have no JSON form; decode or base64-encode them"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: a number is not finite, which JSON cannot say")


def _parts(value: Any, field: str, redactor: Redactor, marks: frozenset[PII]) -> Iterable[object]:
    # Typed before they are told apart: what `isinstance` tells leaves the types of the parts unknown.
    mapping: Mapping[object, object] = value
    several: Iterable[object] = value
    if isinstance(value, Mapping):
        if not all(isinstance(key, _KEYS) for key in mapping):
            raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: a mapping has a key that is no text")
        return mapping.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return several
    if isinstance(value, BaseModel):
        _check_class(type(value), field)
        return (_said(lambda: value.model_dump(warnings=False, context=redactor), field),)
    if is_dataclass(value) and not isinstance(value, type):
        _check_dataclass(type(value), field, redactor, marks)
        return [getattr(value, each.name) for each in dataclass_fields(value)]
    return ()


def _check_dataclass(class_: type, field: str, redactor: Redactor, marks: frozenset[PII]) -> None:
    """Check that no annotation hides marks of a dataclass: what pydantic does not know, it writes as it is.

    Args:
        class_: the dataclass.
        field: in which its instance was found, for errors.
        redactor: what is asked about marks in the end.
        marks: those that the annotation of the field names.

    Raises:
        Refusal: it has others.
    """
    if redactor is not REFUSING and hasattr(class_, "__pydantic_serializer__"):
        return  # one of pydantic's, which asks the redactor
    try:
        hidden = _marks_of_dataclass(class_) - marks
    except Exception:  # noqa: BLE001 - annotations that cannot be resolved, or mean nothing to pydantic
        return
    if hidden:
        raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: {_WHY[HIDDEN_MARK]}")


@cache
def _marks_of_dataclass(class_: type) -> frozenset[PII]:
    return marks_in(TypeAdapter[Any](class_).core_schema)


def _check_class(model: type[BaseModel], field: str) -> None:
    """Check that a model which no annotation names writes no marked value by a serializer of its own.

    Raises:
        Refusal: it may write one.
    """
    try:
        holds_personal_data(model)
    except DeclarationError as error:
        raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: {error}") from None


def _id_text(name: str, value: object) -> str:
    if isinstance(value, str):
        if not value.strip():
            raise Refusal(Reason.NO_IDENTITY, f"field {name!r}: an id is empty")
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal(Reason.INVALID, f"field {name!r}: a number is not finite, and no id")
    if isinstance(value, (int, float, UUID)) and not isinstance(value, bool):
        return str(value)
    raise Refusal(Reason.INVALID, f"field {name!r}: an id is text or a number, not {type(value).__name__}")


def _checked_json(value: object, field: str) -> bytes:
    def checked() -> bytes:
        check_jsonable(value, field)
        payload = to_json(value)
        check_numbers(payload)
        return payload

    return _said(checked, field)


def _json(value: object, field: str) -> bytes:
    return _said(lambda: to_json(value), field)


def _said(say: Callable[[], T], field: str) -> T:
    try:
        return say()
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - a value of the user's may raise anything
        raise Refusal(Reason.NOT_SERIALIZABLE, f"field {field!r}: {_why(error)}") from None


def _check_int(digits: str) -> int:
    # Compared before it is made: Python refuses to make an integer of thousands of digits.
    if len(digits) > len("-") + 20 or int(digits) not in INT_RANGE:
        raise Refusal(Reason.NOT_SERIALIZABLE, "an integer is beyond 64 bits, and would lose digits; send it as text")
    return int(digits)


def _refuse_constant(_: str) -> float:
    raise Refusal(Reason.NOT_SERIALIZABLE, "a number is not finite, which JSON cannot say")


def _why(error: Exception) -> str:
    """Say why there is no JSON form, without the value that a library's own text may show."""
    text = str(error)
    for sign, meaning in _WHY.items():
        if sign in text:
            return meaning
    unknown = re.search(r"unknown type: (<class '[^']+'>)", text)
    return f"a value of {unknown[1]} has no JSON form" if unknown else f"it has no JSON form ({type(error).__name__})"


_WHY = {
    HIDDEN_MARK: f"it holds {HIDDEN_MARK}; name the model in the annotation",
    "surrogates": "a text has a lone surrogate, which UTF-8 cannot say",
    # Which of the two, versions of pydantic do not tell alike.
    **dict.fromkeys(("Circular", "depth", "recursion"), "it is circular, or nested too deep"),
}
