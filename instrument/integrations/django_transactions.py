"""Django: events of an `atomic` block are sent when it commits, and dropped when it is rolled back.

With an outbox, they are rows of the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from django import conf
from django.db import DEFAULT_DB_ALIAS, connections

from instrument.errors import Reason, Refusal
from instrument.integrations.django_outbox import insert
from instrument.transactions import MOST_BYTES, follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

    from instrument.client import Client
    from instrument.transactions import Held


def follow_transactions(
    *databases: str, outbox: str | None = None, client: Client | None = None, max_bytes: int = MOST_BYTES
) -> None:
    """Tie what is emitted inside of an `atomic` block to its transaction: call it in `AppConfig.ready`.

    A message waits for `transaction.on_commit`, and so for whatever Django has that wait for: nested blocks,
    `ATOMIC_REQUESTS`, and, in tests, `captureOnCommitCallbacks`. Outside of an `atomic` block it is sent at once.

    Args:
        databases: the aliases of the databases that are followed; without any, the default one. Of several that are
            in a transaction at once, the first one named here has the message.
        outbox: the table that `instrument.integrations.django_outbox.create_outbox` makes: messages are written into it
            in the transaction, and sent by `instrument forward --outbox`. If that fails, it is reported, the
            transaction goes on, and the message is sent when it has committed.
        client: the one whose messages wait; by default those of every client.
        max_bytes: how much may wait for one connection, in bytes of envelopes; what is emitted beyond is refused.

    >>> from instrument.integrations.django_transactions import follow_transactions
    >>> follow_transactions()
    """
    _follower.databases = databases or (DEFAULT_DB_ALIAS,)
    _follower.outbox, _follower.client, _follower.max_bytes = outbox, client, max_bytes
    follow(_follower.keep)


class _Follower:
    """Knows which connections of the running thread are in a transaction.

    Attributes:
        databases: the aliases of those that are followed.
        outbox: the table that messages are written into; `None` to send them after the commit.
        client: the one whose messages wait; `None` for those of every client.
        max_bytes: how much may wait for one connection.
    """

    def __init__(self) -> None:
        self.databases: Sequence[str] = ()
        self.outbox: str | None = None
        self.client: Client | None = None
        self.max_bytes = MOST_BYTES
        self._rooms: WeakKeyDictionary[BaseDatabaseWrapper, _Room] = WeakKeyDictionary()

    def keep(self, held: Held) -> bool:
        """Take a message over if a connection is in a transaction; answer whether one is.

        Raises:
            Refusal: there is no room.
        """
        if self.client is not None and held.client is not self.client:
            return False
        connection = self._in_transaction() if conf.settings.configured else None
        if connection is None:
            return False
        room = self._rooms.setdefault(connection, _Room())
        if room.size + len(held.envelope.body) > self.max_bytes:
            raise Refusal(
                Reason.QUEUE_FULL,
                f"the messages that wait for one transaction have reached {self.max_bytes:,} bytes (max_bytes)",
            )
        connection.on_commit(_UntilCommit(held, room, stored=self._stored(connection, held)), robust=True)
        return True

    def _stored(self, connection: BaseDatabaseWrapper, held: Held) -> bool:
        """Write a message into the outbox, where there is one; answer whether it is in there."""
        if self.outbox is None or connection.needs_rollback:
            return False
        try:
            insert(connection, self.outbox, held.envelope)
        except Exception as error:  # noqa: BLE001 - a missing table must not keep the application from its commit
            held.failed(error, "which could not be written into the outbox, and is sent after the commit")
            return False
        return True

    def _in_transaction(self) -> BaseDatabaseWrapper | None:
        # Without those that this thread has not used: asking for one would make it.
        opened = {each.alias: each for each in connections.all(initialized_only=True)}
        found = (opened.get(alias) for alias in self.databases)
        return next((each for each in found if each is not None and each.in_atomic_block), None)


class _Room:
    """How much waits for one connection.

    Attributes:
        size: in bytes.
    """

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class _UntilCommit:
    """What Django calls after the commit, and forgets when it is rolled back."""

    __slots__ = ("_held", "_room", "_stored")

    def __init__(self, held: Held, room: _Room, *, stored: bool) -> None:
        self._held: Held | None = held
        self._room = room
        self._stored = stored
        room.size += len(held.envelope.body)

    def __call__(self) -> None:
        held = self._taken()
        if held is None:
            return
        if self._stored:
            held.stored()
        else:
            held.send()

    def __del__(self) -> None:
        held = self._taken()
        if held is not None:
            held.drop()

    def _taken(self) -> Held | None:
        held, self._held = self._held, None
        if held is not None:
            self._room.size -= len(held.envelope.body)
        return held


_follower: Final = _Follower()
