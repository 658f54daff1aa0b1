"""The client: takes messages over and answers with receipts. It never raises, and never waits for the network."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict

from instrument import context, transactions
from instrument.delivery.destination import network_blocked
from instrument.delivery.envelope import check_message_id, encode_undeclared, tail
from instrument.delivery.ledger import Ledger, Stats
from instrument.errors import InstrumentError, Reason, Refusal, Withheld
from instrument.faults import Faults, ambient
from instrument.forks import ForkSafe, at_fork
from instrument.gate import Gate, name_of
from instrument.messages import Alias, Group, Identify, Message, Page, Screen, SegmentTrack, Track
from instrument.observing import Guarded
from instrument.places import caller
from instrument.routes import general_redaction, has_destinations, transport_of, watch_of
from instrument.stamps import Stamp, Stamps, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from typing_extensions import Unpack

    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import EncodeParts, Envelope
    from instrument.delivery.pipeline import Durability, Transport
    from instrument.delivery.watch import Watch
    from instrument.gate import Way
    from instrument.observing import Observer
    from instrument.privacy.redaction import PolicySetting, Redaction
    from instrument.settings import Settings

log: Final = logging.getLogger("instrument")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the client answers for one message: true when it was accepted.

    Attributes:
        message_id: the id of the envelope; `None` where none was made.
        error: why the message was not accepted, or `None`.
        held: whether it waits for the transaction that it was emitted in: sent when that commits, dropped when it
            is rolled back. See `instrument.transactions`.
    """

    message_id: str | None
    error: Exception | None = None
    held: bool = False

    def __bool__(self) -> bool:
        return self.error is None


class Options(TypedDict, total=False):
    """The arguments of `Client(...)` and `configure(...)`; `Settings` says what each means."""

    write_key: str | None
    host: str | None
    enabled: bool | None
    durability: Durability
    fsync: bool
    spool_dir: Path | str | None
    spool_max_bytes: int
    flush_timeout: float
    strict: bool
    debug: bool
    debug_host: str
    debug_port: int
    late: Literal["strip", "refuse"]
    on_error: Callable[[BaseException, str], object] | None
    on_drop: Callable[[Any, str], object] | None
    destinations: Sequence[Destination] | None
    gzip: bool
    timeout: float
    proxies: Mapping[str, str] | None
    oauth_client_id: str | None
    oauth_client_key: str | None
    oauth_key_id: str | None
    oauth_auth_server: str
    oauth_scope: str
    pii_key: str | None
    pii: PolicySetting
    consent_default: Literal["granted", "refused"]
    sample_rates: Mapping[str, float]
    rate_limits: Mapping[str, float]
    disabled_events: Sequence[str]
    before_send: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] | None


class Extras(TypedDict, total=False):
    """What may go with one message.

    Attributes:
        timestamp: when it happened, if not now; a time without a zone is taken as UTC.
        message_id: its id, if it has one already, so that a repetition is dropped by the receiver.
        context: Segment's context, https://segment.com/docs/connections/spec/common/#context
        integrations: which of Segment's destinations get it.
        transactional: whether it waits for the transaction that it is emitted in; by default it does, where
            transactions are followed.
    """

    timestamp: datetime | None
    message_id: str | None
    context: Mapping[str, Any] | None
    integrations: Mapping[str, Any] | None
    transactional: bool


