"""The transactional outbox: rows that are written with their transaction, and a relay that sends each at least once."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, event, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from typer.testing import CliRunner

from instrument import Client, Limits, Scope, Track, Unavailable, default_client
from instrument.cli.app import app
from instrument.delivery.attempts import GaveUp, Patience
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.destinations.outbox import OutboxDestination
from instrument.delivery.outbox import backlog, open_database, store
from instrument.delivery.relay import Relay
from instrument.delivery.retry import Backoff
from instrument.integrations.sqlalchemy import follow_transactions, outbox_table
from instrument.testing import Recorder, recording
from instrument.testing.collector import Collector
from tests.delivery.envelopes import envelope, envelopes
from tests.delivery.scripted import Scripted
from tests.integrations.transactions import databases
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from instrument import Envelope

QUICK = Backoff(first=0.01, most=0.05)
PATIENCE = 30.0


class StoredScope(Scope):
    user_id: int


class RowStored(Track, StoredScope):
    number: int


class Base(DeclarativeBase): ...


class Row(Base):
    __tablename__ = "stored_rows"
    number: Mapped[int] = mapped_column(primary_key=True)


OUTBOX = outbox_table(Base.metadata)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = databases.opened(databases.sqlite(tmp_path) if request.param == "sqlite" else databases.postgres())
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    made = sessionmaker(engine)
    follow_transactions(made, outbox=OUTBOX)
    return made


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path / "letters")


def say(number: int) -> bool:
    receipt = default_client().track(RowStored(user_id=7, number=number))
    assert receipt
    return receipt.held


def write(session: Session, number: int) -> bool:
    session.add(Row(number=number))
    session.flush()
    return say(number)


def stored(engine: Engine) -> list[int]:
    """The numbers of the messages in the outbox, in the order of writing."""
    with engine.connect() as connection:
        bodies = connection.scalars(select(OUTBOX.c.body).order_by(OUTBOX.c.id))
        return [json.loads(each)["properties"]["number"] for each in bodies]


def fill(engine: Engine, several: Sequence[Envelope]) -> None:
    with engine.begin() as connection:
        store(connection, OUTBOX, several)


def numbers(several: Sequence[Envelope]) -> list[int]:
    return [json.loads(each.body)["properties"]["number"] for each in several]


class TestASession:
    def test_writes_its_messages_with_its_rows(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            held = write(session, 1)
            with suppress(ZeroDivisionError), session.begin_nested():
                write(session, 2)
                raise ZeroDivisionError
            with session.begin_nested():
                write(session, 3)
            session.commit()
            write(session, 4)
            session.rollback()
        stats = default_client().stats()
        assert (held, stored(engine), tracked.events) == (True, [1, 3], [])
        assert (stats.held, stats.stored, stats.rolled_back, stats.accepted) == (0, 2, 2, 0)

    def test_writes_the_envelope_byte_for_byte(self, engine: Engine, sessions: sessionmaker[Session]) -> None:
        message = RowStored(user_id=7, number=1)
        context = {"note": "\u0000 \U0001f4e6 \u2028 \\ ' \" %s :x"}
        with recording() as tracked:
            with sessions.begin() as session:
                session.execute(text("SELECT 1"))
                receipt = default_client().track(message, message_id="a", context=context)
            default_client().track(message, message_id="a", context=context)
        oldest = backlog(engine, OUTBOX).oldest
        assert oldest is not None
        sent, written = json.loads(tracked.envelopes[0].body), json.loads(oldest.body)
        assert (receipt.message_id, oldest.message_id) == ("a", "a")
        assert {**written, "timestamp": sent["timestamp"]} == sent

    def test_writes_what_the_flush_of_its_commit_emits(self, engine: Engine, tracked: Recorder) -> None:
        sessions = sessionmaker(engine)
        follow_transactions(sessions, outbox=OUTBOX)

        @event.listens_for(Row, "after_insert")
        def _(_: Any, __: Any, row: Row) -> None:
            say(row.number)

        try:
            with sessions.begin() as session:
                session.add(Row(number=1))
        finally:
            event.remove(Row, "after_insert", _)
        assert (stored(engine), tracked.events) == ([1], [])

    def test_that_cannot_write_them_commits_all_the_same_and_sends(self, engine: Engine) -> None:
        sessions = sessionmaker(engine)
        follow_transactions(sessions, outbox=outbox_table(MetaData(), "there_is_none"))
        told: list[str] = []
        with recording(strict=False, on_error=lambda _, where: told.append(where)) as tracked:
            with sessions.begin() as session:
                write(session, 1)
            with engine.connect() as connection:
                assert connection.scalars(select(Row.number)).all() == [1]
        assert tracked.events == [RowStored(user_id=7, number=1)]
        assert told == ["RowStored, which could not be written into the outbox, and is sent after the commit"]

    def test_writes_none_where_its_commit_fails(
        self, engine: Engine, sessions: sessionmaker[Session], tracked: Recorder
    ) -> None:
        with sessions() as session:
            session.execute(text("SELECT 1"))
            say(1)

            @event.listens_for(session, "after_flush")
            def _(*_: object) -> None:
                raise ZeroDivisionError

            session.add(Row(number=1))
            with pytest.raises(ZeroDivisionError):
                session.commit()
        assert (stored(engine), tracked.events, default_client().stats().rolled_back) == ([], [], 1)

    @pytest.mark.parametrize("outbox", [None, OUTBOX])
    def test_that_postgresql_has_given_up_is_no_commit(self, tracked: Recorder, outbox: Any) -> None:
        """PostgreSQL answers the commit of a transaction that failed with a rollback, and with no error."""
        engine = databases.opened(databases.postgres())
        Base.metadata.create_all(engine)
        sessions = sessionmaker(engine)
        follow_transactions(sessions, outbox=outbox)
        with sessions() as session:
            write(session, 1)
            with suppress(DBAPIError):
                session.execute(text("SELECT 1 / 0"))
            session.commit()
        with engine.connect() as connection:
            assert connection.scalars(select(Row.number)).all() == []
        assert (stored(engine), tracked.events) == ([], [])
        engine.dispose()

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    async def test_may_be_asynchronous(self, tmp_path: Path, tracked: Recorder, kind: str) -> None:
        url = databases.sqlite(tmp_path) if kind == "sqlite" else databases.postgres()
        engine = databases.opened(url)
        Base.metadata.create_all(engine)
        asynchronous = create_async_engine(url.set(drivername="sqlite+aiosqlite") if kind == "sqlite" else url)
        sessions = async_sessionmaker(asynchronous)
        follow_transactions(sessions, outbox=OUTBOX)
        async with sessions() as session:
            session.add(Row(number=1))
            await session.flush()
            say(1)
            await session.rollback()
            session.add(Row(number=2))
            await session.flush()
            say(2)
            await session.commit()
        await asynchronous.dispose()
        assert (stored(engine), tracked.events) == ([2], [])
        engine.dispose()


class TestTheDestination:
    def test_writes_what_is_emitted_outside_of_a_transaction(
        self, engine: Engine, sessions: sessionmaker[Session], tmp_path: Path
    ) -> None:
        client = Client(destinations=[OutboxDestination(engine, OUTBOX)], durability="memory", spool_dir=tmp_path)
        assert client.track(RowStored(user_id=7, number=1))
        assert client.flush()
        with sessions.begin() as session:
            session.execute(text("SELECT 1"))
            assert client.track(RowStored(user_id=7, number=2)).held
        assert client.close()
        assert stored(engine) == [1, 2]

    def test_waits_until_the_table_is_there(self, engine: Engine) -> None:
        destination = OutboxDestination(engine, outbox_table(MetaData(), "later"))
        with pytest.raises(Unavailable, match="the outbox cannot be written"):
            destination.send(envelopes([1]))

    def test_opens_a_database_of_its_own(self, engine: Engine) -> None:
        destination = OutboxDestination(engine.url.render_as_string(hide_password=False))
        destination.forget_connections()
        destination.send(envelopes([1]))
        destination.send(envelopes([2]))
        destination.close()
        assert stored(engine) == [1, 2]

    @pytest.mark.parametrize("url", ["no address", "nosuchdb://user:secret@host/db"])
    def test_says_what_is_no_database_without_the_password(self, url: str) -> None:
        with pytest.raises(ValueError, match="the address of the database cannot be used") as raised:
            OutboxDestination(url)
        assert "secret" not in str(raised.value)


class TestAnAddress:
    @pytest.mark.parametrize(
        ("given", "driver"),
        [
            ("sqlite+aiosqlite:///x.db", "sqlite"),
            ("postgresql+asyncpg://host/db", "postgresql+psycopg"),
            ("postgresql://host/db", "postgresql+psycopg"),
            ("postgres://host/db", "postgresql+psycopg"),
            ("postgresql+psycopg://host/db", "postgresql+psycopg"),
        ],
    )
    def test_is_opened_synchronously(self, given: str, driver: str) -> None:
        assert open_database(given).url.drivername == driver


@contextmanager
def running(relay: Relay) -> Iterator[None]:
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield
    finally:
        relay.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


class DownOnce(Scripted):
    """Takes one batch, and goes down for the next."""

    def send(self, batch: Sequence[Envelope]) -> None:
        if len(self.batches) == 1:
            self.answer(Unavailable("it went down"))
        super().send(batch)


@pytest.mark.instrument_delivery
class TestARelay:
    def test_sends_in_order_and_leaves_nothing(self, engine: Engine, letters: DeadLetters) -> None:
        fill(engine, envelopes(range(25)))
        destination = Scripted(limits=Limits(count=10))
        forwarded = Relay(destination, letters, engine, OUTBOX).run(until_empty=True)
        assert destination.taken == envelopes(range(25))
        assert [len(each) for each in destination.batches] == [10, 10, 5]
        assert (stored(engine), forwarded.delivered, forwarded.dead) == ([], 25, 0)

    def test_takes_what_comes_while_it_runs(self, engine: Engine, letters: DeadLetters) -> None:
        destination = Scripted()
        with running(Relay(destination, letters, engine, OUTBOX, every=0.01)):
            for number in range(3):
                fill(engine, envelopes([number]))
                destination.wait_for(number + 1)
        assert destination.taken == envelopes(range(3))

    def test_waits_for_a_destination_that_is_down_and_keeps_nothing_locked(
        self, engine: Engine, letters: DeadLetters
    ) -> None:
        fill(engine, envelopes(range(3)))
        destination = Scripted()
        destination.go_down(Unavailable("it is down"))
        relay = Relay(destination, letters, engine, OUTBOX, every=0.01, patience=Patience(backoff=QUICK))
        with running(relay):
            wait_until(lambda: len(destination.batches) > 2)
            fill(engine, envelopes([3]))
            destination.come_back()
            wait_until(lambda: len(destination.taken) == 4)
        assert (destination.taken, stored(engine)) == (envelopes(range(4)), [])
        assert relay.forwarded.retried >= 2

    def test_keeps_what_was_sent_of_a_batch_that_failed_in_its_middle(
        self, engine: Engine, letters: DeadLetters
    ) -> None:
        fill(engine, envelopes(range(4), pad=300))
        destination = DownOnce(limits=Limits(size=900))
        Relay(destination, letters, engine, OUTBOX, patience=Patience(backoff=QUICK)).run(until_empty=True)
        assert numbers(destination.taken) == [0, 1, 2, 3]
        assert len(destination.batches) == 3

    def test_puts_aside_what_is_never_taken(self, engine: Engine, letters: DeadLetters) -> None:
        fill(engine, envelopes(range(5)))
        destination = Scripted()
        destination.reject(["message-2"])
        forwarded = Relay(destination, letters, engine, OUTBOX).run(until_empty=True)
        assert numbers(destination.taken) == [0, 1, 3, 4]
        assert [each.envelope for each in letters.letters()] == [envelope(2)]
        assert (stored(engine), forwarded.delivered, forwarded.dead) == ([], 4, 1)

    def test_puts_aside_what_is_no_message(self, engine: Engine, letters: DeadLetters) -> None:
        with engine.begin() as connection:
            connection.execute(insert(OUTBOX), [{"message_id": "x", "body": each} for each in ("", "[1]", "{}")])
        fill(engine, envelopes([1]))
        destination = Scripted()
        forwarded = Relay(destination, letters, engine, OUTBOX).run(until_empty=True)
        assert (destination.taken, forwarded.dead) == (envelopes([1]), 3)
        assert [each.envelope.body for each in letters.letters()] == [b"", b"[1]", b"{}"]

    def test_keeps_a_dead_letter_in_the_outbox_until_it_can_be_written(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        letters = DeadLetters(tmp_path / "file" / "no directory")
        fill(engine, envelopes([1, 2]))
        destination = Scripted()
        destination.reject(["message-1"])
        with running(Relay(destination, letters, engine, OUTBOX, every=0.01)):
            wait_until(lambda: len(destination.batches) > 4)
        assert (numbers(destination.taken), stored(engine)) == ([2], [1])

    def test_waits_for_the_table(self, engine: Engine, letters: DeadLetters, caplog: pytest.LogCaptureFixture) -> None:
        table = outbox_table(MetaData(), "outbox_of_later")
        destination = Scripted()
        with running(Relay(destination, letters, engine, table, every=0.01, patience=Patience(backoff=QUICK))):
            wait_until(lambda: "there is no table outbox_of_later yet" in caplog.text)
            table.metadata.create_all(engine)
            with engine.begin() as connection:
                store(connection, table, envelopes([1]))
            wait_until(lambda: destination.taken)
        assert destination.taken == envelopes([1])

    def test_gives_up_when_its_patience_ends(self, engine: Engine, letters: DeadLetters) -> None:
        fill(engine, envelopes([1]))
        destination = Scripted()
        destination.go_down(Unavailable("it is down"))
        with pytest.raises(GaveUp, match=r"it is down; nothing was taken for 0\.1 seconds"):
            Relay(destination, letters, engine, OUTBOX, patience=Patience(0.1, backoff=QUICK)).run()
        assert stored(engine) == [1]

    def test_that_was_stopped_ends_after_its_attempt(self, engine: Engine, letters: DeadLetters) -> None:
        fill(engine, envelopes([1, 2]))
        relay = Relay(Scripted(), letters, engine, OUTBOX)
        relay.stop()
        assert relay.run().delivered == 0
        assert stored(engine) == [1, 2]

    def test_beside_others_sends_each_message_once(self, engine: Engine, letters: DeadLetters) -> None:
        several = [Scripted(limits=Limits(count=7)) for _ in range(3)]
        fill(engine, envelopes(range(200)))
        relays = [Relay(each, letters, engine, OUTBOX, every=0.01) for each in several]
        with running(relays[0]), running(relays[1]), running(relays[2]):
            fill(engine, envelopes(range(200, 250)))
            wait_until(lambda: not stored(engine))
        sent = [number for each in several for number in numbers(each.taken)]
        assert sorted(sent) == list(range(250))

    def test_skips_what_another_has_in_hand(self, engine: Engine, letters: DeadLetters) -> None:
        fill(engine, envelopes(range(4)))
        slow, quick = Scripted(limits=Limits(count=2)), Scripted()
        slow.hang()
        with running(Relay(slow, letters, engine, OUTBOX, every=0.01)):
            wait_until(lambda: slow.batches)
            with running(Relay(quick, letters, engine, OUTBOX, every=0.01)):
                if engine.dialect.name == "postgresql":
                    wait_until(lambda: len(quick.taken) == 2)
                fill(engine, envelopes([4]))  # neither keeps the application from writing
                slow.let_go()
                wait_until(lambda: not stored(engine))
        assert sorted(numbers([*slow.taken, *quick.taken])) == [0, 1, 2, 3, 4]


def test_nothing_is_relayed_while_tests_forbid_sending(engine: Engine, letters: DeadLetters) -> None:
    with pytest.raises(GaveUp, match="tests are running"):
        Relay(Scripted(), letters, engine, OUTBOX).run()


@pytest.mark.instrument_delivery
class TestTheCommand:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path / "spool"))
        monkeypatch.setenv("SEGMENT_CLIENT_KEY", "key")

    def run(self, *command: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, command)
        assert result.exit_code == code, result.output
        return result.output

    def test_makes_the_table_looks_into_it_and_forwards(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        url = databases.sqlite(tmp_path).render_as_string()
        assert self.run("outbox", "create", url) == "The table instrument_outbox is there.\n"
        assert self.run("outbox", "create", url) == "The table instrument_outbox is there.\n"
        assert self.run("outbox", "status", url) == "The outbox is empty.\n"
        engine = open_database(url)
        fill(engine, envelopes([1, 2]))
        assert self.run("outbox", "status", url) == "2 messages; the oldest: track Parcel Sent, message-1\n"
        assert json.loads(self.run("outbox", "status", url, "--json")) == {"messages": 2, "oldest": "message-1"}
        with Collector() as collector:
            monkeypatch.setenv("INSTRUMENT_HOST", collector.url)
            told = self.run("forward", "--outbox", url, "--until-empty", "--batch", "1", "--every", "0.01")
            assert told == "Delivered: 2 messages.\n"
            assert [each["messageId"] for each in collector.messages] == ["message-1", "message-2"]
        engine.dispose()

    def test_names_another_table_and_gives_up_in_time(self, tmp_path: Path) -> None:
        url = databases.sqlite(tmp_path).render_as_string()
        self.run("outbox", "create", url, "--table", "other")
        told = self.run("outbox", "status", url, code=1)
        assert "the database cannot be read or written (OperationalError); is the table there?" in told
        told = self.run("forward", "--outbox", url, "--to", "stdout", "--timeout", "0", code=1)
        assert "there is no table instrument_outbox yet" in told
        self.run("forward", "--outbox", url, "--table", "other", "--to", "stdout", "--until-empty")

    @pytest.mark.parametrize("command", ["outbox status", "outbox create", "forward --outbox"])
    def test_says_what_is_no_database(self, command: str) -> None:
        told = self.run(*command.split(), "nosuchdb://user:secret@host/db", code=2)
        assert "secret" not in told
