"""Events and the transactions of Django, with Django's own connections, requests and test cases."""

from __future__ import annotations

import json
import threading
import unittest
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if not settings.configured:
    settings.configure()

import django
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connections, transaction
from django.db.migrations.state import ProjectState
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, TestCase, override_settings
from django.test import Client as Browser
from django.urls import path
from sqlalchemy import MetaData

from instrument import Client, MemoryDestination, Scope, Track, default_client, tracks
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.outbox import open_database, outbox_table
from instrument.delivery.relay import Relay
from instrument.errors import Refusal
from instrument.integrations import django as _judging_responses  # noqa: F401
from instrument.integrations.django_outbox import create_outbox
from instrument.integrations.django_transactions import follow_transactions
from instrument.testing import Recorder, recording
from instrument.transactions import deferring
from tests.delivery.scripted import Scripted
from tests.integrations.transactions import databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

django.setup()

pytestmark = pytest.mark.usefixtures("_databases")
DATABASES = ("default", "other")


class AtomicScope(Scope):
    user_id: int


class AtomicWritten(Track, AtomicScope):
    number: int


class AtomicBegun(Track, AtomicScope):
    number: int


class AtomicFailed(Track, AtomicScope):
    number: int


def in_a_file(file: Path) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": file}


def in_postgresql() -> dict[str, Any]:
    url = databases.postgres()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "HOST": url.query["host"],
        "OPTIONS": {"options": url.query["options"]},
    }


@pytest.fixture(params=["sqlite"])
def _databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    handler: Any = connections
    default = in_a_file(tmp_path / "default") if request.param == "sqlite" else in_postgresql()
    given = {"default": default, "other": in_a_file(tmp_path / "other")}
    before, handler.settings = handler.settings, handler.configure_settings(given)
    for alias in DATABASES:
        with suppress(AttributeError):
            del connections[alias]  # what an earlier test has used
        with connections[alias].cursor() as cursor:
            cursor.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    follow_transactions()
    yield
    for alias in DATABASES:
        connections[alias].close()
        del connections[alias]
    handler.settings = before


def insert(number: int, using: str = "default") -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("INSERT INTO numbers VALUES (%s)", [number])


def write(number: int, using: str = "default") -> bool:
    """Write a row, and say so; answer whether the message is held."""
    insert(number, using)
    return say(number)


def say(number: int) -> bool:
    receipt = default_client().track(AtomicWritten(user_id=7, number=number))
    assert receipt
    return receipt.held


def numbers(tracked: Recorder) -> list[int]:
    return [each.number for each in tracked.events]


def rows(using: str = "default") -> list[int]:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT number FROM numbers ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


class TestAnAtomicBlock:
    def test_that_commits_sends_in_order_what_was_held(self, tracked: Recorder) -> None:
        with transaction.atomic():
            held = [write(1), write(2)]
            before = numbers(tracked)
        assert (held, before, numbers(tracked)) == ([True, True], [], [1, 2])

    def test_that_raises_sends_nothing(self, tracked: Recorder) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            write(1)
            raise ZeroDivisionError
        stats = default_client().stats()
        assert (numbers(tracked), stats.held, stats.rolled_back) == ([], 0, 1)

    def test_whose_savepoint_is_rolled_back_keeps_the_rest(self, tracked: Recorder) -> None:
        with transaction.atomic():
            write(1)
            with suppress(ZeroDivisionError), transaction.atomic():
                write(2)
                with transaction.atomic():
                    write(3)
                raise ZeroDivisionError
            with transaction.atomic():
                write(4)
            with transaction.atomic(savepoint=False):
                write(5)
            assert default_client().stats().held == 3
        assert numbers(tracked) == rows() == [1, 4, 5]
        assert default_client().stats().rolled_back == 2

    def test_that_the_database_breaks_sends_nothing(self, tracked: Recorder) -> None:
        write(1)
        with suppress(IntegrityError), transaction.atomic():
            write(2)
            write(1)
        with transaction.atomic():
            write(3)
            transaction.set_rollback(True)
            say(4)
        assert numbers(tracked) == rows() == [1]

    def test_whose_commit_is_refused_sends_nothing(self, tracked: Recorder) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE parts (of INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
        with suppress(IntegrityError), transaction.atomic():
            with connections["default"].cursor() as cursor:
                cursor.execute("INSERT INTO parts VALUES (1)")
            say(1)
        assert numbers(tracked) == []

    def test_in_another_thread_has_no_part_in_it(self, tracked: Recorder) -> None:
        held: list[bool] = []
        with suppress(ZeroDivisionError), transaction.atomic():
            write(1)
            thread = threading.Thread(target=lambda: held.append(say(2)))
            thread.start()
            thread.join()
            raise ZeroDivisionError
        assert (held, numbers(tracked)) == ([False], [2])

    def test_inside_of_a_deferring_block_is_sent_after_both(self, tracked: Recorder) -> None:
        with deferring():
            with transaction.atomic():
                write(1)
            assert numbers(tracked) == []
        with suppress(ZeroDivisionError), deferring():
            with transaction.atomic():
                write(2)
            raise ZeroDivisionError
        with suppress(ZeroDivisionError), transaction.atomic():
            with deferring():
                write(3)
            raise ZeroDivisionError
        assert numbers(tracked) == [1]


class TestOutsideOfOne:
    def test_a_message_is_sent_at_once(self, tracked: Recorder) -> None:
        before = write(1)
        with transaction.atomic():
            write(2)
        assert (before, say(3), numbers(tracked)) == (False, False, [1, 2, 3])

    def test_so_it_is_where_the_user_manages_the_transaction(self, tracked: Recorder) -> None:
        transaction.set_autocommit(False)
        try:
            assert write(1) is False
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)
        assert numbers(tracked) == [1]

    def test_no_connection_is_made_for_the_question(self, tracked: Recorder) -> None:
        opened: list[Any] = []

        def emit() -> None:
            say(1)
            opened.extend(connections.all(initialized_only=True))

        thread = threading.Thread(target=emit)
        thread.start()
        thread.join()
        assert (opened, numbers(tracked)) == ([], [1])


