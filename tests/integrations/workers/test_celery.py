# mypy: disable-error-code="misc, untyped-decorator"
# Celery has no types of its own.
"""The request scope goes along with Celery's tasks; a retry is neither a success nor a failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, chain
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject
from celery.signals import before_task_publish, setup_logging
from celery.worker import state

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.celery import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument.integrations.celery import Connection
    from instrument.testing import Recorder

PATIENCE = 30


class ShiftScope(Scope):
    user_id: int
    shift_id: int


class ShiftWorked(Track, ShiftScope):
    attempt: int


class ShiftFailed(Track, ShiftScope):
    attempt: int
    error: str


def attempt(call: Any) -> int:
    return int(call.arguments["self"].request.retries)


def kind_of_error(call: Any) -> str:
    return type(call.error).__name__


FAILED = ShiftFailed.from_call(attempt=attempt, error=kind_of_error)
worked = tracks(ShiftWorked.from_call(attempt=attempt), failure=FAILED)
always_tells = tracks(failure=FAILED, failed_if=lambda call: call.error is not None)

app = Celery("shifts", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.update(
    broker_connection_retry_on_startup=False,
    broker_transport_options={"polling_interval": 0.01},
    task_default_queue="shifts",
    task_acks_late=True,
)


@app.task
def seen(*_: Any) -> dict[str, Any]:
    return request_scope.values()


@app.task(bind=True)
@worked
def work(self: Any) -> str:
    return "done"


@app.task(bind=True, max_retries=1, default_retry_delay=0)
@worked
def tire(self: Any, rests: int) -> str:
    if self.request.retries < rests:
        raise self.retry(exc=ConnectionError("tired"))
    return "done"


@app.task(
    bind=True, autoretry_for=(OSError,), max_retries=1, retry_backoff=0, retry_jitter=False, default_retry_delay=0
)
@worked
def stumble(self: Any, falls: int) -> str:
    if self.request.retries < falls:
        raise ConnectionError("stumbled")
    return "done"


@tracks(failure=ShiftFailed.from_call(attempt=lambda _: -1, error=kind_of_error))
def lift() -> None:
    raise ConnectionError("heavy")


@app.task(
    bind=True, autoretry_for=(OSError,), max_retries=1, retry_backoff=0, retry_jitter=False, default_retry_delay=0
)
@worked
def lift_twice(self: Any) -> None:
    if self.request.retries == 0:
        lift()


@app.task(bind=True, max_retries=1, default_retry_delay=0)
@always_tells
def complain(self: Any) -> None:
    if self.request.retries == 0:
        raise self.retry()


@app.task(bind=True)
@worked
def leave(self: Any) -> None:
    raise Ignore


@app.task(bind=True)
@worked
def refuse(self: Any) -> None:
    raise Reject


@app.task(bind=True)
@worked
def hand_over(self: Any, fails: bool) -> None:
    request_scope.shift_id = 5
    work.delay()
    if fails:
        raise ValueError("dropped")


@app.task(ignore_result=True)
def stop_worker() -> None:
    state.should_stop = 0


@pytest.fixture
def connected() -> Iterator[Connection]:
    connection = connect()
    yield connection
    connection.disconnect()


@pytest.fixture
def logging_as_it_is() -> Iterator[None]:
    """Keep a worker from configuring the logging of the whole process, which it does unless somebody else does."""

    def configure(**_: object) -> None: ...

    setup_logging.connect(configure)
    logging.getLogger("celery").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("celery").setLevel(logging.NOTSET)
    setup_logging.disconnect(configure)


@pytest.fixture
def worker(logging_as_it_is: None) -> Iterator[None]:
    """Run a worker in a thread, which a task stops: it looks no sooner than after the next message or two seconds."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=PATIENCE):
        yield
        stop_worker.delay()
        stop_worker.delay()
    state.should_stop = None
    app.control.purge()


def answer(result: Any) -> Any:
    return result.get(timeout=PATIENCE, interval=0.01)


def after_all() -> None:
    """Wait until the worker, which runs one task after the other, has run what was sent so far."""
    with request_scope.fresh():
        answer(seen.delay())


