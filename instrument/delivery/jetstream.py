"""NATS JetStream (https://docs.nats.io/nats-concepts/jetstream), for callers that are not asynchronous.

The client, nats-py, is: it lives on an event loop of its own, on a thread of its own, and is called from outside.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from instrument.delivery.destination import Held, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from nats.aio.client import Client
    from nats.js import JetStreamContext

T = TypeVar("T")

DEFAULT_SERVER = "nats://127.0.0.1:4222"
DEFAULT_STREAM = "instrument"
DEFAULT_SUBJECT = "instrument.messages"

_RECONNECT_EVERY = 0.5
_PATIENCE = 2.0
"""Seconds that closing waits for the thread."""
_NOT_IN_NAMES = ".*>/\\"
_BAD_CREDENTIALS = ("authorization", "authentication", "credentials")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, and how it is made where there is none.

    Attributes:
        name: its name.
        subject: the subject that messages are published to.
        replicas: how many servers of a cluster keep each message.
        duplicate_window: how long the server remembers message ids, in seconds.
        max_bytes: how much it may hold; above it, it takes no more. `None` for no bound.

    Raises:
        ValueError: the name has a character that servers do not take.
    """

    name: str = DEFAULT_STREAM
    subject: str = DEFAULT_SUBJECT
    replicas: int = 1
    duplicate_window: float = 600.0
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_name("stream", self.name)

    async def ensure(self, jetstream: JetStreamContext) -> None:
        """Make the stream, unless there is one of its name, whatever its settings.

        A message leaves it when it is acknowledged, and none is thrown away to make room for another.
        """
        from nats.js import api, errors  # noqa: PLC0415 - of an extra

        with suppress(errors.NotFoundError):
            await jetstream.stream_info(self.name)
            return
        try:
            await jetstream.add_stream(  # pyright: ignore[reportUnknownMemberType]
                name=self.name,
                subjects=[self.subject],
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,
                num_replicas=self.replicas,
                duplicate_window=self.duplicate_window,
                max_bytes=-1 if self.max_bytes is None else self.max_bytes,
            )
        except errors.BadRequestError:  # another process made it meanwhile, or it cannot be made at all
            await jetstream.stream_info(self.name)


def check_name(what: str, name: str) -> None:
    """Check the name of a stream or consumer: servers make directories of these names.

    Raises:
        ValueError: it has a character that they do not take.
    """
    if not name or any(each in _NOT_IN_NAMES or each.isspace() for each in name):
        raise ValueError(f"{what} {name!r}: a name has at least one character, no space, and none of {_NOT_IN_NAMES}")


