"""Messages that belong to a transaction: sent when it commits, dropped when it is rolled back.

A message is built, checked and encoded when it is emitted, with the time and the id of then. If the code that emits it
runs inside of an open transaction that is followed, the envelope waits in memory with that transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakValueDictionary

from instrument.errors import Reason, Refusal
from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from instrument.delivery.envelope import Envelope
    from instrument.delivery.ledger import Ledger
    from instrument.delivery.pipeline import Transport
    from instrument.delivery.watch import Watch
    from instrument.faults import Faults
    from instrument.messages import Message, SegmentTrack

MOST_BYTES: Final = 32 << 20
"""How much may wait for one transaction where nothing else is said, in bytes of envelopes."""


class Following(Protocol):
    """A client, as transactions see it."""

    @property
    def direct(self) -> Transport | None:
        """What it hands envelopes to that wait for nothing; `None` where it is disabled."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Where it counts."""
        ...

    @property
    def faults(self) -> Faults:
        """What it does about errors."""
        ...

    @property
    def watch(self) -> Watch | None:
        """The way to the local debugger, in debug mode."""
        ...

    def follow_transactions(self) -> None:
        """Ask, from now on, whether a message belongs to a transaction."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A message that was accepted, and what to do with it.

    Attributes:
        client: which accepted it.
        transport: what the client hands messages to.
        envelope: what is sent.
        message: what it was made of.
        generation: of the process that accepted it: in a forked child, it is its parent's.
    """

    client: Following
    transport: Transport
    envelope: Envelope
    message: Message | SegmentTrack
    generation: int

    def send(self) -> None:
        """Hand it on: its transaction has committed."""
        self._put(self.transport.put)

    def send_around(self) -> None:
        """Hand it on, to the transaction around where there is one."""
        self._put(lambda envelope, message: put(self.client, self.transport, envelope, message))

    def drop(self) -> None:
        """Forget it: its transaction was rolled back."""
        if self._settle("rolled_back") and self.client.watch is not None:
            self.client.watch.dropped(self.envelope, "its transaction was rolled back")

    def stored(self) -> None:
        """Take note that it was committed with its transaction, in an outbox."""
        self._settle("stored")

    def failed(self, error: Exception, what: str) -> None:
        """Say that something went wrong, which must not reach whoever ends the transaction."""
        self.client.faults.report(error, f"{type(self.message).__name__}, {what}", handler_raised=True)

    def _put(self, put: Callable[[Envelope, Message | SegmentTrack], object]) -> None:
        if self.generation != _process.generation:
            return
        self.client.ledger.count("held", -1)
        try:
            put(self.envelope, self.message)
        except Exception as error:  # noqa: BLE001 - the transaction has committed, and whoever did that goes on
            self.failed(error, "sent when its transaction had committed")

    def _settle(self, what: str) -> bool:
        """Count what became of it; answer whether that is for this process to tell."""
        if self.generation != _process.generation:
            return False
        self.client.ledger.count("held", -1)
        self.client.ledger.count(what)
        return True


Keep = Callable[[Held], bool]
"""Takes a message over if it belongs to an open transaction; answers whether it does.

Raises `Refusal` where it does and the transaction has no room for it.
"""


class Unit:
    """An open transaction, and the messages that wait for its end. Safe between threads.

    Args:
        client: the one whose messages it takes; `None` for those of every client.
        max_bytes: how much may wait.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_closed",
        "_generation",
        "_levels",
        "_lock",
        "_max_bytes",
        "_size",
        "_stored",
    )

    def __init__(self, *, client: Following | None = None, max_bytes: int = MOST_BYTES) -> None:
        self._client = client
        self._max_bytes = max_bytes
        self._size = 0
        self._levels: list[list[Held]] = [[]]
        """What waits: for the transaction itself, and for each savepoint inside of it."""
        self._stored: Sequence[Held] = ()
        self._closed = False
        self._generation = _process.generation
        self._lock = threading.RLock()

    @property
    def open(self) -> bool:
        """Whether it takes messages: in a forked child, no transaction of the parent does."""
        return not self._closed and self._generation == _process.generation

    @property
    def waiting(self) -> Sequence[Held]:
        """What waits, in the order of emission."""
        return [held for level in self._levels for held in level]

    def keep(self, held: Held) -> bool:
        """Take a message over; answer whether it is one for this transaction.

        Raises:
            Refusal: there is no room.
        """
        if self._client is not None and held.client is not self._client:
            return False
        with self._lock:
            if not self.open:
                return False
            self._take_room(len(held.envelope.body))
            self._levels[-1].append(held)
            return True

    def begin_savepoint(self) -> None:
        """What comes now belongs to a savepoint."""
        with self._lock:
            self._levels.append([])

    def end_savepoint(self, *, kept: bool) -> None:
        """Add what belongs to the innermost savepoint to what is around it, or drop it."""
        with self._lock:
            level = self._levels.pop()
            if kept:
                self._levels[-1] += level
                return
            self._size -= sum(len(each.envelope.body) for each in level)
        _drop(level)

    def store(self, write: Callable[[Sequence[Envelope]], None]) -> None:
        """Write what waits into an outbox, in the transaction itself: then nothing of it is left to send.

        Raises:
            Exception: it could not be written, and goes on waiting.
        """
        with self._lock:
            waiting = self.waiting
            if waiting:
                write([each.envelope for each in waiting])
                self._stored = [*self._stored, *waiting]
                self._levels = [[]]

    def commit(self, send: Callable[[Held], None] = Held.send) -> None:
        """Take no more, and send what waits."""
        waiting, stored = self._close()
        for each in stored:
            each.stored()
        for each in waiting:
            send(each)

    def rollback(self) -> None:
        """Take no more, and drop what waits."""
        waiting, stored = self._close()
        _drop([*stored, *waiting])

    def _take_room(self, size: int) -> None:
        if self._size + size > self._max_bytes:
            raise Refusal(
                Reason.QUEUE_FULL,
                f"the messages that wait for one transaction have reached {self._max_bytes:,} bytes (max_bytes)",
            )
        self._size += size

    def _close(self) -> tuple[Sequence[Held], Sequence[Held]]:
        with self._lock:
            waiting, stored = self.waiting, self._stored
            self._closed = True
            self._levels, self._stored = [[]], ()
        return waiting, stored

    def __del__(self) -> None:
        self.rollback()


def _drop(several: Sequence[Held]) -> None:
    for each in several:
        each.drop()


class _Process(ForkSafe):
    """Tells a process from its forked children.

    Attributes:
        generation: how many forks lie between the first process and this one.
    """

    __slots__ = ("__weakref__", "generation")

    def __init__(self) -> None:
        self.generation = 0
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Be another process."""
        self.generation += 1


