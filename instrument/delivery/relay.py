"""From the outbox in a database to a destination, each message at least once.

A message is removed from the outbox when the destination has it, and not before: so neither a crash before the commit
that wrote it nor one after it loses or invents a message.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, inspect, select

from instrument.delivery import ownership
from instrument.delivery.attempts import GaveUp, Patience, Sending
from instrument.delivery.destination import Unavailable, network_blocked
from instrument.delivery.forwarding import NO_ENVELOPE, Account, Forwarded, read_envelope
from instrument.delivery.ownership import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from sqlalchemy import Connection, Engine, Table

    from instrument.delivery.dead_letters import DeadLetters
    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope


class Relay:
    """Takes messages out of an outbox and sends them on; removes each when the destination has it.

    Any number of relays may share an outbox. On PostgreSQL each locks the rows that it has in hand, and skips those of
    others; on SQLite one works at a time. One alone sends in the order of writing. What one has in hand when it dies
    is taken by another, with the same messageId.

    Args:
        destination: where messages go.
        letters: where those go that the destination refuses.
        engine: the database, synchronous.
        table: the outbox.
        batch: how many messages are taken at once, at most.
        every: seconds until an empty outbox is looked at again.
        patience: how long failures are borne; by default for ever.
        heard: called with the counts whenever they change.
    """

    def __init__(
        self,
        destination: Destination,
        letters: DeadLetters,
        engine: Engine,
        table: Table,
        *,
        batch: int = 500,
        every: float = 1.0,
        patience: Patience | None = None,
        heard: Callable[[Forwarded], object] | None = None,
    ) -> None:
        self._destination = destination
        self._account = Account(destination.name, letters, heard)
        self._rows = _Rows(engine, table)
        self._batch = min(batch, destination.limits.count)
        self._every = every
        self._patience = patience or Patience()

    @property
    def forwarded(self) -> Forwarded:
        """What was done so far."""
        return self._account.counts

    def run(self, *, until_empty: bool = False) -> Forwarded:
        """Relay until `stop` is called.

        Args:
            until_empty: end also when the outbox is empty.

        Returns:
            What was done.

        Raises:
            GaveUp: failures lasted longer than the patience, or a test run forbids sending.
        """
        if network_blocked():
            raise GaveUp("forwarding is switched off, since tests are running")
        attempt = 0
        try:
            while not self._patience.stopped.is_set():
                hand = self._relay_some(until_empty=until_empty)
                attempt = 0 if hand.settled or hand.error is None else attempt + 1
                if hand.error is not None:
                    self._account.failed(hand.error, attempt)
                    self._patience.wait(hand.error, attempt)
                elif not hand.settled:
                    if hand.empty:
                        break
                    self._patience.stopped.wait(self._every)
        except GaveUp:
            if not self._patience.stopped.is_set():
                raise
        return self._account.counts

    def stop(self) -> None:
        """End `run` when the attempt in hand has ended."""
        self._patience.stopped.set()

    def _relay_some(self, *, until_empty: bool) -> _Hand:
        """Send what can be had now; nothing is kept from others for longer than one attempt."""
        hand = _Hand(self._account, self._patience)
        try:
            with self._rows.claimed(self._batch) as claim:
                hand.work(claim, self._destination)
            if not (hand.settled or hand.error):
                self._patience.renew()
                hand.empty = until_empty and self._rows.is_empty()
        except Exception as error:  # noqa: BLE001 - whatever it is, the database is asked again
            hand.error = self._rows.told(error)
        return hand


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A row of the outbox, and the envelope that it carries."""

    id: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class _Claim:
    """Rows that no other relay has.

    Attributes:
        rows: in the order of their writing.
        remove: takes rows out of the outbox.
    """

    rows: Sequence[_Row]
    remove: Callable[[Sequence[_Row]], None]


class _OneAttempt(Patience):
    """No patience: rows are not kept from others, or locked, while a destination rests."""

    __slots__ = ()

    def wait(self, error: Exception, attempt: int) -> None:
        """Give up.

        Raises:
            GaveUp: always.
        """
        raise GaveUp(f"attempt {attempt} failed") from error