class Connection:
    """A connection that is made when it is needed, and made again when it was lost.

    Args:
        servers: the addresses of the servers.
        timeout: seconds to wait for a connection, and for an answer.
        options: further arguments of nats-py's `connect`: credentials, TLS.

    Raises:
        ImportError: nats-py is not installed.
    """

    def __init__(
        self, servers: str | Sequence[str], *, timeout: float = 5.0, options: Mapping[str, Any] | None = None
    ) -> None:
        _check_installed()
        self.servers: list[str] = [servers] if isinstance(servers, str) else list(servers)
        self.timeout = timeout
        self._options = dict(options or {})
        self._loop: _Loop | None = None
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._connecting = asyncio.Lock()
        self._error: Exception | None = None

    def __str__(self) -> str:
        """Name the servers, without the credentials that an address may hold."""
        return ", ".join(urlsplit(each).netloc.rpartition("@")[2] or "NATS" for each in self.servers)

    def run(self, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        """Do work on the connection, and wait for its end.

        Raises:
            Held: the server does not take the credentials.
            Unavailable: no server can be reached, or the connection was lost.
            Exception: what the work raises.
        """
        return self._started().start(self._connected(work)).result()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work beside the connection, on its loop, and do not wait."""
        return self._started().start(work)

    def _started(self) -> _Loop:
        if self._loop is None:
            try:
                self._loop = _Loop()
            except RuntimeError:  # as Python 3.12.0 and 3.12.1 have it while the process exits
                raise Unavailable(f"{self}: no thread can be had for the connection") from None
        return self._loop

    def abandon_after_fork(self) -> None:
        """Let go of the parent's connection in a forked child, without touching it.

        Neither the loop nor the client is collected: closing them would reach into what the two processes share.
        """
        _parents_connections.append((self._loop, self._client, self._lost, self._connecting))
        self._loop = self._client = None
        self._connecting = asyncio.Lock()

    def close(self) -> None:
        """Close the connection, and end the thread."""
        loop, self._loop = self._loop, None
        client, self._client = self._client, None
        if loop is None:
            return
        if client is not None:
            with suppress(Exception):
                loop.start(client.close()).result(_PATIENCE)
        loop.close()

    async def _connected(self, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        async with self._connecting:
            client = self._client
            if client is None or client.is_closed:
                client = self._client = await self._connect()
        if not client.is_connected:
            raise self._unavailable()
        jetstream = client.jetstream(timeout=self.timeout)  # pyright: ignore[reportUnknownMemberType]
        return await _unless(self._lost, work(jetstream), self._unavailable)

    async def _connect(self) -> Client:
        from nats.aio.client import Client  # noqa: PLC0415 - of an extra

        client, self._lost, self._error = Client(), asyncio.Event(), None
        try:
            await asyncio.wait_for(client.connect(self.servers, **self._connect_options(self._lost)), self.timeout)
        except Exception as error:  # noqa: BLE001 - told by what the last attempt met
            if self._error is None:
                self._error = error
            with suppress(Exception):
                await client.close()
            raise self._unavailable() from None
        return client

    def _connect_options(self, lost: asyncio.Event) -> dict[str, Any]:
        async def note(error: Exception) -> None:
            if not _is_refusal(self._error):  # which says more than a connection that was dropped after it
                self._error = error

        async def disconnected() -> None:
            lost.set()

        async def reconnected() -> None:
            lost.clear()

        return {
            "name": "instrument",
            "connect_timeout": self.timeout,
            "reconnect_time_wait": _RECONNECT_EVERY,
            "max_reconnect_attempts": -1,
            **self._options,
            "error_cb": note,
            "disconnected_cb": disconnected,
            "reconnected_cb": reconnected,
        }

    def _unavailable(self) -> Unavailable:
        error = self._error
        if _is_refusal(error):
            return Held(f"{self}: the server refuses the credentials")
        why = f" ({type(error).__name__})" if error is not None else ""
        return Unavailable(f"{self}: there is no connection{why}")


def _is_refusal(error: Exception | None) -> bool:
    return any(word in str(error).lower() for word in _BAD_CREDENTIALS)


_parents_connections: list[object] = []


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=_run_loop, args=(started,), name="instrument-nats", daemon=True)
        self._thread.start()
        self._loop, self._stop = started.result()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)


class _Resolving(asyncio.SelectorEventLoop):
    """A loop that looks names up itself.

    Asyncio asks a pool of threads, which Python takes no more work for once the process exits, when the last messages
    are to be delivered. Nothing else is kept waiting: names are looked up where there is no connection.
    """

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        return socket.getaddrinfo(host, port, **options)


def _run_loop(started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    loop = _Resolving()
    try:
        loop.run_until_complete(_until_stopped(started))
    finally:
        loop.close()


async def _until_stopped(started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    stop = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, T], error: Callable[[], Exception]) -> T:
    """Do work, and break it off with an error where an event comes first.

    Args:
        event: what it does not go on after.
        work: what is done.
        error: makes what is raised then.
    """
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise error()
        return doing.result()
    finally:
        waiting.cancel()
        if not doing.done():
            doing.cancel()
            with suppress(BaseException):
                await doing


def _check_installed() -> None:
    if find_spec("nats") is None:
        raise ImportError("NATS needs nats-py: pip install 'instrument-analytics[nats]'")