class TestSeveralDatabases:
    def test_only_those_that_are_named_are_followed(self, tracked: Recorder) -> None:
        with suppress(ZeroDivisionError), transaction.atomic(using="other"):
            assert write(1, "other") is False
            raise ZeroDivisionError
        follow_transactions("default", "other")
        with suppress(ZeroDivisionError), transaction.atomic(using="other"):
            assert write(2, "other") is True
            raise ZeroDivisionError
        assert numbers(tracked) == [1]

    def test_the_first_named_has_the_message(self, tracked: Recorder) -> None:
        follow_transactions("other", "default")
        with transaction.atomic():
            with transaction.atomic(using="other"):
                write(1)
            assert numbers(tracked) == [1]
            write(2)
            assert numbers(tracked) == [1]
        assert numbers(tracked) == [1, 2]


class TestOptions:
    def test_what_is_beyond_the_bound_is_refused_until_there_is_room(self, tracked: Recorder) -> None:
        follow_transactions(max_bytes=400)
        with suppress(ZeroDivisionError), transaction.atomic():
            say(1)
            with pytest.raises(Refusal, match="have reached 400 bytes"):
                say(2)
            raise ZeroDivisionError
        with transaction.atomic():
            say(3)
        assert numbers(tracked) == [3]

    def test_they_can_be_the_messages_of_one_client(self, tracked: Recorder, tmp_path: Path) -> None:
        destination = MemoryDestination()
        own = Client(destinations=[destination], durability="memory", spool_dir=tmp_path)
        follow_transactions(client=own)
        with suppress(ZeroDivisionError), transaction.atomic():
            assert say(1) is False
            assert own.track(AtomicWritten(user_id=7, number=2)).held
            raise ZeroDivisionError
        assert (own.close(), destination.messages, numbers(tracked)) == (True, [], [1])


@tracks(AtomicWritten, start=AtomicBegun, failure=AtomicFailed)
def view(request: HttpRequest, user_id: int, number: int) -> HttpResponse:
    del request, user_id
    insert(number)
    if number == 13:
        raise ZeroDivisionError
    return HttpResponse(status=409 if number == 14 else 200)


@transaction.non_atomic_requests
async def view_async(request: HttpRequest, number: int) -> HttpResponse:
    def work() -> None:
        with closing(connections["default"]), transaction.atomic():  # that of the thread
            write(number)
            if number == 13:
                raise ZeroDivisionError

    begun = say(number)
    with suppress(ZeroDivisionError):
        await sync_to_async(work)()
    return HttpResponse(str(begun))


urlpatterns = [path("sync/<int:user_id>/<int:number>", view), path("async/<int:number>", view_async)]


@pytest.fixture
def atomic_requests() -> Iterator[Browser]:
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]):
        yield Browser(raise_request_exception=False)