class Client:
    """Takes messages over, and delivers them in the background.

    Args:
        transport: where envelopes are handed to, instead of to the destinations of the settings.
        stamps: the clock and the ids.
        options: the settings; what is left out comes from the environment. See `instrument.settings.Settings`.

    Raises:
        pydantic.ValidationError: a setting does not fit.

    >>> from instrument import Client
    >>> Client(write_key=None, enabled=False).enabled
    False
    """

    def __init__(
        self, *, transport: Transport | None = None, stamps: Stamps | None = None, **options: Unpack[Options]
    ) -> None:
        from instrument.settings import Settings  # noqa: PLC0415 - imported when a client needs it

        self._set_up(Settings(**options), transport, stamps)  # type: ignore[arg-type]

    def _set_up(self, settings: Settings, transport: Transport | None, stamps: Stamps | None) -> None:
        self.settings = settings
        self.faults: Faults = Faults(strict=settings.strict, on_error=settings.on_error)
        self.enabled: bool
        self.enabled, self._why_disabled = _enabled(settings, transport)
        self.strict: bool = settings.strict
        self.debug: bool = settings.debug
        self.active: bool = self.enabled or settings.strict or settings.debug
        """Whether messages are built at all: strict and debug do so even where nothing is sent."""
        self.ledger: Ledger = Ledger()
        self.next_stamp: Callable[[], Stamp] = (stamps or Stamps()).next
        # Made here and not at the first message, which would wait for its imports; nothing of it runs before that.
        self.watch: Watch | None = watch_of(settings) if self.enabled and transport is None and settings.debug else None
        """The way to the local debugger, in debug mode."""
        self.direct: Transport | None
        self.direct, redactions = self._route(transport)
        """What takes envelopes over that wait for nothing."""
        self.transport: Taking | None = self.direct
        """What takes envelopes over that wait for their transaction, where transactions are followed."""
        self._told_disabled = False
        takes_alone = self.direct is not None and self.direct.take is not None
        self._gate = Gate(settings, redactions)
        self._ways: dict[type, Way] = {}
        self.plain: bool = self.enabled and takes_alone and not settings.debug and not self._gate.names_events
        """Whether an envelope is handed over alone, by `direct.take`: nobody sees the message, or adds to it."""
        self._observer: Guarded | None = None
        transactions.join(self)

    def _route(self, given: Transport | None) -> tuple[Transport | None, Sequence[Redaction]]:
        if given is not None or not self.enabled:
            return given, [general_redaction(self.settings)]
        return transport_of(self.settings, self.ledger, self.watch)

    def track(self, message: Track | SegmentTrack, **extras: Unpack[Extras]) -> Receipt:
        """Send an event.

        Args:
            message: an instance of a declared event, or any object with `user_id`, `event` and `properties`.
            extras: `timestamp`, `message_id`, `context`, `integrations`.

        >>> from instrument import Client, Scope, Track
        >>> class UserScope(Scope):
        ...     user_id: int
        >>> class DocumentOpened(Track, UserScope):
        ...     pages: int
        >>> receipt = Client(enabled=False).track(DocumentOpened(user_id=7, pages=3))
        >>> bool(receipt), receipt.error.reason.value
        (False, 'disabled')
        """
        return self._send(Track, message, extras)

    def identify(self, message: Identify, **extras: Unpack[Extras]) -> Receipt:
        """Say who a user is."""
        return self._send(Identify, message, extras)

    def group(self, message: Group, **extras: Unpack[Extras]) -> Receipt:
        """Say what group a user belongs to."""
        return self._send(Group, message, extras)

    def page(self, message: Page, **extras: Unpack[Extras]) -> Receipt:
        """Say that a page was viewed."""
        return self._send(Page, message, extras)

    def screen(self, message: Screen, **extras: Unpack[Extras]) -> Receipt:
        """Say that a screen was viewed."""
        return self._send(Screen, message, extras)

    def alias(self, message: Alias, **extras: Unpack[Extras]) -> Receipt:
        """Say that two ids are one user."""
        return self._send(Alias, message, extras)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was accepted is delivered, or will never be.

        Args:
            timeout: seconds to wait at most; by default the setting `flush_timeout`.

        Returns:
            Whether it was.
        """
        return self.direct is None or self.direct.flush(self._timeout(timeout))

    def close(self, timeout: float | None = None) -> bool:
        """Flush, and take no more messages.

        Args:
            timeout: seconds to wait at most; by default the setting `flush_timeout`.

        Returns:
            Whether everything was delivered.
        """
        return self.direct is None or self.direct.close(self._timeout(timeout))

    def observe(self, observer: Observer) -> None:
        """Have each message watched, and its context added to, by one observer, in place of the one before."""
        self._observer = Guarded(observer)
        self.plain = False

    def stats(self) -> Stats:
        """Return what became of the messages so far."""
        transport = self.direct
        accepted, queued, lag = (
            (0, 0, 0.0) if transport is None else (transport.accepted, transport.queued, transport.lag)
        )
        return self.ledger.stats(accepted=accepted, refused=self.faults.refused, queued=queued, lag=lag)

    def accept(
        self,
        message: Message | SegmentTrack,
        *,
        message_id: str | None = None,
        timestamp: datetime | None = None,
        context: Mapping[str, Any] | None = None,
        integrations: Mapping[str, Any] | None = None,
        late: bool = False,
        transactional: bool = True,
    ) -> Receipt:
        """Take a message over; what the methods of the specs and the decorators share.

        Raises:
            Refusal: the message is not accepted.
        """
        stamp = self.next_stamp()
        if message_id is not None or timestamp is not None:
            stamp = _stamped(stamp, message_id, timestamp)
        encode, _, admit = self._ways.get(type(message)) or self._way_of(type(message))
        if admit is not None:
            message, context = admit(message, context)
        observer = self._observer
        end = tail(context if observer is None else observer.context(context), integrations)
        held = self._put(encode(message, stamp, end), message, transactional=transactional)
        if encode is encode_undeclared:
            self.ledger.count("undeclared")
        if late:
            self.ledger.count("late")
        if observer is not None:
            observer.accepted(message, stamp[0])
        return Receipt(stamp[0], held=held)

    def encoder_of(self, model: type[Message], *, plain: bool) -> EncodeParts[Any]:
        """Return the serialisation of a message class of which nothing else is asked.

        Args:
            model: the class.
            plain: whether what is serialised are the fields alone, as `plain_codec` validates them.

        Raises:
            LookupError: something is.
        """
        encode, encode_fields, admit = self._ways.get(model) or self._way_of(model)
        chosen = encode_fields if plain else encode
        if chosen is None or admit is not None:
            raise LookupError(model)
        return chosen

    def _way_of(self, model: type[Any]) -> Way:
        ways = self._ways  # another one by the time that the way is known, if an event was switched off meanwhile
        ways[model] = way = self._gate.way_of(model)
        return way

    def disable_event(self, event: type[Message] | str) -> None:
        """Send no message of an event any more, until `enable_event`.

        Args:
            event: the class, or its event's name.

        >>> from instrument import Client, Scope, Track
        >>> class UserScope(Scope):
        ...     user_id: int
        >>> class KeyPressed(Track, UserScope): ...
        >>> client = Client(strict=True, enabled=False)
        >>> client.disable_event(KeyPressed)
        >>> client.track(KeyPressed(user_id=7)).error.reason.value
        'event_disabled'
        """
        self._gate.disable(event if isinstance(event, str) else name_of(event))
        self.plain, self._ways = False, {}

    def enable_event(self, event: type[Message] | str) -> None:
        """Send the messages of an event again.

        Args:
            event: the class, or its event's name.
        """
        self._gate.enable(event if isinstance(event, str) else name_of(event))
        self._ways = {}

    def take(self, envelope: Envelope, message: SegmentTrack) -> None:
        """Take an envelope over that was made elsewhere, counted as undeclared.

        Args:
            envelope: what is sent, within Segment's limit.
            message: what it was made of.

        Raises:
            Refusal: the envelope is not accepted.
        """
        self._put(envelope, message, transactional=True)
        self.ledger.count("undeclared")

    def _put(self, envelope: Envelope, message: Message | SegmentTrack, *, transactional: bool) -> bool:
        transport = self.transport if transactional else self.direct
        if transport is None or not self.enabled:
            raise self._disabled()
        return bool(transport.put(envelope, message))

    def follow_transactions(self) -> None:
        """Have messages wait for the transaction that they are emitted in; see `instrument.transactions`."""
        if self.direct is not None:
            self.transport = Waiting(self, self.direct)
            self.plain = False

    def tell_disabled(self) -> None:
        """Say once that nothing is sent."""
        if not self._told_disabled:
            self._told_disabled = True
            log.warning("No events are sent: %s.", self._why_disabled)

    def _send(self, spec: type[Message], message: Any, extras: Extras) -> Receipt:
        if not self.active:
            return Receipt(None, self._disabled())
        try:
            _check_spec(spec, message)
            return self._accept_late_or_not(message, extras)
        except InstrumentError as error:
            if not (isinstance(error, Refusal) and error.reason is Reason.DISABLED):
                self._show_refusal(message, error)
                where = "" if isinstance(error, Withheld) else f"{type(message).__name__}, sent at {caller()}"
                self.faults.report(error, where)
            return Receipt(None, error)
        except Exception as error:  # noqa: BLE001 - the client never raises, whatever a message does
            # Its own text may hold what is in the message, and stays with the cause.
            name = type(message).__name__
            unread = Refusal(Reason.SOURCE_FAILED, f"{name}: reading it raised {type(error).__name__}")
            unread.__cause__ = error
            self._show_refusal(message, unread)
            self.faults.report(unread, f"{name}, sent at {caller()}")
            return Receipt(None, unread)

    def _accept_late_or_not(self, message: Message | SegmentTrack, extras: Extras) -> Receipt:
        frame, late = context.capture(perf_counter())
        of_request = None if frame is None else frame.context
        if not (late or of_request or self.debug):
            return self.accept(message, **extras)
        if late and self.settings.late == "refuse":
            raise Refusal(Reason.LATE, f"{type(message).__name__}: it was sent after its request scope was closed")
        marked = extras.copy()
        notes: dict[str, Any] = {"late": True} if late else {}
        if self.debug:
            notes |= _notes(type(message), frame)
        noted = {"instrument": notes} if notes else {}
        marked["context"] = {**(of_request or {}), **(extras.get("context") or {}), **noted}
        return self.accept(message, late=late, **marked)

    def _show_refusal(self, message: object, error: Exception) -> None:
        declaration = getattr(type(message), "__declaration__", None)
        if self.watch is not None and declaration is not None:
            self.watch.refused(declaration, self.next_stamp(), error, _notes(type(message), context.current_frame()))

    def _disabled(self) -> Refusal:
        self.tell_disabled()
        return Refusal(Reason.DISABLED, f"the client is disabled: {self._why_disabled}")

    def _timeout(self, timeout: float | None) -> float:
        # `max` last, so that what is no number waits for nothing.
        return self.settings.flush_timeout if timeout is None else max(0.0, min(timeout, threading.TIMEOUT_MAX))


class Taking(Protocol):
    """What a client hands its envelopes to."""

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> bool | None:
        """Take an envelope over; answer whether it waits for a transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client's transport where transactions are followed.

    Attributes:
        client: whose.
        direct: what takes over what waits for no transaction.
    """

    client: Client
    direct: Transport

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> bool:
        """Take an envelope over; answer whether it waits for a transaction."""
        return transactions.put(self.client, self.direct, envelope, message)


class _Default(ForkSafe):
    """The default client, made when it is first needed.

    Attributes:
        client: the one in force.
        configured: the one of the application.
        stand_in: the one that a test has put in front of it.
    """

    __slots__ = ("__weakref__", "client", "configured", "lock", "stand_in")

    def __init__(self) -> None:
        self.client: Client | None = None
        self.configured: Client | None = None
        self.stand_in: Client | None = None
        self.after_fork_in_child()
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Begin with a lock that nobody holds; the clients are those of the parent."""
        self.lock = threading.RLock()

    def replace(self, client: Client | None) -> Client | None:
        with self.lock:
            before, self.configured = self.configured, client
            self._settle()
        return before

    def cover(self, client: Client | None) -> Client | None:
        with self.lock:
            before, self.stand_in = self.stand_in, client
            self._settle()
        return before

    def _settle(self) -> None:
        self.client = self.configured if self.stand_in is None else self.stand_in
        ambient.faults = Faults() if self.client is None else self.client.faults


