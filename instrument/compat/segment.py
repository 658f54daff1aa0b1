"""The surface of `segment.analytics` over our client, for code that was written for Segment's own.

    import instrument.compat.segment as analytics

The names, parameters, defaults, return values and the errors of wrong arguments are those of segment-analytics-python;
what is delivered is what that delivers, durably. The document "Migrating" lists what differs.
"""

from __future__ import annotations

import logging
import numbers
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pydantic_core import from_json
from segment.analytics.utils import guess_timezone

from instrument.client import Client as _Client
from instrument.compat.plain import as_json, plain
from instrument.delivery.destination import Rejected
from instrument.delivery.envelope import LIBRARY_CONTEXT, MAX_BYTES, Envelope, check_message_id
from instrument.delivery.ledger import Stats
from instrument.delivery.said import Said
from instrument.errors import Reason, Refusal
from instrument.places import caller
from instrument.stamps import Stamps
from instrument.version import VERSION

if TYPE_CHECKING:
    from typing import Concatenate

    from typing_extensions import ParamSpec

    from instrument.client import Options

    P = ParamSpec("P")

__version__ = VERSION

T = TypeVar("T")
Id = str | float | Decimal
"""What a user, group or anonymous visitor is known by."""
Message = dict[str, Any]
OnError = Callable[[Exception, list[Message]], object]
Answer = tuple[bool, Message]
"""Whether the message was queued, and the message."""

_ID_TYPES = (numbers.Number, str)


class InvalidCall(Refusal, AssertionError):
    """An argument of the wrong type: an `AssertionError`, as from Segment's client."""


class TooLarge(Refusal, RuntimeError):
    """A message above Segment's limit: a `RuntimeError`, as from Segment's client."""


