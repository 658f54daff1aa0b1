"""SQLAlchemy: events of a session's transaction are sent when it commits, and dropped when it is rolled back.

With an outbox, they are rows of the same transaction.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from inspect import isclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, ref

from sqlalchemy import event
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from instrument.delivery.outbox import outbox_table, store
from instrument.transactions import MOST_BYTES, Unit, enter, follow, leave

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
    from sqlalchemy.orm import ORMExecuteState, SessionTransaction

    from instrument.client import Client
    from instrument.delivery.envelope import Envelope

    Sessions = (
        sessionmaker[Any]
        | scoped_session[Any]
        | async_sessionmaker[Any]
        | async_scoped_session[Any]
        | type[Session]
        | Session
        | AsyncSession
    )
    """What makes sessions, or is one."""

__all__ = ["follow_transactions", "outbox_table"]

_UNIT: Final = "instrument.transaction"
"""The key under which a session keeps its transaction, in its `info`."""
_WRITES: Final = "instrument.writes"
"""The key under which it is noted that the statement which begins a transaction may write."""
_IN_ERROR: Final = 3
"""The state of a transaction of PostgreSQL in which a statement has failed, as psycopg and psycopg2 number it."""
_ASYNCIO: Final = "sqlalchemy.ext.asyncio"
"""The module of asynchronous sessions, which needs greenlet: whoever has such a session has imported it."""
_followed: WeakKeyDictionary[Any, _Follower] = WeakKeyDictionary()


def follow_transactions(
    sessions: Sessions, *, outbox: Table | None = None, client: Client | None = None, max_bytes: int = MOST_BYTES
) -> None:
    """Tie what is emitted inside of a session's transaction to it.

    A message belongs to the transaction that was begun last among the open ones of its context: of the task, the
    thread, and what these were started from. A transaction is known in a context from its begin, or from when the
    session is first used there. The messages of a savepoint that is rolled back are dropped with it.

    A transaction that is closed without a commit drops its messages if it has written anything; if it has only read,
    there was nothing to roll back, and they are sent.

    Args:
        sessions: a `sessionmaker`, `async_sessionmaker`, scoped session, session class, or one session. Once more with
            the same changes the options.
        outbox: a table made by `outbox_table`: messages are written into it before the transaction commits, and sent by
            `instrument forward --outbox`. If that fails, it is reported, the transaction goes on, and its messages are
            sent when it has committed.
        client: the one whose messages wait; by default those of every client.
        max_bytes: how much may wait for one transaction, in bytes of envelopes; what is emitted beyond is refused.

    Raises:
        TypeError: `sessions` is none of these.

    >>> from sqlalchemy import create_engine, text
    >>> from sqlalchemy.orm import sessionmaker
    >>> from instrument import Scope, Track, default_client
    >>> from instrument.integrations.sqlalchemy import follow_transactions
    >>> from instrument.testing import recording
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class OrderPlaced(Track, UserScope):
    ...     total: int
    >>> engine = create_engine("sqlite://")
    >>> sessions = sessionmaker(engine)
    >>> follow_transactions(sessions)
    >>> with recording() as tracked, sessions() as session:
    ...     _ = session.execute(text("SELECT 1"))
    ...     _ = default_client().track(OrderPlaced(user_id=7, total=1))
    ...     session.rollback()
    ...     _ = session.execute(text("SELECT 1"))
    ...     _ = default_client().track(OrderPlaced(user_id=7, total=2))
    ...     session.commit()
    >>> tracked.events == [OrderPlaced(user_id=7, total=2)]
    True
    >>> engine.dispose()
    """
    target = _target(sessions)
    follower = _followed.get(target)
    if follower is None:
        follower = _followed[target] = _Follower()
        follower.listen(target)
    follower.outbox, follower.client, follower.max_bytes = outbox, client, max_bytes
    follow()


class _Transaction(Unit):
    """The transaction of a session."""

    __slots__ = ("_of_session", "connections", "rolled_back", "savepoint_kept", "wrote")

    def __init__(self, session: Session, follower: _Follower) -> None:
        super().__init__(client=follower.client, max_bytes=follower.max_bytes)
        self.wrote = False
        self.rolled_back = False
        self.savepoint_kept = False
        # Not the connections themselves, which would not go back to their pool with a session that nobody has.
        self.connections: list[ref[Connection]] = []
        # One that nobody has any more cannot commit, and must not go on taking messages.
        self._of_session = ref(session, lambda _: self.end())

    def end(self) -> None:
        """End it, if neither a commit nor a rollback has."""
        if self.rolled_back or self.wrote:
            self.rollback()
        else:
            self.commit()


class _Follower:
    """Listens to sessions.

    Attributes:
        outbox: where messages are written; `None` to send them after the commit.
        client: the one whose messages wait; `None` for those of every client.
        max_bytes: how much may wait for one transaction.
    """

    outbox: Table | None = None
    client: Client | None = None
    max_bytes: int = MOST_BYTES

    def listen(self, target: Any) -> None:
        """Hear of what the sessions of a target do."""
        event.listen(target, "after_transaction_create", self._begun)
        event.listen(target, "after_begin", _connected)
        event.listen(target, "do_orm_execute", _executed)
        event.listen(target, "transient_to_pending", _added)
        event.listen(target, "before_commit", self._committing)
        event.listen(target, "after_commit", _committed)
        event.listen(target, "after_rollback", _rolled_back)
        event.listen(target, "after_transaction_end", _ended)

    def _begun(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            session.info[_UNIT] = unit = _Transaction(session, self)
            unit.wrote = session.info.pop(_WRITES, False)
            enter(unit)
        elif (found := _of(session)) is not None:
            if transaction.nested:
                found.begin_savepoint()
            else:
                found.wrote = True  # what SQLAlchemy begins for a flush

    def _committing(self, session: Session) -> None:
        unit = _of(session)
        if unit is None or session.in_nested_transaction():
            return
        if any(_is_broken(each()) for each in unit.connections):
            unit.rolled_back = True
        elif self.outbox is not None:
            session.flush()  # what this emits is written too
            _store(session, unit, self.outbox)


def _of(session: Session) -> _Transaction | None:
    found: _Transaction | None = session.info.get(_UNIT)
    return found


def _store(session: Session, unit: _Transaction, outbox: Table) -> None:
    def write(envelopes: Sequence[Envelope]) -> None:
        store(session.connection(bind_arguments={"clause": outbox}), outbox, envelopes)

    try:
        unit.store(write)
    except Exception as error:  # noqa: BLE001 - a missing table must not keep the application from its commit
        for each in unit.waiting:
            each.failed(error, "which could not be written into the outbox, and is sent after the commit")


def _is_broken(connection: Connection | None) -> bool:
    """Whether PostgreSQL has given a transaction up, and will answer a commit with a rollback, in silence."""
    with suppress(Exception):  # of one that is gone: the commit will say so
        of_driver = None if connection is None else getattr(connection.connection.dbapi_connection, "info", None)
        return getattr(of_driver, "transaction_status", None) == _IN_ERROR
    return False


def _connected(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    unit = _of(session)
    if unit is not None:
        enter(unit)
        if transaction.parent is None:
            unit.connections.append(ref(connection))


def _executed(state: ORMExecuteState) -> None:
    unit, writes = _of(state.session), not _only_reads(state)
    if unit is not None:
        enter(unit)
        unit.wrote = unit.wrote or writes
    elif writes:
        state.session.info[_WRITES] = True  # the transaction is begun after this


def _added(session: Session, _: object) -> None:
    unit = _of(session)
    if unit is not None:
        enter(unit)
        unit.wrote = True


def _committed(session: Session) -> None:
    unit = _of(session)
    if unit is None:
        return
    if session.in_nested_transaction():
        unit.savepoint_kept = True
    elif unit.rolled_back:
        unit.rollback()
    else:
        unit.commit()


def _rolled_back(session: Session) -> None:
    unit = _of(session)
    if unit is not None and not session.in_nested_transaction():
        unit.rolled_back = True


def _ended(session: Session, transaction: SessionTransaction) -> None:
    unit = _of(session)
    if unit is None:
        return
    if transaction.nested:
        unit.end_savepoint(kept=unit.savepoint_kept)
        unit.savepoint_kept = False
    elif transaction.parent is None:
        del session.info[_UNIT]
        leave(unit)
        unit.end()


def _only_reads(state: ORMExecuteState) -> bool:
    written = getattr(state.statement, "text", None)  # what `text()` was given
    return state.is_select or (isinstance(written, str) and written.lstrip()[:6].lower() == "select")


def _target(sessions: object) -> Any:
    """Return what SQLAlchemy takes listeners for.

    Raises:
        TypeError: it is nothing that has sessions.
    """
    given: Any = sessions  # what `isinstance` tells of a generic class is unknown in part
    if _ASYNCIO in sys.modules:
        from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker  # noqa: PLC0415

        if isinstance(sessions, AsyncSession):
            return given.sync_session
        if isinstance(sessions, async_scoped_session):
            return _target(given.session_factory)
        if isinstance(sessions, async_sessionmaker):
            return _synchronous(given)
    if isinstance(sessions, scoped_session):
        return _target(given.session_factory)
    if isinstance(sessions, sessionmaker):
        return given.class_
    if isinstance(sessions, Session) or (isclass(sessions) and issubclass(sessions, Session)):
        return given
    raise TypeError(
        "follow_transactions takes a sessionmaker, an async_sessionmaker, a scoped session, a session class or a "
        f"session, not {type(sessions).__name__}. For a Connection, write `with deferring(), engine.begin() as …`"
    )


def _synchronous(sessions: async_sessionmaker[Any]) -> Any:
    """Return the class of the sessions below the asynchronous ones: one that no other maker shares."""
    below: Any = sessions.kw.get("sync_session_class") or sessions.class_.sync_session_class
    if below in _followed:
        return below
    base: Any = getattr(below, "class_", below)  # a sessionmaker may stand there
    own = type(base.__name__, (base,), {})
    sessions.configure(sync_session_class=own)
    return own