_process = _Process()

_units: ContextVar[tuple[Unit, ...]] = ContextVar("instrument_units", default=())
"""The transactions that were begun or used in this context, the innermost last; what has ended is skipped."""


def enter(unit: Unit) -> None:
    """Make a transaction the innermost one of this context, unless it is among them already."""
    units = _units.get()
    if unit not in units:
        _units.set((*[each for each in units if each.open], unit))


def leave(unit: Unit) -> None:
    """Forget a transaction in this context; in others, it is enough that it has ended."""
    # No token is kept: a transaction may end in another context than it began in.
    units = _units.get()
    if unit in units:
        _units.set(tuple(each for each in units if each is not unit))


def _keep_in_unit(held: Held) -> bool:
    return any(unit.keep(held) for unit in reversed(_units.get()))


class _Followers:
    """What is followed in this process, and the clients that have to ask.

    Attributes:
        keeps: who may take a message over.
    """

    __slots__ = ("_clients", "keeps")

    def __init__(self) -> None:
        self.keeps: tuple[Keep, ...] = ()
        self._clients: WeakValueDictionary[int, Following] = WeakValueDictionary()

    def join(self, client: Following) -> None:
        """Let a client ask, if anything is followed, or when anything will be."""
        self._clients[id(client)] = client
        if self.keeps:
            client.follow_transactions()

    def ask(self, keep: Keep) -> None:
        """Let every client ask."""
        # Blocks and sessions first: whatever else knows of a transaction is one for a whole thread, and around them.
        self.keeps = (_keep_in_unit, *(each for each in {*self.keeps, keep} if each != _keep_in_unit))
        for client in list(self._clients.values()):
            client.follow_transactions()


_followers = _Followers()


def join(client: Following) -> None:
    """Have a client follow transactions from when on any are followed in this process."""
    _followers.join(client)


def follow(keep: Keep = _keep_in_unit) -> None:
    """Have every client ask, from now on, whether a message belongs to a transaction.

    Args:
        keep: who knows; by default, those that were entered in the context.
    """
    _followers.ask(keep)


def put(client: Following, transport: Transport, envelope: Envelope, message: Message | SegmentTrack) -> bool:
    """Hand an envelope on, or leave it with the transaction that it belongs to; answer whether it was left.

    Args:
        client: who accepted the message, and counts it.
        transport: what takes the envelope when it is not held back.
        envelope: the message as it is sent.
        message: what it was made of.

    Raises:
        Refusal: neither takes it.
    """
    held = Held(client, transport, envelope, message, _process.generation)
    if any(_kept(held, keep) for keep in _followers.keeps):
        client.ledger.count("held")
        return True
    transport.put(envelope, message)
    return False


def _kept(held: Held, keep: Keep) -> bool:
    try:
        return keep(held)
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - a library that cannot say it must not cost the message
        held.failed(error, "whose transaction could not be found")
        return False


@contextmanager
def deferring(*, max_bytes: int = MOST_BYTES) -> Generator[None]:
    """Send what is emitted in a block when the block has ended, and drop it when the block raises.

    Written around the transaction of any database library, it ends after the commit. A block inside of another one,
    or of a transaction that is followed, is to it what a savepoint is to a transaction.

    Args:
        max_bytes: how much may wait, in bytes of envelopes; what is emitted beyond is refused.

    >>> from instrument import Scope, Track, default_client
    >>> from instrument.testing import recording
    >>> from instrument.transactions import deferring
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class SeatReserved(Track, UserScope):
    ...     seat: int
    >>> with recording() as tracked:
    ...     with deferring():
    ...         receipt = default_client().track(SeatReserved(user_id=7, seat=3))
    ...         print(receipt.held, tracked.events)
    ...     print(tracked.events == [SeatReserved(user_id=7, seat=3)])
    True []
    True
    """
    follow()
    unit = Unit(max_bytes=max_bytes)
    enter(unit)
    try:
        yield
    except BaseException:
        leave(unit)
        unit.rollback()
        raise
    leave(unit)
    unit.commit(Held.send_around)
