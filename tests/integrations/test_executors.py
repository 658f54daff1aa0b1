"""The request scope in pools of threads and processes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Scope, ScopeError, Track, request_scope, tracks
from instrument.integrations.executors import ScopedExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


class PoolScope(Scope):
    user_id: int
    pool_handle: Any = None


class PoolTaskDone(Track, PoolScope):
    task: int


@tracks(PoolTaskDone)
def work(task: int) -> int:
    return task * 2


def user_of(task: int) -> tuple[int, int | None]:
    return task, request_scope.user_id


@pytest.fixture
def threads() -> Iterator[ScopedExecutor]:
    with ScopedExecutor(ThreadPoolExecutor(2)) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes() -> Iterator[ScopedExecutor]:
    # Spawned: a fork would inherit the threads of other tests' servers.
    with ScopedExecutor(ProcessPoolExecutor(1, mp_context=get_context("spawn"))) as executor:
        yield executor


def test_a_task_in_a_thread_emits_with_the_scope_it_was_submitted_in(
    threads: ScopedExecutor, tracked: Recorder
) -> None:
    with request_scope(user_id=7):
        assert threads.submit(work, task=3).result() == 6
    assert tracked.events == [PoolTaskDone(user_id=7, task=3)]


def test_each_item_of_a_map_runs_in_the_scope(threads: ScopedExecutor, tracked: Recorder) -> None:
    with request_scope(user_id=7):
        assert list(threads.map(work, [1, 2])) == [2, 4]
    assert sorted(tracked.events, key=lambda event: event.task) == [
        PoolTaskDone(user_id=7, task=1),
        PoolTaskDone(user_id=7, task=2),
    ]


def test_a_task_that_runs_when_its_request_has_ended_is_not_late(threads: ScopedExecutor, tracked: Recorder) -> None:
    ended = threading.Event()

    def task() -> None:
        assert ended.wait(20)
        work(3)

    with request_scope(user_id=7):
        future = threads.submit(task)
    ended.set()
    future.result()
    assert tracked.events == [PoolTaskDone(user_id=7, task=3)]
    assert tracked.client.stats().late == 0


def test_a_thread_of_the_pool_keeps_nothing_for_the_next_task() -> None:
    with ScopedExecutor(ThreadPoolExecutor(1)) as executor:
        with request_scope(user_id=7):
            assert executor.submit(user_of, 1).result() == (1, 7)
        assert executor.submit(user_of, 2).result() == (2, None)


async def test_run_in_executor_of_a_loop_takes_the_scope_along(threads: ScopedExecutor) -> None:
    async def request(user_id: int) -> tuple[int, int | None]:
        with request_scope(user_id=user_id):
            return await asyncio.get_running_loop().run_in_executor(threads, user_of, user_id)

    assert await asyncio.gather(*(request(each) for each in range(1, 50))) == [(each, each) for each in range(1, 50)]


def test_a_process_gets_the_fields_pickled(processes: ScopedExecutor) -> None:
    with request_scope(user_id=7):
        assert processes.submit(user_of, 1).result(60) == (1, 7)
        assert list(processes.map(user_of, [2, 3], chunksize=2)) == [(2, 7), (3, 7)]
    assert processes.submit(user_of, 4).result(60) == (4, None)


@pytest.mark.instrument_lenient
def test_a_field_that_cannot_be_pickled_stays_behind_and_is_told(
    processes: ScopedExecutor, tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with request_scope(user_id=7, pool_handle=threading.Lock()):
        assert processes.submit(user_of, 1).result(60) == (1, 7)
    assert "field 'pool_handle' cannot be pickled (lock), and does not go along" in caplog.text


def test_in_strict_mode_a_field_that_cannot_be_pickled_raises(processes: ScopedExecutor, tracked: Recorder) -> None:
    with request_scope(user_id=7, pool_handle=threading.Lock()), pytest.raises(ScopeError, match="pool_handle"):
        processes.submit(user_of, 1)


def test_the_executor_below_is_shut_down_too() -> None:
    below = ThreadPoolExecutor(1)
    with ScopedExecutor(below):
        pass
    with pytest.raises(RuntimeError, match="shutdown"):
        below.submit(user_of, 1)