class TestRequests:
    def test_a_success_is_sent_when_the_request_commits(self, atomic_requests: Browser, tracked: Recorder) -> None:
        assert atomic_requests.get("/sync/7/1").status_code == 200
        assert tracked.events == [AtomicBegun(user_id=7, number=1), AtomicWritten(user_id=7, number=1)]
        assert rows() == [1]

    def test_a_failure_is_sent_though_the_request_is_rolled_back(
        self, atomic_requests: Browser, tracked: Recorder
    ) -> None:
        assert atomic_requests.get("/sync/7/13").status_code == 500
        assert tracked.events == [AtomicBegun(user_id=7, number=13), AtomicFailed(user_id=7, number=13)]
        assert rows() == []

    def test_an_error_status_is_a_failure_that_commits(self, atomic_requests: Browser, tracked: Recorder) -> None:
        assert atomic_requests.get("/sync/7/14").status_code == 409
        assert tracked.events == [AtomicBegun(user_id=7, number=14), AtomicFailed(user_id=7, number=14)]
        assert rows() == [14]

    @pytest.mark.parametrize(("number", "sent"), [(1, [1, 1]), (13, [13])])
    async def test_under_asgi_the_thread_of_the_transaction_decides(
        self, tracked: Recorder, number: int, sent: list[int]
    ) -> None:
        with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]):
            response = await AsyncClient().get(f"/async/{number}")
        assert (response.content, numbers(tracked)) == (b"False", sent)


class TestTestCases:
    def test_what_djangos_test_case_wraps_is_captured(self, tracked: Recorder) -> None:
        class Case(TestCase):
            databases = {"default"}

            def test_captured(self) -> None:
                with self.captureOnCommitCallbacks(execute=True), transaction.atomic():
                    write(1)
                    assert numbers(tracked) == []
                assert numbers(tracked) == [1]

            def test_not_captured(self) -> None:
                with transaction.atomic():
                    write(2)
                assert 2 not in numbers(tracked)

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
        assert (result.testsRun, result.errors, result.failures) == (2, [], [])
        assert numbers(tracked) == [1]
        assert default_client().stats().rolled_back == 1


def test_what_cannot_be_sent_after_the_commit_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(strict=False) as tracked:
        client = tracked.client
        with transaction.atomic():
            assert say(1)
            monkeypatch.setattr(tracked, "put", _refuse)
        assert client.stats().refused == {"error": 1}
    assert rows() == []


def _refuse(*_: object) -> None:
    raise ZeroDivisionError


@pytest.fixture
def outbox() -> str:
    operation, state = create_outbox("outbox_of_django"), ProjectState()
    with connections["default"].schema_editor() as editor:
        operation.database_forwards("app", editor, state, state.clone())
    follow_transactions(outbox="outbox_of_django")
    return "outbox_of_django"


def stored() -> list[str | None]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT message_id FROM outbox_of_django ORDER BY id")
        return [message_id for (message_id,) in cursor.fetchall()]


@pytest.mark.parametrize("_databases", ["sqlite", "postgresql"], indirect=True)
class TestAnOutbox:
    def test_has_the_messages_of_what_was_committed(self, outbox: str, tracked: Recorder) -> None:
        client = default_client()
        with transaction.atomic():
            receipts = [client.track(AtomicWritten(user_id=7, number=1))]
            with suppress(ZeroDivisionError), transaction.atomic():
                assert say(2)
                raise ZeroDivisionError
            receipts.append(client.track(AtomicWritten(user_id=7, number=3)))
        with suppress(ZeroDivisionError), transaction.atomic():
            assert say(4)
            raise ZeroDivisionError
        stats = client.stats()
        assert stored() == [each.message_id for each in receipts]
        assert (stats.stored, stats.rolled_back, stats.held, tracked.events) == (2, 2, 0, [])

    def test_that_is_missing_keeps_nothing_from_being_committed(self) -> None:
        follow_transactions(outbox="there_is_none")
        with recording(strict=False) as tracked:
            with transaction.atomic():
                write(1)
            assert (rows(), numbers(tracked)) == ([1], [1])
            assert tracked.client.stats().refused == {"error": 1}

    def test_is_not_asked_where_the_block_is_to_be_rolled_back(self, outbox: str, tracked: Recorder) -> None:
        with transaction.atomic():
            transaction.set_rollback(True)
            assert say(1)
        assert (stored(), tracked.events) == ([], [])

    @pytest.mark.instrument_delivery
    def test_is_emptied_by_a_relay(self, outbox: str, tracked: Recorder, tmp_path: Path) -> None:
        with transaction.atomic():
            say(1)
            say(2)
        of_django = connections["default"].settings_dict
        address = (
            f"sqlite:///{of_django['NAME']}"
            if connections["default"].vendor == "sqlite"
            else databases.postgres().update_query_dict(of_django["OPTIONS"]).render_as_string()
        )
        engine = open_database(address)
        destination = Scripted()
        table = outbox_table(MetaData(), outbox)
        Relay(destination, DeadLetters(tmp_path), engine, table).run(until_empty=True)
        engine.dispose()
        assert [json.loads(each.body)["properties"]["number"] for each in destination.taken] == [1, 2]
        assert stored() == []
