"""Whatever begins, savepoints, rollbacks and commits follow each other: what is delivered is what was committed.

The database itself is the model: each event comes with a row.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

if not django_settings.configured:
    django_settings.configure()

import django
from django.db import IntegrityError as DjangoIntegrityError
from django.db import connections, transaction
from sqlalchemy import create_engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from instrument import Scope, Track, default_client
from instrument.integrations import django_transactions
from instrument.integrations.sqlalchemy import follow_transactions, outbox_table
from instrument.testing import recording
from tests.integrations.transactions.savepoints import begin_truly

if TYPE_CHECKING:
    from sqlalchemy.orm import SessionTransaction

django.setup()

MOST_LEVELS = 4
FEW = settings(max_examples=25, stateful_step_count=25, deadline=None)


class ModelScope(Scope):
    user_id: int


class RowModelled(Track, ModelScope):
    number: int


class Base(DeclarativeBase): ...


class Row(Base):
    __tablename__ = "modelled_rows"
    number: Mapped[int] = mapped_column(primary_key=True)


OUTBOX = outbox_table(Base.metadata)


class OfSession(RuleBasedStateMachine):
    """A session of SQLAlchemy; what is held is sent after the commit."""

    with_outbox = False

    def __init__(self) -> None:
        super().__init__()
        self.left = ExitStack()
        self.tracked = self.left.enter_context(recording())
        self.engine = create_engine("sqlite://")
        self.left.callback(self.engine.dispose)
        begin_truly(self.engine)
        Base.metadata.create_all(self.engine)
        sessions = sessionmaker(self.engine)
        follow_transactions(sessions, outbox=OUTBOX if self.with_outbox else None)
        self.session: Session = self.left.enter_context(sessions())
        self.savepoints: list[SessionTransaction] = []
        self.number = 0

    def say(self) -> None:
        receipt = default_client().track(RowModelled(user_id=7, number=self.number))
        assert receipt.held

    @rule()
    def write(self) -> None:
        self.number += 1
        self.session.add(Row(number=self.number))
        self.session.flush()
        self.say()

    @rule()
    def write_without_objects(self) -> None:
        self.number += 1
        self.session.execute(insert(Row), [{"number": self.number}])
        self.say()

    @rule()
    def write_in_a_task(self) -> None:
        copy_context().run(self.write)

    @precondition(lambda self: self.number)
    @rule()
    def fail_in_a_savepoint(self) -> None:
        self.session.merge(Row(number=0))
        self.session.flush()
        with suppress(IntegrityError), self.session.begin_nested():
            self.write()
            self.session.execute(insert(Row), [{"number": 0}])
        self.session.delete(self.session.get_one(Row, 0))
        self.session.flush()

    @precondition(lambda self: len(self.savepoints) < MOST_LEVELS)
    @rule()
    def begin_a_savepoint(self) -> None:
        self.savepoints.append(self.session.begin_nested())

    @precondition(lambda self: self.savepoints)
    @rule()
    def release_a_savepoint(self) -> None:
        self.savepoints.pop().commit()

    @precondition(lambda self: self.savepoints)
    @rule()
    def roll_a_savepoint_back(self) -> None:
        self.savepoints.pop().rollback()

    @precondition(lambda self: len(self.savepoints) > 1)
    @rule()
    def roll_an_outer_savepoint_back(self) -> None:
        self.savepoints[0].rollback()
        self.savepoints.clear()

    @rule()
    def commit(self) -> None:
        self.session.commit()
        self.savepoints.clear()

    @rule()
    def roll_back(self) -> None:
        self.session.rollback()
        self.savepoints.clear()

    @rule()
    def close(self) -> None:
        self.session.close()
        self.savepoints.clear()

    @precondition(lambda self: not self.session.in_transaction())
    @invariant()
    def what_is_delivered_is_what_was_committed(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.scalars(select(Row.number).order_by(Row.number)).all()
            stored = connection.scalars(select(OUTBOX.c.body).order_by(OUTBOX.c.id)).all()
        sent = [each.number for each in self.tracked.events]
        numbers = [json.loads(each)["properties"]["number"] for each in stored]
        stats = self.tracked.client.stats()
        assert (sent, numbers) == (([], rows) if self.with_outbox else (rows, []))
        assert (stats.held, stats.stored, stats.accepted) == (0, len(numbers), len(sent))

    def teardown(self) -> None:
        self.session.close()
        self.what_is_delivered_is_what_was_committed()
        self.left.close()


class OfSessionWithOutbox(OfSession):
    """The same; what is held is written with the transaction."""

    with_outbox = True


class OfDjango(RuleBasedStateMachine):
    """Nested `atomic` blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.left = ExitStack()
        self.tracked = self.left.enter_context(recording())
        handler: Any = connections
        before = handler.settings
        handler.settings = handler.configure_settings(
            {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        )
        self.left.callback(setattr, handler, "settings", before)
        with suppress(AttributeError):
            del connections["default"]  # what an earlier test has used
        self.left.callback(connections.__delitem__, "default")
        connections["default"].ensure_connection()
        # Django itself leaves databases in memory open.
        self.left.callback(connections["default"].connection.close)
        self.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        self.execute("INSERT INTO numbers VALUES (0)")
        django_transactions.follow_transactions()
        self.blocks: list[transaction.Atomic] = []
        self.number = 0

    def execute(self, statement: str) -> list[Any]:
        with connections["default"].cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if statement.startswith("SELECT") else []

    @rule()
    def write(self) -> None:
        self.number += 1
        self.execute(f"INSERT INTO numbers VALUES ({self.number})")
        receipt = default_client().track(RowModelled(user_id=7, number=self.number))
        assert receipt.held is bool(self.blocks)

    @precondition(lambda self: self.blocks)
    @rule()
    def fail(self) -> None:
        with suppress(DjangoIntegrityError), transaction.atomic():
            self.write()
            self.execute("INSERT INTO numbers VALUES (0)")

    @precondition(lambda self: len(self.blocks) < MOST_LEVELS)
    @rule()
    def begin(self) -> None:
        block = transaction.atomic()
        block.__enter__()
        self.blocks.append(block)

    @precondition(lambda self: self.blocks)
    @rule()
    def end(self) -> None:
        self.blocks.pop().__exit__(None, None, None)

    @precondition(lambda self: self.blocks)
    @rule()
    def raise_out_of_it(self) -> None:
        self.blocks.pop().__exit__(ZeroDivisionError, ZeroDivisionError(), None)

    @precondition(lambda self: not self.blocks)
    @invariant()
    def what_is_delivered_is_what_was_committed(self) -> None:
        rows = [number for (number,) in self.execute("SELECT number FROM numbers WHERE number > 0 ORDER BY number")]
        assert [each.number for each in self.tracked.events] == rows
        assert self.tracked.client.stats().held == 0

    def teardown(self) -> None:
        while self.blocks:
            self.raise_out_of_it()
        self.what_is_delivered_is_what_was_committed()
        self.left.close()


TestSession = OfSession.TestCase
TestSession.settings = FEW
TestSessionWithOutbox = OfSessionWithOutbox.TestCase
TestSessionWithOutbox.settings = FEW
TestDjango = OfDjango.TestCase
TestDjango.settings = FEW
