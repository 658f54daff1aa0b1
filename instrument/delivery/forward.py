"""From a stream of NATS JetStream to a destination: on as many machines as wanted, each message at least once."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from instrument.delivery.attempts import GaveUp, Patience, Sending
from instrument.delivery.destination import Unavailable, network_blocked
from instrument.delivery.forwarding import NO_ENVELOPE, Account, Forwarded, read_envelope
from instrument.delivery.jetstream import DEFAULT_SERVER, DEFAULT_STREAM, Connection, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from instrument.delivery.dead_letters import DeadLetters
    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope

DEFAULT_CONSUMER = "instrument-forward"
_LOOK_FOR = 0.5
"""Seconds that a request for messages waits for the first, and that `stop` may take."""
_MOST_UNACKNOWLEDGED = 50_000
"""How many messages all forwarders together may have in hand."""
_AGAIN_AFTER = 30.0
"""Seconds until a message that could be kept nowhere is delivered once more."""


class Forwarder:
    """Takes messages off a stream and sends them on; acknowledges each when the destination has it.

    Any number of forwarders may share a consumer, on any number of machines. What one has in hand when it dies is
    given to another after `ack_wait`, with the same messageId; while it lives, a slow destination costs nothing of
    that time.

    Args:
        destination: where messages go.
        letters: where those go that the destination refuses.
        servers: the addresses of the servers.
        stream: the name of the stream.
        consumer: the name that the forwarders of one destination share; the consumer is made where there is none.
        ack_wait: seconds after which the messages of a forwarder that died are given to another, where the
            consumer is made.
        timeout: seconds to wait for a connection, and for an answer; no longer than the patience.
        options: further arguments of nats-py's `connect`: credentials, TLS.
        patience: how long failures are borne; by default for ever.
        heard: called with the counts whenever they change.

    Raises:
        ImportError: nats-py is not installed.
        ValueError: a name has a character that servers do not take.
    """

    def __init__(
        self,
        destination: Destination,
        letters: DeadLetters,
        servers: str | Sequence[str] = DEFAULT_SERVER,
        *,
        stream: str = DEFAULT_STREAM,
        consumer: str = DEFAULT_CONSUMER,
        ack_wait: float = 30.0,
        timeout: float = 5.0,
        options: Mapping[str, Any] | None = None,
        patience: Patience | None = None,
        heard: Callable[[Forwarded], object] | None = None,
    ) -> None:
        self._account = Account(destination.name, letters, heard)
        self._destination = destination
        self._patience = patience or Patience()
        # No longer than anything is borne.
        self._connection = Connection(servers, timeout=min(timeout, self._patience.seconds or inf), options=options)
        self._consumer = _Consumer(stream, consumer, ack_wait)

    @property
    def forwarded(self) -> Forwarded:
        """What was done so far."""
        return self._account.counts

    def run(self, *, until_empty: bool = False) -> Forwarded:
        """Forward until `stop` is called.

        Args:
            until_empty: end also when the stream has no more for the consumer, and nobody has any in hand.

        Returns:
            What was done.

        Raises:
            GaveUp: failures lasted longer than the patience, or a test run forbids sending.
        """
        if network_blocked():
            raise GaveUp("forwarding is switched off, since tests are running")
        failures = 0
        try:
            while not self._patience.stopped.is_set():
                try:
                    if until_empty and self._connection.run(self._consumer.is_empty):
                        break
                    self._forward_some()
                    failures = 0
                except GaveUp:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, the stream is asked again
                    failures += 1
                    self._stream_failed(error, failures)
        except GaveUp:
            if not self._patience.stopped.is_set():
                raise
        finally:
            self._connection.close()
        return self.forwarded

    def stop(self) -> None:
        """End `run` when the attempt in hand has ended. Not for a signal handler, in which it could lock up."""
        self._patience.stopped.set()

    def _forward_some(self) -> None:
        """Forward what the stream has by now, or within a moment."""
        count = self._destination.limits.count
        messages = self._connection.run(lambda jetstream: self._consumer.fetch(jetstream, count))
        self._patience.renew()
        hand = _Hand(self._connection, self._account)
        with hand.holding(messages, self._consumer.ack_wait / 3) as items:
            Sending(self._destination, hand, self._patience).send(items)

    def _stream_failed(self, error: Exception, attempt: int) -> None:
        if isinstance(error, Unavailable):
            # The connection was lost, which a subscription outlives: what came to it meanwhile is fetched from it.
            # A new one would get that when `ack_wait` is over.
            unavailable = error
        else:
            self._consumer.forget()
            unavailable = self._consumer.told(error)
        self._account.said.warn("stream", "%s. It is tried again.", unavailable)
        self._patience.wait(unavailable, attempt)


class _Consumer:
    """The durable consumer that forwarders share.

    Args:
        stream: the name of the stream.
        name: its own name.
        ack_wait: in seconds, where it is made.
    """

    def __init__(self, stream: str, name: str, ack_wait: float) -> None:
        check_name("stream", stream)
        check_name("consumer", name)
        self.ack_wait = ack_wait
        self._stream = stream
        self._name = name
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._forgotten: JetStreamContext.PullSubscription | None = None

    async def fetch(self, jetstream: JetStreamContext, count: int) -> list[Msg]:
        """Return what the stream has for us, up to a count; nothing where nothing came for a moment."""
        subscription = await self._bound(jetstream)
        try:
            return await subscription.fetch(count, timeout=_LOOK_FOR)
        except asyncio.TimeoutError:
            return []

    async def is_empty(self, jetstream: JetStreamContext) -> bool:
        """Whether every message of the stream is acknowledged."""
        info = await (await self._bound(jetstream)).consumer_info()
        return not info.num_pending and not info.num_ack_pending

    def forget(self) -> None:
        """Subscribe anew at the next request."""
        self._forgotten, self._subscription = self._subscription or self._forgotten, None

    def told(self, error: Exception) -> Unavailable:
        """Tell why the stream gave nothing."""
        from nats.js.errors import APIError, NotFoundError  # noqa: PLC0415 - of an extra

        if isinstance(error, NotFoundError):
            return Unavailable(f"there is no stream {self._stream} yet; the first NatsDestination makes it")
        said = error.description if isinstance(error, APIError) else None
        return Unavailable(f"stream {self._stream}, consumer {self._name}: {said or type(error).__name__}")

    async def _bound(self, jetstream: JetStreamContext) -> JetStreamContext.PullSubscription:
        from nats.js import errors  # noqa: PLC0415 - of an extra

        if self._subscription is not None:
            return self._subscription
        if self._forgotten is not None:
            with suppress(Exception):  # its connection may be gone as well
                await self._forgotten.unsubscribe()
            self._forgotten = None
        try:
            info = await jetstream.consumer_info(self._stream, self._name)
        except errors.NotFoundError:
            info = await jetstream.add_consumer(  # pyright: ignore[reportUnknownMemberType]
                self._stream,
                durable_name=self._name,
                ack_wait=self.ack_wait,
                max_deliver=-1,
                max_ack_pending=_MOST_UNACKNOWLEDGED,
            )
        self.ack_wait = info.config.ack_wait or self.ack_wait
        self._subscription = await jetstream.pull_subscribe_bind(consumer=self._name, stream=self._stream)
        return self._subscription


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """A message off the stream, and the envelope that it carries."""

    message: Msg
    envelope: Envelope

    @property
    def is_repeated(self) -> bool:
        """Whether the stream had given the message out before."""
        return self.message.metadata.num_delivered > 1


@dataclass(slots=True)
class _Hand:
    """What a forwarder has in hand: until a message is settled, the server is told that it is being worked on.

    Attributes:
        connection: to the server.
        account: what is done about each message's fate.
        unsettled: the messages in hand, by the subject of the answer to each.
    """

    connection: Connection
    account: Account
    unsettled: dict[str, Msg] = field(default_factory=dict[str, "Msg"])

    @contextmanager
    def holding(self, messages: Sequence[Msg], every: float) -> Generator[list[_Taken]]:
        """Keep messages from being given to others; what is not settled at the end is given back at once."""
        self.unsettled = {each.reply: each for each in messages}
        working = self.connection.start(self._keep_telling(every))
        try:
            yield self._sound(messages)
        finally:
            working.cancel()
            self._settle(list(self.unsettled.values()), _give_back)

    def taken(self, items: Sequence[_Taken]) -> None:
        """Acknowledge messages."""
        self._settle([each.message for each in items], _acknowledge)
        self.account.taken(len(items), sum(each.is_repeated for each in items))

    def refused(self, item: _Taken, reason: str) -> None:
        """Keep a message with the dead letters, and end its way; where it cannot be kept, let it come again."""
        kept = self.account.bury(item.envelope, reason, repeated=item.is_repeated)
        self._settle([item.message], _end if kept else _give_back_later)

    def failed(self, error: Exception, attempt: int) -> None:
        """Say that an attempt failed."""
        self.account.failed(error, attempt)

    def _sound(self, messages: Sequence[Msg]) -> list[_Taken]:
        """Read the messages; put aside what no envelope is."""
        items = [_Taken(each, read_envelope(each.data)) for each in messages]
        for each in items:
            if not each.envelope.message_id:
                self.refused(each, NO_ENVELOPE)
        return [each for each in items if each.envelope.message_id]

    async def _keep_telling(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            for message in list(self.unsettled.values()):
                with suppress(Exception):  # without a connection: then it may be given to another
                    await message.in_progress()

    def _settle(self, messages: Sequence[Msg], answer: Callable[[Msg], Coroutine[Any, Any, None]]) -> None:
        for message in messages:
            self.unsettled.pop(message.reply, None)
        try:
            self.connection.start(_all(answer(each) for each in messages)).result()
        except Exception as error:  # noqa: BLE001 - the server gives them out again
            self.account.said.warn("ack", "The stream could not be told what was delivered (%s).", type(error).__name__)


async def _all(answers: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*answers)


async def _acknowledge(message: Msg) -> None:
    await message.ack()


async def _end(message: Msg) -> None:
    await message.term()


async def _give_back(message: Msg) -> None:
    await message.nak()


async def _give_back_later(message: Msg) -> None:
    await message.nak(delay=_AGAIN_AFTER)
