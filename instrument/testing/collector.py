"""A collector on this machine that speaks Segment's HTTP API: for end-to-end tests, demos and benchmarks.

In a test:

    with Collector() as collector:
        client = Client(write_key="test", host=collector.url)
        ...
        assert collector.wait_for(1) == [{"type": "track", ...}]

As a process of its own, which prints its address as its first line:

    python -m instrument.testing.collector --port 0 --out received.jsonl

It behaves like Segment until it is told otherwise, by `Collector.behave` or by `POST /control`: that is how a test
brings about an outage, a rate limit, or an answer that is lost on its way.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gc
import json
import socket
import sys
import threading
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    _Respond = Callable[[str, str, Mapping[str, str], bytes], "_Reply | None"]

MAX_BATCH_BYTES = 500 << 10
"""Segment's limit for the body of one batch, uncompressed, in bytes."""
MAX_MESSAGE_BYTES = 32 << 10
"""Segment's limit for one message, in bytes."""
MAX_BATCH_MESSAGES = 2_500
"""Segment's limit for the messages of one batch."""

_ENDPOINTS = frozenset({"/v1/batch", "/v1/import"})
_ID = b'"messageId":'
_MOST_READ = 16 << 20
"""Bytes of one body that are read, or unpacked, at most."""
_POLL = 0.02
"""Seconds after which the accepting thread notices that it shall stop."""
_PATIENCE = 2.0
"""Seconds that closing waits for the thread of a connection."""

Mode = Literal["segment", "status", "hang", "slow", "poison", "lose answer"]


class Behaviour(BaseModel):
    """How the collector treats requests.

    Attributes:
        mode: `segment`: as Segment does. `status`: keep nothing, answer `status`. `hang`: keep nothing, never
            answer. `slow`: wait `delay`, then as Segment does. `poison`: as Segment does, but refuse with 400 each
            batch that holds a message whose event is named `marker`, or that has a property of that name.
            `lose answer`: keep the batch, and drop the connection instead of answering.
        times: for how many requests; after them, as Segment does. Without it, until told otherwise.
        status: what `status` answers.
        retry_after: the header `Retry-After` that goes with it.
        delay: seconds that `slow` waits.
        marker: what `poison` looks for.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "segment"
    times: int | None = Field(default=None, ge=1)
    status: int = Field(default=500, ge=300, le=599)
    retry_after: int | str | None = None
    delay: float = Field(default=1.0, ge=0)
    marker: str = "poison"


@dataclass(frozen=True, slots=True)
class Received:
    """One request to the API.

    Attributes:
        path: its path.
        headers: by their names in lower case.
        body: the parsed body; `None` where it was no JSON, or is not kept.
        size: the size of the body, uncompressed, in bytes.
        messages: how many messages it held.
        status: what was answered; `None` where nothing was.
        at: when it had been read.
    """

    path: str
    headers: Mapping[str, str]
    body: Any
    size: int
    messages: int
    status: int | None
    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def write_key(self) -> str | None:
        """The write key, out of the basic authentication."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None