_default = _Default()


def default_client() -> Client:
    """Return the default client; at first use, one with the settings of the environment."""
    client = _default.client
    return _first_default_client() if client is None else client


def configure(**options: Unpack[Options]) -> Client:
    """Make the default client anew, with these settings; what is left out comes from the environment.

    The client before is closed: what it had accepted is delivered within its `flush_timeout`.

    Raises:
        pydantic.ValidationError: a setting does not fit.

    >>> from instrument import configure
    >>> configure(enabled=False).enabled
    False
    """
    client = Client(**options)
    before = _default.replace(client)
    if before is not None:
        before.close()
    return client


def swap_default_client(client: Client | None) -> Client | None:
    """Put another client in the place of the default one, without closing that; return it."""
    return _default.replace(client)


def stand_in_for_default_client(client: Client | None) -> Client | None:
    """Put a client in front of the default one, whatever `configure` does meanwhile; return the one before."""
    return _default.cover(client)


def _first_default_client() -> Client:
    with _default.lock:
        if _default.client is None:
            try:
                client = Client()
            except Exception as error:  # noqa: BLE001 - a wrong environment must not reach a handler
                log.error("No events are sent: a setting in the environment does not fit: %s", error)
                client = _SwitchedOff()
            _default.replace(client)
        assert _default.client is not None
        return _default.client


