# mypy: disable-error-code="misc, untyped-decorator"
# Celery has no types of its own.
"""Celery sees a decorated task as the function under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, Task
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Retry
from celery.signals import setup_logging
from celery.worker import state

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


class TaskScope(Scope):
    user_id: int


class TaskRun(Track, TaskScope):
    attempt: int


class TaskFailed(Track, TaskScope):
    attempt: int
    error: str


def kind_of_error(call: Any) -> str:
    return type(call.error).__name__


runs = tracks(
    TaskRun.from_call(attempt="self.request.retries"),
    failure=TaskFailed.from_call(attempt="self.request.retries", error=kind_of_error),
)

app = Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.update(
    broker_connection_retry_on_startup=False,
    broker_transport_options={"polling_interval": 0.01},
)


@app.task
@tracks(TaskRun)
def add(user_id: int, attempt: int) -> int:
    """Add two numbers."""
    return user_id + attempt


@app.task(bind=True)
@runs
def bound(self: Any, user_id: int) -> int:
    return user_id


@app.task(bind=True, max_retries=2, default_retry_delay=0)
@runs
def retrying(self: Any, user_id: int, succeed_at: int) -> str:
    if self.request.retries < succeed_at:
        raise self.retry(exc=ConnectionError("away"))
    return "done"


@app.task(bind=True, autoretry_for=(ConnectionError,), max_retries=2, retry_backoff=0, retry_jitter=False)
@runs
def retried(self: Any, user_id: int, succeed_at: int) -> str:
    if self.request.retries < succeed_at:
        raise ConnectionError("away")
    return "done"


class Noting(Task):
    """A task as a class."""

    name = "noting"

    @runs
    def run(self, user_id: int) -> int:
        return user_id


noting = app.register_task(Noting())


@pytest.fixture
def eager() -> Iterator[None]:
    """Run tasks in the process, at once."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def test_a_decorated_task_runs_and_emits_when_it_is_called_as_a_function(tracked: Recorder) -> None:
    assert add(7, 1) == 8
    assert tracked.events == [TaskRun(user_id=7, attempt=1)]


@pytest.fixture
def queue() -> Iterator[None]:
    """Leave the queue, which all tests share, as empty as it was found."""
    yield
    app.control.purge()


@pytest.mark.usefixtures("queue")
def test_sending_a_decorated_task_emits_nothing(tracked: Recorder) -> None:
    add.apply_async((7, 1))
    assert tracked.events == []


@pytest.mark.usefixtures("eager")
def test_a_decorated_task_runs_and_emits_when_it_is_applied(tracked: Recorder) -> None:
    assert add.delay(7, attempt=1).get() == 8
    assert tracked.events == [TaskRun(user_id=7, attempt=1)]


@pytest.mark.usefixtures("eager")
def test_a_bound_task_gets_itself(tracked: Recorder) -> None:
    assert bound.delay(7).get() == 7
    assert noting.delay(7).get() == 7
    assert tracked.events == [TaskRun(user_id=7, attempt=0)] * 2


@pytest.mark.usefixtures("eager")
def test_a_retry_goes_on_as_a_failure_and_the_last_attempt_as_a_success(tracked: Recorder) -> None:
    assert retrying.delay(7, succeed_at=1).get() == "done"
    assert tracked.of(TaskFailed) == [TaskFailed(user_id=7, attempt=0, error="Retry")]
    assert tracked.of(TaskRun) == [TaskRun(user_id=7, attempt=1)]


@pytest.mark.usefixtures("eager")
def test_a_task_that_is_given_up_raises_what_it_raises_undecorated(tracked: Recorder) -> None:
    with pytest.raises(ConnectionError, match=r"^away$"):
        retrying.delay(7, succeed_at=3).get()
    # Whether an eager retry runs inside the attempt before it or after it depends on the version of Celery.
    assert {(event.attempt, event.error) for event in tracked.of(TaskFailed)} == {
        (0, "Retry"),
        (1, "Retry"),
        (2, "ConnectionError"),
    }
    assert len(tracked.messages) == 3


@pytest.mark.usefixtures("eager")
def test_a_task_that_celery_retries_by_itself_emits_each_attempt(tracked: Recorder) -> None:
    assert retried.delay(7, succeed_at=1).get() == "done"
    assert tracked.of(TaskFailed) == [TaskFailed(user_id=7, attempt=0, error="ConnectionError")]
    assert tracked.of(TaskRun) == [TaskRun(user_id=7, attempt=1)]


@pytest.mark.usefixtures("eager")
def test_failed_if_keeps_a_retry_from_being_a_failure(tracked: Recorder) -> None:
    @app.task(bind=True, max_retries=1, default_retry_delay=0)
    @tracks(failure=TaskFailed.from_call(attempt=lambda _: 0, error=kind_of_error), failed_if=is_no_retry)
    def once_more(self: Any, user_id: int) -> None:
        if self.request.retries == 0:
            raise self.retry()

    once_more.delay(7).get()
    assert tracked.events == []


def is_no_retry(call: Any) -> bool:
    return call.error is not None and not isinstance(call.error, Retry)


def test_arguments_that_do_not_fit_are_refused_when_the_task_is_sent(tracked: Recorder) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'attempt'$"):
        add.delay(7)
    assert tracked.events == []


def test_name_and_documentation_are_those_of_the_function() -> None:
    assert add.name == f"{__name__}.add"
    assert add.__doc__ == "Add two numbers."
    assert add.run.__name__ == "add"


@app.task(ignore_result=True)
def stop_worker() -> None:
    state.should_stop = 0


@pytest.fixture
def logging_as_it_is() -> Iterator[None]:
    """Keep a worker from configuring the logging of the whole process, which it does unless somebody else does."""

    def configure(**_: object) -> None: ...

    setup_logging.connect(configure)
    yield
    setup_logging.disconnect(configure)


@pytest.fixture
def worker(queue: None, logging_as_it_is: None) -> Iterator[None]:
    """Run a worker in a thread, which a task stops: it looks no sooner than after the next message or two seconds."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield
        stop_worker.delay()
        stop_worker.delay()
    state.should_stop = None


@pytest.mark.usefixtures("worker")
def test_a_worker_runs_decorated_tasks_and_emits(tracked: Recorder) -> None:
    assert add.delay(7, 1).get(timeout=30, interval=0.01) == 8
    assert bound.delay(7).get(timeout=30, interval=0.01) == 7
    assert retrying.delay(7, succeed_at=1).get(timeout=30, interval=0.01) == "done"
    assert tracked.events == [
        TaskRun(user_id=7, attempt=1),
        TaskRun(user_id=7, attempt=0),
        TaskFailed(user_id=7, attempt=0, error="Retry"),
        TaskRun(user_id=7, attempt=1),
    ]