class Collector:
    """Receives what a client sends, and keeps it.

    It can be closed and started again, at the same address, with what it had kept: an outage.

    Args:
        port: where to listen on 127.0.0.1; 0 for any free port.
        out: a file to which each message is appended as a line of JSON, before its batch is answered.
        keep: whether messages and bodies stay in memory, for `messages` and `requests`; counts always do.

    >>> import urllib.request
    >>> with Collector() as collector:
    ...     body = b'{"batch": [{"type": "track", "event": "Invoice Paid", "messageId": "1"}]}'
    ...     answer = urllib.request.urlopen(collector.url + "/v1/batch", body).read()
    >>> answer
    b'{"success":true}'
    >>> [message["event"] for message in collector.messages]
    ['Invoice Paid']
    """

    def __init__(self, *, port: int = 0, out: str | os.PathLike[str] | None = None, keep: bool = True) -> None:
        self._port = port
        self._out = out
        self._keep = keep
        self._file: BinaryIO | None = None
        self._server: _Server | None = None
        self._accepting: threading.Thread | None = None
        # A lock of its own, since a signal handler may raise inside of a condition when that has just taken its lock.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._released = threading.Event()
        self._closing = threading.Event()
        self._behaviour = Behaviour()
        self._times_left: int | None = None
        self._messages: list[dict[str, Any]] = []
        self._requests: list[Received] = []
        self._counts: Counter[str] = Counter()
        self._received = 0
        self._without_id = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken, or the file cannot be opened.
        """
        self._closing.clear()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", self._port), partial(_Handler, self._respond))
        self._port = self._server.server_port
        if self._out is not None:
            self._file = Path(self._out).open("ab", buffering=0)  # noqa: SIM115 - closed by `close`
        self._accepting = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="instrument-collector", daemon=True
        )
        self._accepting.start()
        return self

    def close(self) -> None:
        """Stop listening, and drop every connection, also those whose requests hang."""
        server, self._server = self._server, None
        if server is None or self._accepting is None:
            return
        self._closing.set()
        self.release()
        server.shutdown()
        self._accepting.join()
        server.drop_connections()
        server.server_close()
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def url(self) -> str:
        """The address: what `host=` of a client takes.

        Raises:
            RuntimeError: it has not been started, and was given no port.
        """
        if self._port == 0:
            raise RuntimeError("the collector has no address before it is started: write `with Collector() as …`")
        return f"http://127.0.0.1:{self._port}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every message that was kept, repetitions included, in the order of arrival."""
        with self._lock:
            return list(self._messages)

    @property
    def requests(self) -> list[Received]:
        """Every request to the API that was read whole."""
        with self._lock:
            return list(self._requests)

    @property
    def counts(self) -> dict[str, int]:
        """How often each message was received, by its messageId."""
        with self._lock:
            return dict(self._counts)

    def stats(self) -> dict[str, int]:
        """Return the counts that `GET /stats` answers: received, unique and duplicate messages, and requests."""
        with self._lock:
            unique = self._unique()
            return {
                "received": self._received,
                "unique": unique,
                "duplicates": self._received - unique,
                "requests": len(self._requests),
            }

    def behave(
        self,
        mode: Mode = "segment",
        *,
        times: int | None = None,
        status: int = 500,
        retry_after: int | str | None = None,
        delay: float = 1.0,
        marker: str = "poison",
    ) -> None:
        """Treat the requests that come from now on in another way; without arguments, as Segment does.

        Args:
            mode: what to do; see `Behaviour` for this and the rest.
            times: for how many requests.
            status: what `status` answers.
            retry_after: its header `Retry-After`.
            delay: seconds that `slow` waits.
            marker: what `poison` looks for.

        Raises:
            pydantic.ValidationError: a value does not fit.
        """
        self._behave(
            Behaviour(mode=mode, times=times, status=status, retry_after=retry_after, delay=delay, marker=marker)
        )

    def release(self) -> None:
        """Drop the connections of the requests that hang now; nothing of them is kept."""
        with self._lock:
            self._released.set()
            if not self._closing.is_set():
                self._released = threading.Event()

    def wait_for(self, number: int, timeout: float = 5.0) -> list[dict[str, Any]]:
        """Wait until so many different messages have come, and return every message.

        Args:
            number: how many messages, repetitions not counted.
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: fewer have come.
        """
        self._wait(lambda: self._unique() >= number, number, "messages", timeout)
        return self.messages

    def wait_for_requests(self, number: int, timeout: float = 5.0) -> list[Received]:
        """Wait until so many requests have been read, answered or not, and return every request.

        Args:
            number: how many requests.
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: fewer have come.
        """
        self._wait(lambda: len(self._requests) >= number, number, "requests", timeout)
        return self.requests

    def _wait(self, come: Callable[[], bool], number: int, what: str, timeout: float) -> None:
        with self._lock:
            if self._changed.wait_for(come, timeout):
                return
        stats = ", ".join(f"{name}: {count:,}" for name, count in self.stats().items())
        raise TimeoutError(f"{number:,} {what} were awaited, and did not come within {timeout:g} seconds; {stats}")

    def _behave(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._behaviour, self._times_left = behaviour, behaviour.times

    def _treatment(self) -> tuple[Behaviour, threading.Event]:
        """Return how to treat one request, and what lets it go if it hangs."""
        with self._lock:
            behaviour = self._behaviour
            if self._times_left is not None:
                self._times_left -= 1
                if self._times_left == 0:
                    self._behaviour, self._times_left = Behaviour(), None
            return behaviour, self._released

    def _respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Reply | None:
        """Treat one request; `None` where the connection is to be dropped."""
        if (method, path) == ("GET", "/stats"):
            return _Reply(200, self.stats())
        if (method, path) == ("POST", "/control"):
            return self._control(body)
        if method == "POST" and path in _ENDPOINTS:
            return self._collect(path, headers, body)
        return _Reply.refusal(f"there is no {method} {path}", status=404)

    def _control(self, document: bytes) -> _Reply:
        try:
            self._behave(Behaviour.model_validate_json(document))
        except ValidationError as error:
            return _Reply.refusal(str(error))
        return _DONE

    def _collect(self, path: str, headers: Mapping[str, str], raw: bytes) -> _Reply | None:
        behaviour, released = self._treatment()
        if behaviour.mode == "slow" and self._closing.wait(behaviour.delay):
            return None
        batch = _Batch.read(raw, headers.get("content-encoding", ""))
        reply = _reply(batch, behaviour)
        kept = reply is _DONE or (behaviour.mode == "lose answer" and batch.problem is None)
        request = Received(
            path=path,
            headers=headers,
            body=batch.body if self._keep else None,
            size=batch.size,
            messages=len(batch.messages),
            status=None if reply is None else reply.status,
        )
        self._record(request, batch.messages if kept else ())
        if behaviour.mode == "hang":
            released.wait()
        return reply

    def _record(self, request: Received, messages: Sequence[dict[str, Any]]) -> None:
        lines = b"".join(_line(message) for message in messages) if self._file is not None else b""
        ids = [message_id for each in messages if isinstance(message_id := each.get("messageId"), str)]
        with self._lock:
            if self._file is not None:
                self._file.write(lines)
            self._requests.append(request)
            self._received += len(messages)
            self._without_id += len(messages) - len(ids)
            self._counts.update(ids)
            if self._keep:
                self._messages.extend(messages)
            self._changed.notify_all()

    def _unique(self) -> int:
        return len(self._counts) + self._without_id


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    document: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def refusal(cls, why: str, status: int = 400, headers: Mapping[str, str] | None = None) -> _Reply:
        return cls(status, {"success": False, "code": "invalid_request", "message": why}, headers or {})


_DONE = _Reply(200, {"success": True})


@dataclass(frozen=True, slots=True)
class _Batch:
    """The body of one request, read as Segment reads it.

    Attributes:
        body: the parsed JSON.
        messages: the messages in it.
        size: bytes, uncompressed.
        problem: why Segment would not take it.
    """

    body: Any
    messages: Sequence[dict[str, Any]]
    size: int
    problem: str | None = None

    @classmethod
    def read(cls, raw: bytes, encoding: str) -> _Batch:
        try:
            plain = _unpacked(raw) if encoding.strip().lower() == "gzip" else raw
            body = _parsed(plain)
            messages = _messages(body)
            return cls(body, messages, len(plain), _too_large(messages, plain))
        except (ValueError, RecursionError, zlib.error) as error:
            return cls(None, (), len(raw), f"malformed JSON ({type(error).__name__})")

    def holds(self, marker: str) -> bool:
        return any(each.get("event") == marker or marker in _properties(each) for each in self.messages)


def _parsed(plain: bytes) -> Any:
    try:
        return from_json(plain, allow_inf_nan=False, cache_strings="keys")  # in two thirds of the time
    except ValueError:  # some of what is JSON all the same: a lone surrogate, a deep nesting
        return json.loads(plain, parse_constant=_no_constant)


def _messages(body: Any) -> Sequence[dict[str, Any]]:
    batch = cast("dict[str, Any]", body).get("batch") if isinstance(body, dict) else None
    if not isinstance(batch, list) or not all(isinstance(each, dict) for each in cast("list[object]", batch)):
        raise ValueError("there is no list of messages under `batch`")
    return cast("list[dict[str, Any]]", batch)


def _properties(message: dict[str, Any]) -> dict[str, Any]:
    properties = message.get("properties")
    return cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}


