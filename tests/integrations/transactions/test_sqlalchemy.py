"""Events and the transactions of SQLAlchemy: what is delivered is what was committed."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from sqlalchemy import ForeignKey, create_engine, event, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from instrument import Client, MemoryDestination, Scope, Track, default_client, emitting, tracks
from instrument.client import swap_default_client
from instrument.errors import Refusal
from instrument.integrations.sqlalchemy import follow_transactions
from instrument.testing import Recorder, recording
from instrument.transactions import deferring
from tests.integrations.transactions import databases
from tests.integrations.transactions.savepoints import begin_truly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine


class OrdererScope(Scope):
    user_id: int


class RowWritten(Track, OrdererScope):
    number: int


class RowBegun(Track, OrdererScope):
    number: int


class RowFailed(Track, OrdererScope):
    number: int


class Base(DeclarativeBase): ...


class Row(Base):
    __tablename__ = "followed_rows"
    number: Mapped[int] = mapped_column(primary_key=True)


class Part(Base):
    """A row that may name a row which is not there, until the transaction is to be committed."""

    __tablename__ = "followed_parts"
    id: Mapped[int] = mapped_column(primary_key=True)
    of: Mapped[int] = mapped_column(ForeignKey(Row.number, deferrable=True, initially="DEFERRED"))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = databases.opened(databases.sqlite(tmp_path) if request.param == "sqlite" else databases.postgres())
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def memory() -> Iterator[Engine]:
    """A database of which nothing else is needed than that it has transactions."""
    engine = create_engine("sqlite://")
    begin_truly(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    made = sessionmaker(engine)
    follow_transactions(made)
    return made


def write(session: Session, number: int) -> bool:
    """Write a row, and say so; answer whether the message is held."""
    session.add(Row(number=number))
    session.flush()
    return say(number)


def say(number: int) -> bool:
    receipt = default_client().track(RowWritten(user_id=7, number=number))
    assert receipt
    return receipt.held


def numbers(tracked: Recorder) -> list[int]:
    return [each.number for each in tracked.events]


def rows(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Row.number).order_by(Row.number)))


class TestATransaction:
    def test_that_commits_sends_in_order_what_was_held(
        self, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            held = [write(session, 1), write(session, 2)]
            before = numbers(tracked)
            session.commit()
        assert (held, before, numbers(tracked)) == ([True, True], [], [1, 2])

    def test_that_is_rolled_back_sends_nothing(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with sessions() as session:
            write(session, 1)
            session.rollback()
            write(session, 2)
            session.commit()
        assert numbers(tracked) == [2]

    def test_whose_block_raises_sends_nothing(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with pytest.raises(ZeroDivisionError), sessions.begin() as session:
            write(session, 1)
            raise ZeroDivisionError
        assert numbers(tracked) == []

    def test_whose_savepoint_is_rolled_back_keeps_the_rest(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions.begin() as session:
            write(session, 1)
            with suppress(ZeroDivisionError), session.begin_nested():
                write(session, 2)
                with session.begin_nested():
                    write(session, 3)
                raise ZeroDivisionError
            with session.begin_nested():
                write(session, 4)
                savepoint = session.begin_nested()
                write(session, 5)
                savepoint.rollback()
            write(session, 6)
        assert numbers(tracked) == rows(engine) == [1, 4, 6]

    def test_that_is_rolled_back_takes_its_savepoints_along(
        self, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            with session.begin_nested():
                write(session, 1)
            session.begin_nested()
            write(session, 2)
            session.rollback()
        assert numbers(tracked) == []

    def test_that_is_committed_with_a_savepoint_open_commits_both(
        self, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            write(session, 1)
            session.begin_nested()
            write(session, 2)
            session.commit()
        assert numbers(tracked) == [1, 2]

    def test_whose_flush_fails_sends_nothing(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with sessions.begin() as session:
            write(session, 1)
        with suppress(IntegrityError), sessions.begin() as session:
            say(2)
            write(session, 1)
        assert numbers(tracked) == [1]

    def test_whose_flush_fails_in_a_savepoint_keeps_the_rest(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions.begin() as session:
            write(session, 1)
            with suppress(IntegrityError), session.begin_nested():
                say(2)
                write(session, 1)
            write(session, 3)
        assert numbers(tracked) == rows(engine) == [1, 3]

    def test_whose_commit_is_refused_sends_nothing(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            write(session, 1)
            session.add(Part(id=1, of=2))
            with pytest.raises(IntegrityError):
                session.commit()
        engine.dispose()  # SQLAlchemy gives back a connection of SQLite as it is after such a commit
        assert numbers(tracked) == rows(engine) == []
        assert default_client().stats().rolled_back == 1

    def test_whose_connection_is_gone_at_the_commit_sends_nothing(self, tracked: Recorder) -> None:
        engine = create_engine(databases.postgres())
        sessions = sessionmaker(engine)
        follow_transactions(sessions)
        with sessions() as session:
            session.execute(text("SELECT 1"))
            say(1)
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            with engine.connect() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            session.add(Row(number=1))
            with pytest.raises(DBAPIError):
                session.commit()
        engine.dispose()
        assert numbers(tracked) == []

    def test_that_is_closed_after_writing_was_rolled_back(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            write(session, 1)
        with sessions() as session:
            session.add(Row(number=2))
            say(2)
        with sessions() as session:
            session.execute(insert(Row), [{"number": 3}])
            say(3)
        with sessions() as session:
            session.execute(text("INSERT INTO followed_rows VALUES (4)"))
            say(4)
        assert numbers(tracked) == rows(engine) == []

    def test_that_is_closed_after_reading_sends(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with sessions() as session:
            session.scalars(select(Row)).all()
            session.execute(text(" SELECT 1"))
            held = say(1)
            with session.begin_nested():
                say(2)
        assert (held, numbers(tracked)) == (True, [1, 2])

    def test_that_nobody_has_any_more_ends(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        session = sessions()
        write(session, 1)
        del session
        gc.collect()
        assert sessions.kw["bind"].pool.checkedout() == 0
        assert (say(2), numbers(tracked)) == (False, [2])
        assert default_client().stats().rolled_back == 1

    def test_holds_what_a_hook_of_its_flush_emits(self, engine: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(engine)
        follow_transactions(sessions)

        @event.listens_for(Row, "after_insert")
        def _(_: Any, __: Any, row: Row) -> None:
            assert say(row.number)

        try:
            with sessions.begin() as session:
                session.add(Row(number=1))
            with suppress(IntegrityError), sessions.begin() as session:
                session.add_all([Row(number=0), Row(number=1)])
        finally:
            event.remove(Row, "after_insert", _)
        assert numbers(tracked) == rows(engine) == [1]


class TestOutsideOfOne:
    def test_a_message_is_sent_at_once(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        before = say(1)
        with sessions() as session:
            unused = say(2)
            write(session, 3)
            session.commit()
            after = say(4)
        assert (before, unused, after) == (False, False, False)
        assert numbers(tracked) == [1, 2, 3, 4]

    def test_a_session_that_is_not_followed_holds_nothing(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with Session(engine) as session:
            assert write(session, 1) is False
        assert numbers(tracked) == [1]


class TestDecorators:
    def test_a_success_waits_for_the_commit(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        @tracks(RowWritten, start=RowBegun, failure=RowFailed)
        def handle(user_id: int, number: int, session: Session) -> None:
            session.add(Row(number=number))

        with sessions.begin() as session:
            handle(7, 1, session)
            before = tracked.events
        assert before == [RowBegun(user_id=7, number=1)]
        assert tracked.events == [RowBegun(user_id=7, number=1), RowWritten(user_id=7, number=1)]

    def test_a_failure_is_sent_whatever_becomes_of_the_transaction(
        self, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        @tracks(RowWritten, start=RowBegun, failure=RowFailed)
        def handle(user_id: int, number: int) -> None:
            raise ZeroDivisionError

        with suppress(ZeroDivisionError), sessions.begin() as session:
            write(session, 1)
            handle(7, 2)
        assert tracked.events == [RowBegun(user_id=7, number=2), RowFailed(user_id=7, number=2)]

    @pytest.mark.parametrize("transactional", [True, False])
    def test_all_of_them_or_none_are_tied_to_it_where_that_is_said(
        self, sessions: sessionmaker[Session], tracked: Recorder, *, transactional: bool
    ) -> None:
        @tracks(RowWritten, start=RowBegun, transactional=transactional)
        def handle(user_id: int, number: int) -> None: ...

        with sessions() as session:
            write(session, 1)
            handle(7, 2)
            with emitting(RowFailed, transactional=transactional, user_id=7, number=3):
                pass
            session.rollback()
        assert [type(each) for each in tracked.events] == ([] if transactional else [RowBegun, RowWritten, RowFailed])

    def test_so_it_is_around_a_block(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with suppress(ZeroDivisionError), sessions.begin() as session:
            write(session, 1)
            with emitting(RowWritten, user_id=7, number=2):
                pass
            with emitting(RowWritten, failure=RowFailed, user_id=7, number=3):
                raise ZeroDivisionError
        assert tracked.events == [RowFailed(user_id=7, number=3)]

    def test_one_message_can_be_sent_at_once(self, sessions: sessionmaker[Session], tracked: Recorder) -> None:
        with sessions() as session:
            write(session, 1)
            receipt = default_client().track(RowWritten(user_id=7, number=2), transactional=False)
            session.rollback()
        assert (receipt.held, numbers(tracked)) == (False, [2])

    def test_a_handler_that_owns_its_transaction_needs_nothing_of_it(
        self, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        @tracks(RowWritten, failure=RowFailed)
        def handle(user_id: int, number: int) -> None:
            with sessions.begin() as session:
                session.add(Row(number=number))

        handle(7, 1)
        with suppress(IntegrityError):
            handle(7, 1)
        assert tracked.events == [RowWritten(user_id=7, number=1), RowFailed(user_id=7, number=1)]


class TestSeveralTransactions:
    def test_the_one_begun_last_has_the_message(self, memory: Engine, engine: Engine, tracked: Recorder) -> None:
        first, second = sessionmaker(engine), sessionmaker(memory)
        follow_transactions(first)
        follow_transactions(second)
        with first() as one, second() as other:
            write(one, 1)
            write(other, 2)
            say(3)
            other.commit()
            say(4)
            assert numbers(tracked) == [2, 3]
            one.rollback()
        assert numbers(tracked) == [2, 3]

    def test_another_thread_has_no_part_in_it(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        held: list[bool] = []
        with sessions() as session:
            write(session, 1)
            thread = threading.Thread(target=lambda: held.append(say(2)))
            thread.start()
            thread.join()
            session.rollback()
        assert (held, numbers(tracked)) == ([False], [2])

    def test_work_that_was_begun_inside_belongs_to_it(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        with sessions() as session:
            write(session, 1)
            inherited = copy_context()
            assert inherited.run(say, 2)
            session.rollback()
            assert not inherited.run(say, 3)
        assert numbers(tracked) == [3]

    def test_it_is_known_where_the_session_is_used(self, memory: Engine, tracked: Recorder) -> None:
        """As where a framework makes the session in a thread of its own, and commits in another."""
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        session = sessions()
        copy_context().run(session.begin)
        context = copy_context()
        unknown = context.run(say, 1)
        context.run(session.add, Row(number=1))
        assert context.run(say, 2)
        copy_context().run(session.commit)
        assert (unknown, numbers(tracked)) == (False, [1, 2])


class TestADependencyOfFastAPI:
    """The session is made, and the transaction ends, outside of the handler: in other threads, for `def` dependencies."""

    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize(("number", "sent"), [(1, [RowWritten]), (13, [RowFailed])])
    def test_has_the_events_of_its_handler(
        self, tmp_path: Path, tracked: Recorder, number: int, sent: list[type[Track]], *, asynchronous: bool
    ) -> None:
        url = databases.sqlite(tmp_path)
        Base.metadata.create_all(setup := create_engine(url))
        setup.dispose()
        sessions = sessionmaker(engine := create_engine(url))
        follow_transactions(sessions)
        of_tasks = async_sessionmaker(async_engine := create_async_engine(url.set(drivername="sqlite+aiosqlite")))
        follow_transactions(of_tasks)

        def session() -> Iterator[Session]:
            with sessions.begin() as made:
                yield made

        async def session_of_task() -> AsyncIterator[AsyncSession]:
            async with of_tasks.begin() as made:
                yield made
            await async_engine.dispose()

        app = FastAPI()
        seen: list[int] = []

        @app.post("/{number}")
        @tracks(RowWritten, failure=RowFailed, scope=OrdererScope.from_call(user_id=lambda _: 7))
        def handle(number: int, session: Session = Depends(session)) -> None:  # noqa: B008, FAST002 - a local name
            session.add(Row(number=number))
            seen.append(len(tracked.events))
            if number == 13:
                raise HTTPException(409)

        @app.post("/async/{number}")
        @tracks(RowWritten, failure=RowFailed, scope=OrdererScope.from_call(user_id=lambda _: 7))
        async def handle_async(number: int, session: AsyncSession = Depends(session_of_task)) -> None:  # noqa: B008, FAST002
            session.add(Row(number=number))
            await session.flush()
            seen.append(len(tracked.events))
            if number == 13:
                raise HTTPException(409)

        path = f"/async/{number}" if asynchronous else f"/{number}"
        with TestClient(app) as browser:
            assert browser.post(path).status_code == (409 if number == 13 else 200)
        engine.dispose()
        assert (seen, [type(each) for each in tracked.events]) == ([0], sent)
        assert default_client().stats().held == 0


class TestWhatIsFollowed:
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda engine: scoped_session(sessionmaker(engine)), id="scoped session"),
            pytest.param(type("Own", (Session,), {}), id="session"),
            pytest.param(Session, id="session of a class that others use"),
        ],
    )
    def test_is_any_maker_of_sessions(self, memory: Engine, tracked: Recorder, make: Callable[[Engine], Any]) -> None:
        session = make(memory)
        follow_transactions(session)
        write(session, 1)
        session.rollback()
        write(session, 2)
        session.commit()
        session.close()
        with Session(memory) as other:
            write(other, 3)
        assert numbers(tracked) == [2, 3]

    def test_is_a_class(self, memory: Engine, tracked: Recorder) -> None:
        class Own(Session): ...

        follow_transactions(Own)
        with Own(memory) as session:
            write(session, 1)
        assert numbers(tracked) == []

    def test_is_nothing_else(self, memory: Engine) -> None:
        with pytest.raises(TypeError, match=r"not Engine. For a Connection, write `with deferring\(\)"):
            follow_transactions(memory)  # type: ignore[arg-type]

    def test_may_be_said_twice(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        follow_transactions(sessions, max_bytes=1)
        with sessions.begin() as session:
            session.add(Row(number=1))
            with pytest.raises(Refusal, match="wait for one transaction have reached 1 bytes"):
                say(1)
        assert numbers(tracked) == []

    def test_can_be_the_messages_of_one_client(self, memory: Engine, tracked: Recorder, tmp_path: Path) -> None:
        destination = MemoryDestination()
        own = Client(destinations=[destination], durability="memory", spool_dir=tmp_path)
        sessions = sessionmaker(memory)
        follow_transactions(sessions, client=own)
        with sessions() as session:
            of_other = write(session, 1)
            of_own = own.track(RowWritten(user_id=7, number=2))
            session.rollback()
        assert (of_other, of_own.held, numbers(tracked)) == (False, True, [1])
        assert (own.close(), own.stats().rolled_back, destination.messages) == (True, 1, [])


class TestAMessageThatIsHeld:
    def test_has_the_id_and_the_time_of_its_emission(self, memory: Engine) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        with recording() as tracked, sessions() as session:
            session.execute(text("SELECT 1"))
            held = default_client().track(RowWritten(user_id=7, number=1))
            at_once = default_client().track(RowWritten(user_id=7, number=2), transactional=False)
            session.commit()
        assert [each.message_id for each in tracked.envelopes] == [at_once.message_id, held.message_id]
        assert held.message_id is not None
        assert at_once.message_id is not None
        assert held.message_id < at_once.message_id

    def test_is_checked_at_once(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        with recording(strict=False), sessions() as session:
            session.execute(text("SELECT 1"))
            receipt = default_client().track(RowWritten(user_id=7, number=1), message_id="")
            assert (bool(receipt), receipt.held) == (False, False)

    def test_is_counted(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        client = default_client()
        with sessions() as session:
            write(session, 1)
            write(session, 2)
            waiting = client.stats()
            session.rollback()
            write(session, 3)
            session.commit()
        ended = client.stats()
        assert (waiting.held, waiting.accepted, waiting.rolled_back) == (2, 0, 0)
        assert (ended.held, ended.accepted, ended.rolled_back) == (0, 1, 2)

    def test_is_refused_beyond_the_bound_and_there_is_room_again_after_a_savepoint(self, memory: Engine) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions, max_bytes=700)
        with recording(strict=False) as tracked, sessions() as session:
            session.execute(text("SELECT 1"))
            savepoint = session.begin_nested()
            receipts = [default_client().track(RowWritten(user_id=7, number=each)) for each in range(4)]
            assert [bool(each) for each in receipts] == [True, True, False, False]
            savepoint.rollback()
            say(5)
            session.commit()
        assert numbers(tracked) == [5]
        assert tracked.client.stats().refused == {"queue_full": 2}

    def test_that_cannot_be_sent_at_the_commit_harms_nobody(self, memory: Engine, tmp_path: Path) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        told: list[str] = []
        client = Client(
            destinations=[MemoryDestination()],
            durability="memory",
            spool_dir=tmp_path,
            on_error=lambda _, where: told.append(where),
        )
        with sessions() as session:
            session.execute(text("SELECT 1"))
            assert client.track(RowWritten(user_id=7, number=1)).held
            client.close()
            session.commit()
        assert told == ["RowWritten, sent when its transaction had committed"]
        assert (client.stats().refused, client.stats().held) == ({"closed": 1}, 0)

    def test_is_held_by_a_client_that_is_made_later(self, memory: Engine, tmp_path: Path) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        destination = MemoryDestination()
        before = swap_default_client(Client(destinations=[destination], durability="memory", spool_dir=tmp_path))
        try:
            with sessions() as session:
                write(session, 1)
                session.rollback()
            default_client().close()
        finally:
            swap_default_client(before)
        assert destination.messages == []


class TestABlock:
    """`deferring`, around the transaction of whatever library."""

    def test_sends_when_it_has_ended(self, engine: Engine, tracked: Recorder) -> None:
        with deferring(), engine.begin() as connection:
            connection.execute(insert(Row), [{"number": 1}])
            held = say(1)
            before = numbers(tracked)
        assert (held, before, numbers(tracked)) == (True, [], [1])

    def test_drops_when_it_raises(self, engine: Engine, tracked: Recorder) -> None:
        with suppress(ZeroDivisionError), deferring(), engine.begin():
            say(1)
            raise ZeroDivisionError
        assert numbers(tracked) == []

    def test_drops_when_the_commit_raises(self, engine: Engine, tracked: Recorder) -> None:
        with suppress(IntegrityError), deferring(), engine.begin() as connection:
            connection.execute(insert(Part), [{"id": 1, "of": 2}])
            say(1)
        assert numbers(tracked) == []

    def test_inside_of_another_is_a_savepoint(self, engine: Engine, tracked: Recorder) -> None:
        with deferring(), engine.begin() as connection:
            say(1)
            with suppress(ZeroDivisionError), deferring(), connection.begin_nested():
                say(2)
                raise ZeroDivisionError
            with deferring(), connection.begin_nested():
                say(3)
            assert numbers(tracked) == []
        assert numbers(tracked) == [1, 3]

    def test_inside_of_a_session_belongs_to_its_transaction(self, memory: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(memory)
        follow_transactions(sessions)
        with sessions() as session:
            write(session, 1)
            with deferring():
                say(2)
            session.rollback()
        assert numbers(tracked) == []
        assert (default_client().stats().held, default_client().stats().rolled_back) == (0, 2)


@asynccontextmanager
async def opened_async(kind: str, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    if kind == "sqlite":
        engine = create_async_engine(databases.sqlite(tmp_path).set(drivername="sqlite+aiosqlite"))
        begin_truly(engine.sync_engine)
    else:
        engine = create_async_engine(databases.postgres())
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def async_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with opened_async(request.param, tmp_path) as engine:
        yield engine


async def write_async(session: AsyncSession, number: int) -> bool:
    session.add(Row(number=number))
    await session.flush()
    return say(number)


class TestAsynchronously:
    async def test_a_commit_sends_and_a_rollback_drops(self, async_engine: AsyncEngine, tracked: Recorder) -> None:
        sessions = async_sessionmaker(async_engine)
        follow_transactions(sessions)
        async with sessions() as session:
            held = await write_async(session, 1)
            before = numbers(tracked)
            await session.commit()
            await write_async(session, 2)
            await session.rollback()
        async with sessions.begin() as session:
            await write_async(session, 3)
            with suppress(ZeroDivisionError):
                async with session.begin_nested():
                    await write_async(session, 4)
                    raise ZeroDivisionError
            async with session.begin_nested():
                await write_async(session, 5)
        assert (held, before, numbers(tracked)) == (True, [], [1, 3, 5])
        async with async_engine.connect() as connection:
            assert (await connection.scalars(select(Row.number).order_by(Row.number))).all() == [1, 3, 5]

    async def test_a_query_alone_begins_a_transaction(self, async_engine: AsyncEngine, tracked: Recorder) -> None:
        sessions = async_sessionmaker(async_engine)
        follow_transactions(sessions)
        async with sessions() as session:
            await session.scalars(select(Row))
            assert say(1)
            await session.rollback()
        assert numbers(tracked) == []

    async def test_tasks_have_no_part_in_each_others_transactions(
        self, async_engine: AsyncEngine, tracked: Recorder
    ) -> None:
        sessions = async_sessionmaker(async_engine)
        follow_transactions(sessions)
        turn = asyncio.Barrier(4) if hasattr(asyncio, "Barrier") else None

        async def work(number: int) -> None:
            async with sessions() as session:
                await session.scalars(select(Row))
                for step in range(3):
                    if turn is not None:
                        await turn.wait()
                    await asyncio.sleep(0)
                    assert say(10 * number + step)
                await (session.commit() if number % 2 else session.rollback())

        await asyncio.gather(*(work(each) for each in range(4)))
        assert sorted(numbers(tracked)) == [10, 11, 12, 30, 31, 32]

    async def test_a_task_that_is_cancelled_drops(self, async_engine: AsyncEngine, tracked: Recorder) -> None:
        sessions = async_sessionmaker(async_engine)
        follow_transactions(sessions)
        written = asyncio.Event()

        async def work() -> None:
            async with sessions.begin() as session:
                await write_async(session, 1)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert numbers(tracked) == []

    @pytest.mark.parametrize("kind", ["session", "scoped", "maker with a class of its own"])
    async def test_whatever_makes_sessions_is_followed(self, tmp_path: Path, tracked: Recorder, kind: str) -> None:
        async with opened_async("sqlite", tmp_path) as engine:
            maker = async_sessionmaker(engine)
            if kind == "session":
                session: Any = maker()
                follow_transactions(session)
            elif kind == "scoped":
                scoped = async_scoped_session(maker, scopefunc=asyncio.current_task)
                follow_transactions(scoped)
                session = scoped()
            else:
                maker.configure(sync_session_class=sessionmaker())
                follow_transactions(maker)
                follow_transactions(maker)
                session = maker()
            await write_async(session, 1)
            await session.rollback()
            await write_async(session, 2)
            await session.commit()
            await session.close()
            async with AsyncSession(engine) as other:
                assert not await write_async(other, 3)
        assert numbers(tracked) == [2, 3]


def test_without_greenlet_synchronous_sessions_are_followed() -> None:
    """SQLAlchemy 2.1 installs it no longer, and its asynchronous part cannot be imported without."""
    code = """if True:
        import sys
        sys.modules["greenlet"] = None
        from sqlalchemy import create_engine
        from sqlalchemy.orm import scoped_session, sessionmaker
        from instrument.integrations.sqlalchemy import follow_transactions
        maker = sessionmaker(create_engine("sqlite://"))
        for each in (maker, scoped_session(maker), maker.class_, maker()):
            follow_transactions(each)
        try:
            follow_transactions(maker.kw["bind"])
        except TypeError as error:
            print(type(error).__name__, error)
    """
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.startswith("TypeError follow_transactions takes a sessionmaker")