class Client:
    """Queues the calls of the Segment spec, as `segment.analytics.Client` does.

    Args:
        write_key: the source's write key.
        host: the base address of the HTTP API.
        debug: whether the logger `segment` shows everything, on standard error if there is no `log_handler`.
        max_queue_size: how many messages of the largest size have room; by default the setting `spool_max_bytes`.
        send: whether anything is queued at all.
        on_error: called with an exception and a list of one message, for each that will never be delivered.
        gzip: whether bodies are compressed.
        max_retries: of no effect: what can be delivered later is.
        sync_mode: whether a call returns only when its message is on the disk, and delivered if that can be.
        timeout: seconds to wait for Segment's answer.
        proxies: by protocol, as for requests.
        thread: of no effect: there is one.
        upload_size: of no effect: batches are as large as Segment takes them.
        upload_interval: of no effect: what is queued is sent at once.
        log_handler: added to the logger `segment`.
        oauth_client_id: with the next two: authenticate by OAuth.
        oauth_client_key: the private key, in PEM.
        oauth_key_id: the id of the key.
        oauth_auth_server: the base address of the OAuth server.
        oauth_scope: the scope of the token.
        max_total_backoff_duration: of no effect, as `max_retries`.
        max_rate_limit_duration: of no effect, as `max_retries`.

    Raises:
        AssertionError: the write key is no text.
        ValueError: a duration is negative, or another setting does not fit.

    >>> client = Client("write-key", send=False)
    >>> queued, message = client.track("u-7", "Report Opened", {"pages": 3})
    >>> queued, message["event"], message["properties"]
    (True, 'Report Opened', {'pages': 3})
    """

    class DefaultConfig:
        """The defaults of the arguments."""

        write_key: str | None = None
        host: str | None = None
        on_error: OnError | None = None
        debug: bool = False
        log_handler: logging.Handler | None = None
        send: bool = True
        sync_mode: bool = False
        max_queue_size: int = 10_000
        gzip: bool = False
        timeout: float = 15
        max_retries: int = 10
        max_total_backoff_duration: float = 43_200
        max_rate_limit_duration: float = 1_800
        proxies: Mapping[str, str] | None = None
        thread: int = 1
        upload_interval: float = 0.5
        upload_size: int = 100
        oauth_client_id: str | None = None
        oauth_client_key: str | None = None
        oauth_key_id: str | None = None
        oauth_auth_server: str = "https://oauth2.segment.io"
        oauth_scope: str = "tracking_api:write"

    log: logging.Logger = logging.getLogger("segment")

    def __init__(
        self,
        write_key: str | None = DefaultConfig.write_key,
        host: str | None = DefaultConfig.host,
        debug: bool = DefaultConfig.debug,
        max_queue_size: int = DefaultConfig.max_queue_size,
        send: bool = DefaultConfig.send,
        on_error: OnError | None = DefaultConfig.on_error,
        gzip: bool = DefaultConfig.gzip,
        max_retries: int = DefaultConfig.max_retries,  # noqa: ARG002
        sync_mode: bool = DefaultConfig.sync_mode,
        timeout: float = DefaultConfig.timeout,
        proxies: Mapping[str, str] | None = DefaultConfig.proxies,
        thread: int = DefaultConfig.thread,  # noqa: ARG002
        upload_size: int = DefaultConfig.upload_size,  # noqa: ARG002
        upload_interval: float = DefaultConfig.upload_interval,  # noqa: ARG002
        log_handler: logging.Handler | None = DefaultConfig.log_handler,
        oauth_client_id: str | None = DefaultConfig.oauth_client_id,
        oauth_client_key: str | None = DefaultConfig.oauth_client_key,
        oauth_key_id: str | None = DefaultConfig.oauth_key_id,
        oauth_auth_server: str = DefaultConfig.oauth_auth_server,
        oauth_scope: str = DefaultConfig.oauth_scope,
        max_total_backoff_duration: float = DefaultConfig.max_total_backoff_duration,
        max_rate_limit_duration: float = DefaultConfig.max_rate_limit_duration,
    ) -> None:
        _require("write_key", write_key, str)
        _require_duration("max_total_backoff_duration", max_total_backoff_duration)
        _require_duration("max_rate_limit_duration", max_rate_limit_duration)
        self.write_key = write_key
        self.host = host
        self.debug = debug
        self.send = send
        self.on_error = on_error
        self.gzip = gzip
        self.sync_mode = sync_mode
        self.timeout = timeout
        self.proxies = proxies
        self.max_total_backoff_duration = max_total_backoff_duration
        self.max_rate_limit_duration = max_rate_limit_duration
        self._stamps = Stamps()
        self._said = Said(self.log)
        self._show(debug=debug, handler=log_handler)
        options: Options = {
            "write_key": write_key,
            "host": host,
            "gzip": gzip,
            "timeout": timeout,
            "proxies": proxies,
            "on_drop": self._dropped,
            "oauth_client_id": oauth_client_id,
            "oauth_client_key": oauth_client_key,
            "oauth_key_id": oauth_key_id,
            "oauth_auth_server": oauth_auth_server,
            "oauth_scope": oauth_scope,
        }
        if sync_mode:
            options["durability"] = "sync"
        if max_queue_size != self.DefaultConfig.max_queue_size:
            options["spool_max_bytes"] = (max_queue_size if max_queue_size > 0 else _UNBOUNDED) * MAX_BYTES
        self._client = _Client(**options) if send else None

    def identify(
        self,
        user_id: Id | None = None,
        traits: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        anonymous_id: Id | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Say who a user is."""
        traits = traits or {}
        _require_identity(user_id, anonymous_id)
        _require("traits", traits, dict)
        body = {"userId": _text(user_id), "anonymousId": _text(anonymous_id), "traits": traits}
        return self._queue("identify", body, _Rest(context, timestamp, integrations, message_id))

    def track(
        self,
        user_id: Id | None = None,
        event: str | None = None,
        properties: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        anonymous_id: Id | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Send an event."""
        properties = properties or {}
        _require_identity(user_id, anonymous_id)
        _require("properties", properties, dict)
        _require("event", event, str)
        body = {
            "event": event,
            "userId": _text(user_id),
            "anonymousId": _text(anonymous_id),
            "properties": properties,
        }
        return self._queue("track", body, _Rest(context, timestamp, integrations, message_id))

    def alias(
        self,
        previous_id: Id | None = None,
        user_id: Id | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Say that two ids are one user."""
        _require("previous_id", previous_id, _ID_TYPES)
        _require("user_id", user_id, _ID_TYPES)
        body = {"userId": _text(user_id), "anonymousId": None, "previousId": previous_id}
        return self._queue("alias", body, _Rest(context, timestamp, integrations, message_id))

    def group(
        self,
        user_id: Id | None = None,
        group_id: Id | None = None,
        traits: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        anonymous_id: Id | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Say what group a user belongs to."""
        traits = traits or {}
        _require_identity(user_id, anonymous_id)
        _require("group_id", group_id, _ID_TYPES)
        _require("traits", traits, dict)
        body = {
            "userId": _text(user_id),
            "anonymousId": _text(anonymous_id),
            "groupId": group_id,
            "traits": traits,
        }
        return self._queue("group", body, _Rest(context, timestamp, integrations, message_id))

    def page(
        self,
        user_id: Id | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        anonymous_id: Id | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Say that a page was viewed."""
        body = _viewed(user_id, category, name, properties, anonymous_id)
        return self._queue("page", body, _Rest(context, timestamp, integrations, message_id))

    def screen(
        self,
        user_id: Id | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: dict[str, Any] | None = None,
        context: dict[str, Any] | None = None,
        timestamp: datetime | None = None,
        anonymous_id: Id | None = None,
        integrations: dict[str, Any] | None = None,
        message_id: Id | None = None,
    ) -> Answer:
        """Say that a screen was viewed."""
        body = _viewed(user_id, category, name, properties, anonymous_id)
        return self._queue("screen", body, _Rest(context, timestamp, integrations, message_id))

    def flush(self) -> None:
        """Wait until what is queued is delivered, or nothing was for the setting `flush_timeout`."""
        if self._client is None:
            return
        before = -1
        while not self._client.flush() and before < (now := _settled(self._client.stats())):
            before = now

    def join(self) -> None:
        """Stop, and take nothing more; what cannot be delivered now waits on the disk for the next process."""
        if self._client is not None:
            self._client.close()

    def shutdown(self) -> None:
        """Flush and stop."""
        self.flush()
        self.join()

    def stats(self) -> Stats:
        """Return what became of the messages so far; Segment's client has no such counts."""
        return Stats() if self._client is None else self._client.stats()

    def _queue(self, kind: str, body: Message, rest: _Rest) -> Answer:
        message: Message = {"type": kind, **body, **rest.checked(self._stamps)}
        try:
            message = plain(message, partial(self._left_out, kind))
            json = as_json(message)
        except RecursionError:
            why = f"{kind}: it is circular, or nested too deep"
            return self._refused(Refusal(Reason.NOT_SERIALIZABLE, why), kind), message
        if len(json) > MAX_BYTES:
            raise TooLarge(Reason.TOO_LARGE, f"{kind}: it takes {len(json):,} bytes, above the limit of {MAX_BYTES:,}")
        return self._put(json, message), message

    def _put(self, json: bytes, message: Message) -> bool:
        if not self.send or self._client is None:
            return True
        try:
            self._client.take(Envelope(check_message_id(message["messageId"]), json), Undeclared.of(message))
        except Refusal as error:
            # A client that is switched off answers as one with `send=False`.
            return error.reason is Reason.DISABLED or self._refused(error, message["type"])
        self.log.debug("queued: %s", message["type"])
        if self.sync_mode:
            self._client.flush(self.timeout)
        return True

    def _refused(self, error: Refusal, kind: str) -> bool:
        if self._client is not None:
            self._client.faults.report(error, _where(kind))
        return False

    def _left_out(self, kind: str, left_out: type) -> None:
        where = _where(kind)
        self._said.warn(
            where, "%s: a value of type %s has no JSON form, and is left out.", where, left_out.__qualname__
        )

    def _dropped(self, envelope: Envelope, reason: str) -> None:
        if self.on_error:
            self.on_error(Rejected(reason), [from_json(envelope.body)])

    def _show(self, *, debug: bool, handler: logging.Handler | None) -> None:
        if debug:
            self.log.setLevel(logging.DEBUG)
        if handler is not None or debug:
            self.log.addHandler(handler or logging.StreamHandler())


_UNBOUNDED: Final = 1 << 40


class Undeclared(NamedTuple):
    """What a call was made of: what a client's `Transport` sees beside the envelope."""

    user_id: Any
    event: str
    properties: Mapping[str, Any]

    @classmethod
    def of(cls, message: Message) -> Undeclared:
        """Read it from a message."""
        name = message.get("event") or message.get("name") or message["type"]
        return cls(message["userId"], name, message.get("properties") or message.get("traits") or {})


class _Rest(NamedTuple):
    """The arguments that every call has."""

    context: dict[str, Any] | None
    timestamp: datetime | None
    integrations: dict[str, Any] | None
    message_id: Id | None

    def checked(self, stamps: Stamps) -> Message:
        """Return what the message has of them.

        Raises:
            AssertionError: one is of the wrong type.
        """
        context, integrations = self.context or {}, self.integrations or {}
        message_id, now = stamps.next()
        _require("integrations", integrations, dict)
        if self.timestamp is not None:
            _require("timestamp", self.timestamp, datetime)
            now = guess_timezone(self.timestamp).isoformat(timespec="milliseconds")
        _require("context", context, dict)
        return {
            "messageId": _text(message_id if self.message_id is None else self.message_id),
            "timestamp": now.replace("Z", "+00:00"),
            "context": {**context, "library": LIBRARY_CONTEXT},
            "integrations": integrations,
        }


def _viewed(
    user_id: Id | None,
    category: str | None,
    name: str | None,
    properties: dict[str, Any] | None,
    anonymous_id: Id | None,
) -> Message:
    properties = properties or {}
    _require_identity(user_id, anonymous_id)
    _require("properties", properties, dict)
    if name:
        _require("name", name, str)
    if category:
        _require("category", category, str)
    return {
        "name": name,
        "category": category,
        "userId": _text(user_id),
        "anonymousId": _text(anonymous_id),
        "properties": properties,
    }


def _require_identity(user_id: object, anonymous_id: object) -> None:
    _require("user_id or anonymous_id", user_id or anonymous_id, _ID_TYPES)


def _require(name: str, value: object, kind: type | tuple[type, ...]) -> None:
    if not isinstance(value, kind):
        kinds = " or ".join(each.__name__.lower() for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise InvalidCall(Reason.INVALID, f"{name} must have the type {kinds}, got: {type(value).__name__}")


def _require_duration(name: str, value: float | None) -> None:
    if value is None or value < 0:
        raise ValueError(f"{name} must be a non-negative number")


def _text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else str(value)


def _where(kind: str) -> str:
    return f"{kind}, sent at {caller()}"


def _settled(stats: Stats) -> int:
    return sum(stats.delivered.values()) + sum(stats.dead.values())


# The settings, read when the first call makes the default client.
write_key: str | None = Client.DefaultConfig.write_key
host: str | None = Client.DefaultConfig.host
on_error: OnError | None = Client.DefaultConfig.on_error
debug: bool = Client.DefaultConfig.debug
log_handler: logging.Handler | None = Client.DefaultConfig.log_handler
send: bool = Client.DefaultConfig.send
sync_mode: bool = Client.DefaultConfig.sync_mode
max_queue_size: int = Client.DefaultConfig.max_queue_size
gzip: bool = Client.DefaultConfig.gzip
timeout: float = Client.DefaultConfig.timeout
max_retries: int = Client.DefaultConfig.max_retries
oauth_client_id: str | None = Client.DefaultConfig.oauth_client_id
oauth_client_key: str | None = Client.DefaultConfig.oauth_client_key
oauth_key_id: str | None = Client.DefaultConfig.oauth_key_id
oauth_auth_server: str = Client.DefaultConfig.oauth_auth_server
oauth_scope: str = Client.DefaultConfig.oauth_scope

default_client: Client | None = None


def _of_default_client(method: Callable[Concatenate[Client, P], T]) -> Callable[P, T]:
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # By its name, since tests put a client of their own in the place of the default one.
        found: Callable[P, T] = getattr(_default_client(), method.__name__)
        return found(*args, **kwargs)

    update_wrapper(call, method)
    del call.__wrapped__  # type: ignore[attr-defined]
    return call


def _default_client() -> Client:
    global default_client  # noqa: PLW0603 - a name of Segment's, which code sets
    if default_client is None:
        # Without a lock, which a fork might leave taken: if two threads make one each, both deliver what they get.
        default_client = Client(
            write_key,
            host=host,
            debug=debug,
            max_queue_size=max_queue_size,
            send=send,
            on_error=on_error,
            gzip=gzip,
            max_retries=max_retries,
            sync_mode=sync_mode,
            timeout=timeout,
            oauth_client_id=oauth_client_id,
            oauth_client_key=oauth_client_key,
            oauth_key_id=oauth_key_id,
            oauth_auth_server=oauth_auth_server,
            oauth_scope=oauth_scope,
        )
    return default_client


track: Final = _of_default_client(Client.track)
identify: Final = _of_default_client(Client.identify)
group: Final = _of_default_client(Client.group)
alias: Final = _of_default_client(Client.alias)
page: Final = _of_default_client(Client.page)
screen: Final = _of_default_client(Client.screen)
flush: Final = _of_default_client(Client.flush)
join: Final = _of_default_client(Client.join)
shutdown: Final = _of_default_client(Client.shutdown)