class _Hand:
    """What a relay does in one round.

    Attributes:
        settled: how many rows were removed.
        empty: whether the outbox was found empty, where that was asked.
        error: why the round ended before its end.
    """

    def __init__(self, account: Account, patience: Patience) -> None:
        self.settled = 0
        self.empty = False
        self.error: Exception | None = None
        self._account = account
        self._patience = patience
        self._claim = _Claim((), _keep)

    def work(self, claim: _Claim, destination: Destination) -> None:
        """Send rows."""
        self._claim = claim
        for each in claim.rows:
            if not each.envelope.message_id:
                self.refused(each, NO_ENVELOPE)
        sound = [each for each in claim.rows if each.envelope.message_id]
        with suppress(GaveUp):  # `failed` was told why, or it was stopped
            Sending(destination, self, _OneAttempt(stopped=self._patience.stopped)).send(sound)

    def taken(self, items: Sequence[_Row]) -> None:
        """Remove what was sent."""
        self._remove(items)
        self._account.taken(len(items))

    def refused(self, item: _Row, reason: str) -> None:
        """Keep a message with the dead letters instead; where it cannot be kept, it stays."""
        if self._account.bury(item.envelope, reason):
            self._remove([item])

    def failed(self, error: Exception, attempt: int) -> None:
        """Take note of the error; what was not sent stays."""
        del attempt
        self.error = error

    def _remove(self, items: Sequence[_Row]) -> None:
        self._claim.remove(items)
        self.settled += len(items)
        self._patience.renew()


def _keep(_: Sequence[_Row]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of an outbox.

    Attributes:
        engine: the database.
        table: the outbox.
    """

    engine: Engine
    table: Table

    @contextmanager
    def claimed(self, number: int) -> Generator[_Claim]:
        """Keep the oldest rows that no other relay has from all others, for a block."""
        oldest = select(self.table.c.id, self.table.c.body).order_by(self.table.c.id).limit(number)
        if self.engine.dialect.name != "sqlite":
            with self.engine.begin() as connection:
                rows = _read(connection, oldest.with_for_update(skip_locked=True))
                yield _Claim(rows, lambda done: self._remove(connection, done))
            return
        with self._only_relay() as alone:
            # Read and removed in short transactions: one that lasts would keep every writer out.
            with self.engine.connect() as connection:
                rows = _read(connection, oldest) if alone else ()
            yield _Claim(rows, self._remove_at_once)

    def is_empty(self) -> bool:
        """Whether there is no row, not even one that another relay has in hand."""
        with self.engine.connect() as connection:
            return connection.scalar(select(self.table.c.id).limit(1)) is None

    def told(self, error: Exception) -> Unavailable:
        """Tell why the outbox gave nothing, without what a statement may show."""
        with suppress(Exception):
            if not inspect(self.engine).has_table(self.table.name, schema=self.table.schema):
                return Unavailable(f"there is no table {self.table.name} yet; `instrument outbox create` makes it")
        return Unavailable(f"the outbox cannot be read or written ({type(error).__name__})")

    def _remove(self, connection: Connection, rows: Sequence[_Row]) -> None:
        connection.execute(delete(self.table).where(self.table.c.id.in_([each.id for each in rows])))

    def _remove_at_once(self, rows: Sequence[_Row]) -> None:
        with self.engine.begin() as connection:
            self._remove(connection, rows)

    @contextmanager
    def _only_relay(self) -> Generator[bool]:
        """Keep other relays of a file away, if none is there yet; answer whether none was."""
        file = (self.engine.url.database or "").removeprefix("file:").partition("?")[0]
        if file in ("", ":memory:") or not ownership.available():
            yield True
            return
        lock = Lock.take(Path(f"{file}-relay"))
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.remove()


def _read(connection: Connection, query: Any) -> Sequence[_Row]:
    rows: Any = connection.execute(query)
    return [_Row(number, read_envelope(body.encode())) for number, body in rows]
