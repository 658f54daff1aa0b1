"""Coroutine handlers emit around the run of their body, not around the making of the coroutine."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Scope, Track, request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from instrument.testing import Recorder


class CoroutineScope(Scope):
    user_id: int


class CoroutineBegun(Track, CoroutineScope):
    size: int


class CoroutineDone(Track, CoroutineScope):
    size: int
    answer: str


class CoroutineFailed(Track, CoroutineScope):
    size: int
    outcome: str


class CoroutineTimed(Track, CoroutineScope):
    seconds: float


observed = tracks(
    CoroutineDone.from_call(answer="result"),
    start=CoroutineBegun,
    failure=CoroutineFailed.from_call(outcome=lambda call: call.outcome.value),
)

BEGUN = CoroutineBegun(user_id=7, size=3)
DONE = CoroutineDone(user_id=7, size=3, answer="stored")


@observed
async def upload(user_id: int, size: int) -> str:
    await asyncio.sleep(0)
    return "stored"


class Store:
    @observed
    async def method(self, user_id: int, size: int) -> str:
        return "stored"

    @classmethod
    @observed
    async def below_classmethod(cls, user_id: int, size: int) -> str:
        return "stored"

    @observed
    @classmethod
    async def above_classmethod(cls, user_id: int, size: int) -> str:
        return "stored"

    @staticmethod
    @observed
    async def below_staticmethod(user_id: int, size: int) -> str:
        return "stored"

    @observed
    @staticmethod
    async def above_staticmethod(user_id: int, size: int) -> str:
        return "stored"


class Uploader:
    async def __call__(self, user_id: int, size: int) -> str:
        return "stored"


async def test_making_the_coroutine_emits_nothing(tracked: Recorder) -> None:
    coroutine = upload(7, 3)
    assert tracked.events == []
    coroutine.close()
    assert tracked.events == []


async def test_start_is_emitted_before_the_body_and_success_when_it_ended(tracked: Recorder) -> None:
    going, gone = asyncio.Event(), asyncio.Event()

    @observed
    async def wait(user_id: int, size: int) -> str:
        going.set()
        await gone.wait()
        return "stored"

    task = asyncio.create_task(wait(7, 3))
    await going.wait()
    assert tracked.events == [BEGUN]
    gone.set()
    assert await task == "stored"
    assert tracked.events == [BEGUN, DONE]


BOUND: dict[str, Callable[[], Callable[..., Coroutine[Any, Any, str]]]] = {
    "method": lambda: Store().method,
    "classmethod over it": lambda: Store.below_classmethod,
    "classmethod under it": lambda: Store.above_classmethod,
    "staticmethod over it": lambda: Store.below_staticmethod,
    "staticmethod under it": lambda: Store.above_staticmethod,
    "instance with an async __call__": lambda: observed(Uploader()),
}


@pytest.mark.parametrize("bound", BOUND.values(), ids=BOUND)
async def test_an_async_method_of_any_kind_emits(
    tracked: Recorder, bound: Callable[[], Callable[..., Coroutine[Any, Any, str]]]
) -> None:
    assert await bound()(7, size=3) == "stored"
    assert tracked.events == [BEGUN, DONE]


async def test_cancelling_the_task_emits_the_failure_and_the_cancellation_goes_on(tracked: Recorder) -> None:
    going = asyncio.Event()

    @observed
    async def wait(user_id: int, size: int) -> str:
        going.set()
        await asyncio.Event().wait()
        return "never"

    task = asyncio.create_task(wait(7, 3))
    await going.wait()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    # Python 3.10 raises another one from a task, with the one that went through the handler as its context.
    assert "enough" in {str(each) for each in (raised.value, raised.value.__context__)}
    assert task.cancelled()
    assert tracked.events == [BEGUN, CoroutineFailed(user_id=7, size=3, outcome="cancelled")]


async def test_a_handler_that_survives_its_cancellation_succeeds(tracked: Recorder) -> None:
    going = asyncio.Event()

    @observed
    async def survive(user_id: int, size: int) -> str:
        going.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "stored"
        return "never"

    task = asyncio.create_task(survive(7, 3))
    await going.wait()
    task.cancel()
    assert await task == "stored"
    assert tracked.events == [BEGUN, DONE]


async def test_a_timeout_cancels_the_handler_and_stays_a_timeout_for_its_caller(tracked: Recorder) -> None:
    @observed
    async def wait(user_id: int, size: int) -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(wait(7, 3), timeout=0)
    assert tracked.events == []


async def test_closing_a_coroutine_that_waits_counts_as_cancelled(tracked: Recorder) -> None:
    @observed
    async def wait(user_id: int, size: int) -> str:
        await Once()
        return "never"

    coroutine = wait(7, 3)
    coroutine.send(None)
    coroutine.close()
    assert tracked.events == [BEGUN, CoroutineFailed(user_id=7, size=3, outcome="cancelled")]


def test_what_is_sent_and_thrown_into_a_coroutine_reaches_its_body(tracked: Recorder) -> None:
    @observed
    async def converse(user_id: int, size: int) -> str:
        answer = await Once()
        try:
            await Once()
        except KeyError:
            return f"{answer} then KeyError"
        return "never"

    coroutine = converse(7, 3)
    assert coroutine.send(None) == "asked"
    assert coroutine.send("sent") == "asked"
    with pytest.raises(StopIteration) as stopped:
        coroutine.throw(KeyError())
    assert stopped.value.value == "sent then KeyError"
    assert tracked.events == [BEGUN, CoroutineDone(user_id=7, size=3, answer="sent then KeyError")]


async def test_a_task_cancelled_before_it_began_emits_nothing_and_warns_of_nothing(tracked: Recorder) -> None:
    task = asyncio.create_task(upload(7, 3))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tracked.events == []


async def test_concurrent_calls_keep_their_arguments_apart(tracked: Recorder) -> None:
    assert await asyncio.gather(*(upload(user_id, user_id * 10) for user_id in range(20))) == ["stored"] * 20
    assert {(event.user_id, event.size) for event in tracked.of(CoroutineDone)} == {(n, n * 10) for n in range(20)}


async def test_the_request_scope_is_the_one_of_the_call_though_the_body_runs_after_it(tracked: Recorder) -> None:
    @observed
    async def store(size: int) -> str:
        return "stored"

    with request_scope(user_id=7):
        coroutine = store(3)
    assert await coroutine == "stored"
    assert tracked.events == [BEGUN, DONE]


async def test_a_coroutine_made_outside_of_every_request_takes_the_one_that_runs_it(tracked: Recorder) -> None:
    @observed
    async def store(size: int) -> str:
        return "stored"

    coroutine = store(3)
    with request_scope(user_id=7):
        assert await coroutine == "stored"
    assert tracked.events == [BEGUN, DONE]


async def test_the_duration_is_that_of_the_body_and_not_of_the_wait_for_it(tracked: Recorder) -> None:
    @tracks(CoroutineTimed.from_call(seconds="duration"))
    async def work(user_id: int) -> None: ...

    coroutine = work(7)
    await asyncio.sleep(0.01)
    before = perf_counter()
    await coroutine
    assert 0 <= tracked.one(CoroutineTimed).seconds <= perf_counter() - before


async def test_a_decorated_function_that_gives_an_awaitable_object_returns_that_object(tracked: Recorder) -> None:
    awaitable = Once()

    @tracks(CoroutineBegun)
    def give(user_id: int, size: int) -> Awaitable[Any]:
        return awaitable

    assert give(7, 3) is awaitable
    assert tracked.events == [BEGUN]


class Once:
    """An awaitable that asks whoever drives the coroutine, and answers with what is sent."""

    def __await__(self) -> Any:
        return (yield "asked")