class _SwitchedOff(Client):
    """What stands in where the environment holds a setting that does not fit: it reads nothing of it."""

    def __init__(self) -> None:
        from instrument.settings import Settings  # noqa: PLC0415 - as in Client

        self._set_up(Settings.model_construct(enabled=False), None, None)


def _notes(kind: type[object], frame: context.Frame | None) -> dict[str, Any]:
    """Say where a message is sent from, in debug mode."""
    spec = getattr(kind, "__segment_spec__", Track.__segment_spec__)
    return {"handler": f"client.{spec.type}", "place": str(caller()), **context.notes_of(frame)}


def _stamped(stamp: Stamp, message_id: str | None, timestamp: datetime | None) -> Stamp:
    new_id, now = stamp
    return (
        new_id if message_id is None else check_message_id(message_id),
        now if timestamp is None else format_time(timestamp),
    )


def _enabled(settings: Settings, transport: Transport | None) -> tuple[bool, str]:
    if settings.enabled is False:
        return False, "the setting `enabled` is off"
    # In debug mode there is always one to send to: the local debugger.
    if not (transport is not None or has_destinations(settings) or settings.debug):
        return False, "there is no write key; set SEGMENT_CLIENT_KEY, or call instrument.configure(write_key=…)"
    if network_blocked() and transport is None and any(_is_remote(each) for each in settings.destinations or [None]):
        return False, "tests are running; mark a test with @pytest.mark.instrument_delivery to send from it"
    return True, ""


def _is_remote(destination: Destination | None) -> bool:
    return destination is None or destination.remote


def _check_spec(spec: type[Message], message: object) -> None:
    if isinstance(message, spec):
        return
    name = spec.__name__.lower()
    if spec is Track and not isinstance(message, Message) and isinstance(message, SegmentTrack):
        return
    raise Refusal(
        Reason.INVALID,
        f"client.{name} takes an instance of a declared {spec.__name__}, not {type(message).__name__}",
    )