@pytest.fixture
def eager() -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.mark.usefixtures("connected", "worker")
class TestInAWorker:
    def test_the_scope_goes_along_with_a_task_and_is_gone_after_it(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            assert answer(seen.delay()) == {"user_id": 7, "shift_id": 1}
        with request_scope(user_id=8):
            assert answer(seen.delay()) == {"user_id": 8}
        assert answer(seen.delay()) == {}

    def test_a_task_that_succeeds_or_fails_emits_in_the_scope_of_who_sent_it(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            answer(work.delay())
        assert tracked.events == [ShiftWorked(user_id=7, shift_id=1, attempt=0)]

    def test_a_retry_is_neither_a_success_nor_a_failure_and_keeps_the_scope(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            assert answer(tire.delay(rests=1)) == "done"
        assert tracked.events == [ShiftWorked(user_id=7, shift_id=1, attempt=1)]

    def test_the_last_retry_that_fails_is_a_failure(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1), pytest.raises(ConnectionError):
            answer(tire.delay(rests=2))
        assert tracked.events == [ShiftFailed(user_id=7, shift_id=1, attempt=1, error="ConnectionError")]

    def test_what_celery_retries_by_itself_is_neither_a_success_nor_a_failure(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            assert answer(stumble.delay(falls=1)) == "done"
        assert tracked.events == [ShiftWorked(user_id=7, shift_id=1, attempt=1)]

    def test_what_celery_does_not_retry_any_more_is_a_failure(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1), pytest.raises(ConnectionError):
            answer(stumble.delay(falls=2))
        assert tracked.events == [ShiftFailed(user_id=7, shift_id=1, attempt=1, error="ConnectionError")]

    def test_another_handler_that_fails_inside_a_task_that_is_retried_has_failed(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            answer(lift_twice.delay())
        assert tracked.events == [
            ShiftFailed(user_id=7, shift_id=1, attempt=-1, error="ConnectionError"),
            ShiftWorked(user_id=7, shift_id=1, attempt=1),
        ]

    def test_a_retry_is_a_failure_where_failed_if_says_so(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            answer(complain.delay())
        assert tracked.events == [ShiftFailed(user_id=7, shift_id=1, attempt=0, error="Retry")]

    @pytest.mark.parametrize("task", [leave, refuse])
    def test_what_is_ignored_or_rejected_is_neither_a_success_nor_a_failure(self, tracked: Recorder, task: Any) -> None:
        with request_scope(user_id=7, shift_id=1):
            task.delay()
        after_all()
        assert tracked.events == []

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_task_that_a_task_sends_has_its_scope_with_what_was_added(self, tracked: Recorder, fails: bool) -> None:
        with request_scope(user_id=7):
            hand_over.delay(fails)
        after_all()
        after_all()
        assert tracked.of(ShiftWorked)[-1] == ShiftWorked(user_id=7, shift_id=5, attempt=0)
        assert len(tracked.of(ShiftFailed)) == fails

    def test_the_tasks_of_a_chain_have_the_scope(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            assert answer(chain(seen.s(), seen.s(), seen.s()).delay()) == {"user_id": 7}

    def test_what_is_no_scope_has_no_fields_and_the_task_runs(self, tracked: Recorder) -> None:
        def spoil(headers: dict[str, Any], **_: object) -> None:
            headers["instrument_scope"] = '{"user_id": 7, "stranger": 1, "shift_id": null}'

        before_task_publish.connect(spoil)
        try:
            assert answer(seen.delay()) == {"user_id": 7}
        finally:
            before_task_publish.disconnect(spoil)


@pytest.mark.usefixtures("worker")
def test_scope_from_says_what_did_not_come_along(tracked: Recorder) -> None:
    def of_task(task: Any) -> dict[str, Any]:
        return {"user_id": len(task.request.args)}

    connection = connect(scope_from=of_task)
    try:
        with request_scope(shift_id=1):
            assert answer(seen.delay("one", "two")) == {"user_id": 2, "shift_id": 1}
    finally:
        connection.disconnect()


@pytest.mark.usefixtures("worker")
@pytest.mark.instrument_lenient
@pytest.mark.parametrize("scope_from", [lambda task: 1 / 0, lambda task: "user 7"], ids=["raises", "returns text"])
def test_a_scope_from_that_goes_wrong_is_reported_and_the_task_runs(
    tracked: Recorder, caplog: pytest.LogCaptureFixture, scope_from: Callable[[Any], Any]
) -> None:
    connection = connect(scope_from=scope_from)
    try:
        with request_scope(user_id=7):
            assert answer(seen.delay()) == {"user_id": 7}
    finally:
        connection.disconnect()
    [record] = [each for each in caplog.records if each.name == "instrument"]
    assert "scope_from <lambda>" in record.getMessage()


@pytest.mark.usefixtures("connected", "eager")
class TestEager:
    def test_a_task_that_runs_at_once_has_the_scope_around_it_and_leaves_it_as_it_was(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            assert answer(seen.delay()) == {"user_id": 7}
            hand_over.delay(fails=False)
            assert request_scope.values() == {"user_id": 7}
        assert tracked.events == [
            ShiftWorked(user_id=7, shift_id=5, attempt=0),
            ShiftWorked(user_id=7, shift_id=5, attempt=0),
        ]

    def test_a_retry_that_runs_inside_the_attempt_before_it_keeps_the_scope(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, shift_id=1):
            assert answer(tire.delay(rests=1)) == "done"
            assert request_scope.values() == {"user_id": 7, "shift_id": 1}
        assert tracked.events == [ShiftWorked(user_id=7, shift_id=1, attempt=1)]


@pytest.mark.usefixtures("worker")
def test_nothing_goes_along_once_it_is_disconnected(tracked: Recorder) -> None:
    connect().disconnect()
    with request_scope(user_id=7):
        assert answer(seen.delay()) == {}


def test_connecting_again_takes_the_place_of_what_was_connected(tracked: Recorder) -> None:
    first, second = connect(), connect()
    first.disconnect()
    with request_scope(user_id=7):
        assert sent_headers()["instrument_scope"] == '{"user_id":7}'
    second.disconnect()
    with request_scope(user_id=7):
        assert "instrument_scope" not in sent_headers()


def sent_headers() -> dict[str, Any]:
    """Send a task, and return its headers."""
    found: dict[str, Any] = {}

    def note(headers: dict[str, Any], **_: object) -> None:
        found.update(headers)

    before_task_publish.connect(note)
    try:
        seen.apply_async(queue="nowhere")
    finally:
        before_task_publish.disconnect(note)
    return found
