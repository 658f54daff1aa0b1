"""The gate of a client: what a message passes on its way from the caller to the pipeline, compiled for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from pydantic import ValidationError

from instrument.core_schemas import marks_in
from instrument.delivery.envelope import (
    Variants,
    compile_encoder,
    encode_undeclared,
    encoder_of,
    holds_personal_data,
)
from instrument.delivery.plain import plain_codec
from instrument.errors import Reason, Refusal, Withheld
from instrument.messages import Conditions, Message
from instrument.privacy.consent import Consent, consent_in
from instrument.privacy.redaction import Redaction, strictest
from instrument.rates import Bucket
from instrument.sampling import is_sampled
from instrument.validation import told_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Encode, EncodeParts, Envelope
    from instrument.messages import SegmentTrack
    from instrument.settings import Settings
    from instrument.stamps import Stamp

T = TypeVar("T")

BeforeSend = Callable[[Any], Any]
"""Is given each message; returns it, a changed copy of it, or `None` to drop it."""

Context = Mapping[str, Any] | None
Admit = Callable[[Any, Context], tuple[Any, Context]]
"""Lets a message and its context pass, maybe changed. Raises `Refusal` where it does not."""


class Way(NamedTuple):
    """What a client does with the messages of a class.

    Attributes:
        encode: makes the envelope.
        encode_fields: makes its parts of what `plain_codec` validates; `None` where the class has none, or needs none.
        admit: what comes before that; `None` where nothing does.
    """

    encode: Encode[Any]
    encode_fields: EncodeParts[Any] | None
    admit: Admit | None


def has_conditions(model: type[Message]) -> bool:
    """Whether the messages of a class need a consent, are sampled or limited, so that a client has to see them."""
    return model.__conditions__ != _NO_CONDITIONS


def name_of(model: type[Message]) -> str:
    """Return the name that settings know a message class by: that of the event, page or screen, else of the class."""
    declaration = model.__declaration__
    return (declaration.name if declaration is not None else None) or model.__name__


class Gate:
    """Knows what is done with each message class by one client.

    Args:
        settings: of the client.
        redactions: the distinct policies for personal data among the destinations.
        clock: gives seconds, for the rate limits.
    """

    def __init__(
        self, settings: Settings, redactions: Sequence[Redaction], clock: Callable[[], float] = monotonic
    ) -> None:
        self._settings = settings
        self._redactions = redactions
        self._clock = clock
        self._disabled = frozenset(settings.disabled_events)
        self._hooks = _several_hooks(settings.before_send)
        self._buckets: dict[str, Bucket] = {}

    @property
    def names_events(self) -> bool:
        """Whether something is asked of messages whose classes ask for nothing."""
        settings = self._settings
        return bool(self._disabled or self._hooks or settings.sample_rates or settings.rate_limits)

    def disable(self, event: str) -> None:
        """Let no message of an event pass from now on."""
        self._disabled |= {event}

    def enable(self, event: str) -> None:
        """Let the messages of an event pass again."""
        self._disabled -= {event}

    def way_of(self, model: type[Any]) -> Way:
        """Compile what is done with the messages of a class.

        Raises:
            DeclarationError: the class is abstract, or hides a mark of personal data.
        """
        # Asked of the class: pydantic answers `isinstance` in Python.
        if not issubclass(model, Message):
            return Way(encode_undeclared, None, self._admit_undeclared if self.names_events else None)
        checks = self._checks(name_of(model), model.__conditions__)
        admit = checks.admit if checks.any else None
        if not holds_personal_data(model):
            return Way(encoder_of(model), None, admit)
        codec = plain_codec(model)
        encode = cast("Encode[Any]", self._under_policies(model, partial(compile_encoder, model)))
        return Way(encode, None if codec is None else self._under_policies(model, codec.encoder), admit)

    def _under_policies(self, model: type[Message], compiled: Callable[[Redaction], EncodeParts[T]]) -> EncodeParts[T]:
        """Compile a serialisation for every policy among the destinations."""
        encoders = [compiled(each) for each in self._redactions]
        if len(encoders) == 1:
            return encoders[0]
        marks = marks_in(model.__pydantic_core_schema__)
        return _several(compiled(strictest(self._redactions, marks)), encoders)

    def _admit_undeclared(self, message: SegmentTrack, context: Context) -> tuple[Any, Context]:
        event: object = message.event
        # What is no text is refused where the envelope is made.
        return self._checks(str(event), _NO_CONDITIONS).admit(message, context)

    def _checks(self, event: str, conditions: Conditions) -> Checks:
        settings = self._settings
        rate = settings.sample_rates.get(event, conditions.sample)
        limit = settings.rate_limits.get(event, conditions.rate_limit)
        return Checks(
            event=event,
            disabled=event in self._disabled,
            consent=conditions.consent,
            unknown_is_granted=settings.consent_default == "granted",
            rate=1.0 if rate is None else rate,
            hooks=self._hooks,
            bucket=None if limit is None else self._bucket(event, limit),
        )

    def _bucket(self, event: str, limit: float) -> Bucket:
        return self._buckets.setdefault(event, Bucket(limit, self._clock))


@dataclass(frozen=True, slots=True)
class Checks:
    """What the messages of an event have to pass, in this order.

    Attributes:
        event: the name.
        disabled: whether none passes.
        consent: the categories that the user must have agreed to.
        unknown_is_granted: whether what is not known counts as agreed to.
        rate: the share of users for whom it is sent.
        hooks: those of the application.
        bucket: how many a second pass.
    """

    event: str
    disabled: bool
    consent: Sequence[str]
    unknown_is_granted: bool
    rate: float
    hooks: Sequence[BeforeSend]
    bucket: Bucket | None

    @property
    def any(self) -> bool:
        """Whether there is anything to pass."""
        return bool(self.disabled or self.consent or self.rate < 1 or self.hooks or self.bucket)

    def admit(self, message: Any, context: Context) -> tuple[Any, Context]:
        """Let a message and its context pass, maybe changed.

        Raises:
            Withheld: one of the checks keeps it back.
            Refusal: a hook raised, or returned something else than a message of the class.
        """
        if self.disabled:
            raise Withheld(Reason.EVENT_DISABLED, f"{self.event}: it is switched off")
        if self.consent:
            self._check_consent(context)
        if self.rate < 1:
            context = self._sampled(message, context)
        for hook in self.hooks:
            message = self._hooked(hook, message)
        if self.bucket is not None and not self.bucket.take():
            raise Withheld(Reason.RATE_LIMITED, f"{self.event}: there are more of it than its rate limit lets through")
        return message, context

    def _check_consent(self, context: Context) -> None:
        preferences = (consent_in(context) or Consent()).preferences
        for category in self.consent:
            if preferences.get(category) is None and not self.unknown_is_granted:
                raise Withheld(Reason.CONSENT, f"{self.event}: it is not known whether the user agrees to {category!r}")
            if preferences.get(category) is False:
                raise Withheld(Reason.CONSENT, f"{self.event}: the user does not agree to {category!r}")

    def _sampled(self, message: Any, context: Context) -> Context:
        if not is_sampled(self.event, _user_of(message), self.rate):
            raise Withheld(Reason.SAMPLED, f"{self.event}: its user is not among those for whom it is sent")
        notes: Any = (context or {}).get("instrument", {})
        return {**(context or {}), "instrument": {**notes, "sampleRate": self.rate}}

    def _hooked(self, hook: BeforeSend, message: Any) -> Any:
        raised = ""
        changed: object = None
        try:
            changed = hook(message)
        except Exception as error:  # noqa: BLE001 - what a hook raises may hold what is in the message
            raised = type(error).__name__
        # Outside of the block, so that the error does not go along.
        if raised:
            raise Refusal(Reason.HOOK_FAILED, f"{self.event}: before_send {_shown(hook)} raised {raised}")
        if changed is None:
            raise Withheld(Reason.DROPPED, f"{self.event}: before_send {_shown(hook)} dropped it")
        if changed is message:
            return message
        if type(changed) is not type(message):
            raise Refusal(
                Reason.HOOK_FAILED,
                f"{self.event}: before_send {_shown(hook)} returned no {type(message).__name__}, but "
                f"{type(changed).__name__}",
            )
        if not isinstance(changed, Message):
            return changed
        return _validated(changed, f"{self.event}: before_send {_shown(hook)}")


def _validated(message: Message, where: str) -> Message:
    """Check a copy, in which pydantic lets anything be changed.

    Raises:
        Refusal: the copy does not fit its class.
    """
    model, problem = type(message), ""
    try:
        return model.model_validate(dict(message.__dict__))
    except ValidationError as error:
        problem = told_all(model, error)
    raise Refusal(Reason.INVALID, f"{where}: {problem}")


def _user_of(message: Any) -> str:
    user = getattr(message, "user_id", None)
    return str(getattr(message, "anonymous_id", None) if user is None else user)


def _shown(hook: BeforeSend) -> str:
    return getattr(hook, "__qualname__", type(hook).__name__)


def _several_hooks(setting: BeforeSend | Sequence[BeforeSend] | None) -> Sequence[BeforeSend]:
    if setting is None:
        return ()
    return (setting,) if callable(setting) else tuple(setting)


def _several(strictest: EncodeParts[T], encoders: Sequence[EncodeParts[T]]) -> Encode[T]:
    def encode(message: T, stamp: Stamp, end: bytes) -> Envelope:
        return Variants.of(strictest(message, stamp, end), tuple([each(message, stamp, end) for each in encoders]))

    return encode


_NO_CONDITIONS = Conditions()