def _reply(batch: _Batch, behaviour: Behaviour) -> _Reply | None:
    if behaviour.mode == "status":
        headers = {} if behaviour.retry_after is None else {"Retry-After": str(behaviour.retry_after)}
        return _Reply.refusal("the collector was told to answer so", behaviour.status, headers)
    if behaviour.mode in ("hang", "lose answer"):
        return None
    if batch.problem is not None:
        return _Reply.refusal(batch.problem)
    if behaviour.mode == "poison" and batch.holds(behaviour.marker):
        return _Reply.refusal("the batch holds a message that is marked as poison")
    return _DONE


def _too_large(messages: Sequence[dict[str, Any]], plain: bytes) -> str | None:
    size = len(plain)
    if size > MAX_BATCH_BYTES:
        return f"the batch takes {size:,} bytes, above {MAX_BATCH_BYTES:,}"
    if len(messages) > MAX_BATCH_MESSAGES:
        return f"the batch has {len(messages):,} messages, above {MAX_BATCH_MESSAGES:,}"
    if not _all_small(messages, plain) and any(len(_line(each)) - 1 > MAX_MESSAGE_BYTES for each in messages):
        return f"a message takes more than {MAX_MESSAGE_BYTES:,} bytes"
    return None


def _all_small(messages: Sequence[dict[str, Any]], plain: bytes) -> bool:
    """Whether no message can be above the limit, as a quick look tells for most batches.

    No message is larger than the body that it came in. And where each has its id, and there are no more of them in the
    body, a message takes no more than the two pieces on both sides of its id.
    """
    if len(plain) <= MAX_MESSAGE_BYTES:
        return True
    pieces = plain.split(_ID)
    return (
        len(pieces) == len(messages) + 1
        and 2 * max(map(len, pieces)) + len(_ID) <= MAX_MESSAGE_BYTES
        and all("messageId" in each for each in messages)
    )


