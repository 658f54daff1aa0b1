"""NATS JetStream: a stream between the processes that send and those that forward, on as many machines as wanted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from instrument.delivery.destination import Held, Limits, Rejected, Unavailable, network_blocked
from instrument.delivery.jetstream import DEFAULT_SERVER, DEFAULT_STREAM, DEFAULT_SUBJECT, Connection, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nats.js import JetStreamContext
    from nats.js.api import PubAck

    from instrument.delivery.envelope import Envelope

_MESSAGE_TOO_LARGE = 10054
_WRONG_STREAM = 10060


class NatsDestination:
    """Publish envelopes to a stream of NATS JetStream, and wait until the stream has each of them.

    Each message carries its id as `Nats-Msg-Id`, by which the server drops repeats within the stream's
    `duplicate_window`. The extra `instrument-analytics[nats]` installs what it needs; `instrument forward` takes
    the messages from there.

    Args:
        servers: the addresses of the servers.
        stream: the name of the stream, which is made where there is none.
        subject: the subject to publish to.
        replicas: how many servers of a cluster keep each message, where the stream is made.
        duplicate_window: how long the server drops repeats, in seconds, where the stream is made.
        max_bytes: how much the stream may hold, where it is made; `None` for no bound.
        timeout: seconds to wait for a connection, and for the server's acknowledgements.
        options: further arguments of nats-py's `connect`: credentials, TLS.
        name: the name in counts and logs.

    Raises:
        ImportError: nats-py is not installed.
        ValueError: the name of the stream has a character that servers do not take.
    """

    remote = True

    def __init__(
        self,
        servers: str | Sequence[str] = DEFAULT_SERVER,
        stream: str = DEFAULT_STREAM,
        subject: str = DEFAULT_SUBJECT,
        *,
        replicas: int = 1,
        duplicate_window: float = 600.0,
        max_bytes: int | None = None,
        timeout: float = 5.0,
        options: Mapping[str, Any] | None = None,
        name: str = "nats",
    ) -> None:
        self.name = name
        self.limits: Limits = Limits()
        self._stream = Stream(stream, subject, replicas, duplicate_window, max_bytes)
        self._connection = Connection(servers, timeout=timeout, options=options)
        self._there = False

    def send(self, batch: Sequence[Envelope]) -> None:
        """Publish a batch; a part that was published before is dropped by the server.

        Raises:
            Rejected: a message is larger than the server or the stream takes.
            Held: the credentials are wrong, or the subject belongs to another stream.
            Unavailable: the server cannot be reached, or did not acknowledge every message.
        """
        if network_blocked():
            raise Held("sending is switched off, since tests are running")
        outcomes = self._connection.run(lambda jetstream: self._publish(jetstream, batch))
        failures = [each for each in outcomes if isinstance(each, BaseException)]
        if failures:
            self._there = False  # it may be the stream that is gone
            raise self._failure(failures, len(batch))

    def forget_connections(self) -> None:
        """Begin with a new connection, and leave the parent's as it is."""
        self._connection.abandon_after_fork()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def _publish(
        self, jetstream: JetStreamContext, batch: Sequence[Envelope]
    ) -> Sequence[PubAck | BaseException]:
        if not self._there:
            await self._ensure(jetstream)
        return await asyncio.gather(*(self._publish_one(jetstream, each) for each in batch), return_exceptions=True)

    async def _ensure(self, jetstream: JetStreamContext) -> None:
        try:
            await self._stream.ensure(jetstream)
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch is tried again
            raise self._told(error, "it can be neither found nor made") from None
        self._there = True

    async def _publish_one(self, jetstream: JetStreamContext, envelope: Envelope) -> PubAck:
        return await jetstream.publish(
            self._stream.subject,
            envelope.body,
            stream=self._stream.name,
            headers={"Nats-Msg-Id": envelope.message_id},
        )

    def _failure(self, failures: Sequence[BaseException], of: int) -> Unavailable | Rejected:
        """Tell the failure that says most about what to do: what is only late is tried again first."""
        told = [self._told(each, f"{len(failures)} of {of} messages were not acknowledged") for each in failures]
        for kind in (Held, Unavailable):
            for each in told:
                if isinstance(each, kind):
                    return each
        return told[0]

    def _told(self, error: BaseException, what: str) -> Unavailable | Rejected:
        from nats.errors import MaxPayloadError  # noqa: PLC0415 - of an extra
        from nats.js.errors import APIError  # noqa: PLC0415

        stream = f"{self._connection}, stream {self._stream.name}"
        if isinstance(error, MaxPayloadError):
            return Rejected(f"{stream}: a message is larger than the server's max_payload")
        if isinstance(error, APIError) and error.err_code == _MESSAGE_TOO_LARGE:
            return Rejected(f"{stream}: a message is larger than the stream's max_msg_size")
        if isinstance(error, APIError) and error.err_code == _WRONG_STREAM:
            return Held(f"{stream}: the subject {self._stream.subject} belongs to another stream")
        said = error.description if isinstance(error, APIError) else None
        return Unavailable(f"{stream}: {what} ({said or type(error).__name__})")