def _line(message: dict[str, Any]) -> bytes:
    try:
        return to_json(message) + b"\n"
    except (PydanticSerializationError, ValueError):  # a lone surrogate, which UTF-8 cannot say, and an escape can
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _unpacked(raw: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = unpacking.decompress(raw, _MOST_READ)
    if not unpacking.eof and len(plain) < _MOST_READ:
        raise zlib.error("it ends too early")
    return plain


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class _Server(ThreadingHTTPServer):
    """Threads that end with the collector: every open connection is known, and dropped on closing."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[[Any, Any, Any], _Handler]) -> None:
        self._open: list[tuple[Any, threading.Thread]] = []
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        thread.start()
        self._open = [each for each in self._open if each[1].is_alive()]
        self._open.append((request, thread))

    def drop_connections(self) -> None:
        for connection, _ in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _, thread in self._open:
            thread.join(timeout=_PATIENCE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that breaks off is what some tests are about; anything else is a bug here, and shown.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # The head and the body of an answer go out together: Nagle's algorithm would hold back the second.
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, respond: _Respond, *args: Any) -> None:
        self._respond = respond
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer(self._reply(b""))

    def do_POST(self) -> None:
        """Take a batch, or an order."""
        body = self._body()
        self._answer(self._reply(body) if isinstance(body, bytes) else body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def _reply(self, body: bytes) -> _Reply | None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self._respond(self.command, self.path.partition("?")[0], headers, body)

    def _body(self) -> bytes | _Reply | None:
        """Read the body; `None` where the client broke off, a refusal where it cannot be known where the body ends."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < len(str(sys.maxsize))):
            self.close_connection = True
            return _Reply.refusal("a request needs a Content-Length")
        if int(length) > _MOST_READ:
            self.close_connection = True
            return _Reply.refusal(f"the body takes more than {_MOST_READ:,} bytes")
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _answer(self, reply: _Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        body = b"" if reply.status == HTTPStatus.NOT_MODIFIED else to_json(reply.document)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a collector until it is interrupted or ended.

    Args:
        arguments: the command line, without the program.
    """
    parser = argparse.ArgumentParser(prog="python -m instrument.testing.collector", description=Collector.__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 for any free port")
    parser.add_argument("--out", help="a file to append each received message to, as a line of JSON")
    options = parser.parse_args(arguments)
    with Collector(port=options.port, out=options.out, keep=False) as collector, suppress(KeyboardInterrupt):
        gc.freeze()  # what was imported need not be looked through again and again: that takes 20 ms each time
        sys.stdout.write(collector.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
