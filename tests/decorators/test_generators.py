"""Generator and asynchronous generator handlers: everything sent, thrown and closed reaches the body."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from instrument.testing import Recorder


class GeneratorScope(Scope):
    user_id: int


class GeneratorBegun(Track, GeneratorScope):
    size: int


class GeneratorDone(Track, GeneratorScope):
    size: int
    answer: str | None


class GeneratorFailed(Track, GeneratorScope):
    size: int
    outcome: str


observed = tracks(
    GeneratorDone.from_call(answer="result"),
    start=GeneratorBegun,
    failure=GeneratorFailed.from_call(outcome=lambda call: call.outcome.value),
)

BEGUN = GeneratorBegun(user_id=7, size=3)
FAILED = GeneratorFailed(user_id=7, size=3, outcome="failure")


def done(answer: str | None) -> GeneratorDone:
    return GeneratorDone(user_id=7, size=3, answer=answer)


@observed
def count(user_id: int, size: int) -> Generator[int, None, str]:
    yield from range(size)
    return "counted"


@observed
def echo(user_id: int, size: int) -> Generator[object, object, str]:
    """Yield back whatever is sent or thrown, until `stop` is sent."""
    heard: object = "ready"
    while heard != "stop":
        try:
            heard = yield heard
        except KeyError as error:  # noqa: PERF203 - what is thrown must not end the loop
            heard = error
    return "stopped"


@observed
async def count_later(user_id: int, size: int) -> AsyncGenerator[int, None]:
    for number in range(size):
        yield number


@observed
async def echo_later(user_id: int, size: int) -> AsyncGenerator[object, object]:
    heard: object = "ready"
    while heard != "stop":
        try:
            heard = yield heard
        except KeyError as error:  # noqa: PERF203 - what is thrown must not end the loop
            heard = error


class Shelf:
    @observed
    def method(self, user_id: int, size: int) -> Generator[int, None, str]:
        yield from range(size)
        return "counted"

    @classmethod
    @observed
    def below_classmethod(cls, user_id: int, size: int) -> Generator[int, None, str]:
        yield from range(size)
        return "counted"

    @observed
    @classmethod
    def above_classmethod(cls, user_id: int, size: int) -> Generator[int, None, str]:
        yield from range(size)
        return "counted"

    @observed
    @staticmethod
    def above_staticmethod(user_id: int, size: int) -> Generator[int, None, str]:
        yield from range(size)
        return "counted"

    @observed
    async def later(self, user_id: int, size: int) -> AsyncGenerator[int, None]:
        for number in range(size):
            yield number

    @observed
    @classmethod
    async def later_classmethod(cls, user_id: int, size: int) -> AsyncGenerator[int, None]:
        for number in range(size):
            yield number


class Counter:
    def __call__(self, user_id: int, size: int) -> Generator[int, None, str]:
        yield from range(size)
        return "counted"


class LaterCounter:
    async def __call__(self, user_id: int, size: int) -> AsyncGenerator[int, None]:
        for number in range(size):
            yield number


def test_making_the_generator_emits_nothing(tracked: Recorder) -> None:
    generator = count(7, 3)
    assert tracked.events == []
    generator.close()
    assert tracked.events == []


def test_start_is_emitted_by_the_first_next_and_success_by_exhaustion(tracked: Recorder) -> None:
    generator = count(7, 3)
    assert next(generator) == 0
    assert tracked.events == [BEGUN]
    assert [next(generator), next(generator)] == [1, 2]
    assert tracked.events == [BEGUN]
    assert next(generator, "exhausted") == "exhausted"
    assert tracked.events == [BEGUN, done("counted")]


def test_the_return_value_reaches_yield_from_and_the_event(tracked: Recorder) -> None:
    def outer() -> Generator[int, None, str]:
        return f"outer of {(yield from count(7, 3))}"

    outermost = outer()
    assert [next(outermost), next(outermost), next(outermost)] == [0, 1, 2]
    with pytest.raises(StopIteration) as stopped:
        next(outermost)
    assert stopped.value.value == "outer of counted"
    assert tracked.events == [BEGUN, done("counted")]


def test_what_is_sent_and_thrown_reaches_the_body(tracked: Recorder) -> None:
    generator, thrown = echo(7, 3), KeyError("thrown")
    assert next(generator) == "ready"
    assert generator.send("sent") == "sent"
    assert generator.throw(thrown) is thrown
    with pytest.raises(StopIteration) as stopped:
        generator.send("stop")
    assert stopped.value.value == "stopped"
    assert tracked.events == [BEGUN, done("stopped")]


def test_an_exception_of_the_body_emits_the_failure(tracked: Recorder) -> None:
    generator = echo(7, 3)
    next(generator)
    with pytest.raises(ValueError, match=r"^thrown$"):
        generator.throw(ValueError("thrown"))
    assert tracked.events == [BEGUN, FAILED]


def test_throwing_into_a_generator_that_never_started_emits_nothing(tracked: Recorder) -> None:
    with pytest.raises(ValueError, match=r"^early$"):
        count(7, 3).throw(ValueError("early"))
    assert tracked.events == []


def closed(generator: Generator[object, object, str]) -> None:
    generator.close()


def dropped(generator: Generator[object, object, str]) -> None:
    del generator
    gc.collect()


@pytest.mark.parametrize("leave", [closed, dropped])
def test_an_abandoned_generator_runs_its_clean_up_and_emits_neither_success_nor_failure(
    tracked: Recorder, leave: Callable[[Generator[object, object, str]], None]
) -> None:
    cleaned: list[str] = []

    @observed
    def hold(user_id: int, size: int) -> Generator[object, object, str]:
        try:
            yield "held"
        finally:
            cleaned.append("cleaned")
        return "never"

    def open_and_leave() -> None:
        generator = hold(7, 3)
        next(generator)
        leave(generator)

    open_and_leave()
    assert cleaned == ["cleaned"]
    assert tracked.events == [BEGUN]


def test_breaking_out_of_a_loop_emits_neither_success_nor_failure(tracked: Recorder) -> None:
    for number in count(7, 3):
        if number == 1:
            break
    gc.collect()
    assert tracked.events == [BEGUN]


def test_an_error_of_the_clean_up_of_a_closed_generator_is_a_failure(tracked: Recorder) -> None:
    @observed
    def hold(user_id: int, size: int) -> Generator[str, None, None]:
        try:
            yield "held"
        finally:
            raise ValueError("clean-up")

    generator = hold(7, 3)
    next(generator)
    with pytest.raises(ValueError, match=r"^clean-up$"):
        generator.close()
    assert tracked.events == [BEGUN, FAILED]


def test_a_generator_that_ignores_its_close_says_so_as_ever(tracked: Recorder) -> None:
    @observed
    def stubborn(user_id: int, size: int) -> Generator[str, None, None]:
        try:
            yield "held"
        except GeneratorExit:
            yield "still here"

    generator = stubborn(7, 3)
    next(generator)
    with pytest.raises(RuntimeError, match=r"^generator ignored GeneratorExit$"):
        generator.close()
    assert tracked.of(GeneratorDone) == []


def test_stop_iteration_raised_in_the_body_becomes_a_runtime_error_as_ever(tracked: Recorder) -> None:
    @observed
    def confused(user_id: int, size: int) -> Generator[int, None, None]:
        yield 1
        raise StopIteration  # noqa: PLR1708 - the mistake that is tested

    generator = confused(7, 3)
    next(generator)
    with pytest.raises(RuntimeError, match=r"^generator raised StopIteration$"):
        next(generator)
    assert tracked.events == [BEGUN, FAILED]


BOUND: dict[str, Callable[[], Callable[..., Generator[int, None, str]]]] = {
    "method": lambda: Shelf().method,
    "classmethod over it": lambda: Shelf.below_classmethod,
    "classmethod under it": lambda: Shelf.above_classmethod,
    "staticmethod under it": lambda: Shelf.above_staticmethod,
    "instance whose __call__ is a generator": lambda: observed(Counter()),
}


@pytest.mark.parametrize("bound", BOUND.values(), ids=BOUND)
def test_a_generator_method_of_any_kind_emits_when_exhausted(
    tracked: Recorder, bound: Callable[[], Callable[..., Generator[int, None, str]]]
) -> None:
    generator = bound()(7, size=3)
    assert tracked.events == []
    assert list(generator) == [0, 1, 2]
    assert tracked.events == [BEGUN, done("counted")]


async def test_making_the_async_generator_emits_nothing(tracked: Recorder) -> None:
    generator = count_later(7, 3)
    assert tracked.events == []
    await generator.aclose()
    assert tracked.events == []


async def test_start_is_emitted_by_the_first_step_and_success_by_exhaustion(tracked: Recorder) -> None:
    generator = count_later(7, 3)
    assert await anext(generator) == 0
    assert tracked.events == [BEGUN]
    assert [number async for number in generator] == [1, 2]
    assert tracked.events == [BEGUN, done(None)]


async def test_what_is_sent_and_thrown_reaches_the_async_body(tracked: Recorder) -> None:
    generator, thrown = echo_later(7, 3), KeyError("thrown")
    assert await anext(generator) == "ready"
    assert await generator.asend("sent") == "sent"
    assert await generator.athrow(thrown) is thrown
    with pytest.raises(StopAsyncIteration):
        await generator.asend("stop")
    assert tracked.events == [BEGUN, done(None)]


async def test_an_exception_of_the_async_body_emits_the_failure(tracked: Recorder) -> None:
    generator = echo_later(7, 3)
    await anext(generator)
    with pytest.raises(ValueError, match=r"^thrown$"):
        await generator.athrow(ValueError("thrown"))
    assert tracked.events == [BEGUN, FAILED]


async def test_an_async_generator_that_swallows_what_is_thrown_can_end(tracked: Recorder) -> None:
    @observed
    async def forgiving(user_id: int, size: int) -> AsyncGenerator[str, None]:
        try:
            yield "held"
        except ValueError:
            return

    generator = forgiving(7, 3)
    await anext(generator)
    with pytest.raises(StopAsyncIteration):
        await generator.athrow(ValueError("forgiven"))
    assert tracked.events == [BEGUN, done(None)]


async def test_closing_an_async_generator_awaits_its_clean_up_and_emits_neither(tracked: Recorder) -> None:
    cleaned: list[str] = []

    @observed
    async def hold(user_id: int, size: int) -> AsyncGenerator[str, None]:
        try:
            yield "held"
        finally:
            await asyncio.sleep(0)
            cleaned.append("cleaned")

    generator = hold(7, 3)
    await anext(generator)
    await generator.aclose()
    assert cleaned == ["cleaned"]
    assert tracked.events == [BEGUN]


async def test_an_error_of_the_clean_up_of_a_closed_async_generator_is_a_failure(tracked: Recorder) -> None:
    @observed
    async def hold(user_id: int, size: int) -> AsyncGenerator[str, None]:
        try:
            yield "held"
        finally:
            raise ValueError("clean-up")

    generator = hold(7, 3)
    await anext(generator)
    with pytest.raises(ValueError, match=r"^clean-up$"):
        await generator.aclose()
    assert tracked.events == [BEGUN, FAILED]


async def test_an_async_generator_that_ignores_its_close_says_so_as_ever(tracked: Recorder) -> None:
    @observed
    async def stubborn(user_id: int, size: int) -> AsyncGenerator[str, None]:
        try:
            yield "held"
        except GeneratorExit:
            yield "still here"

    generator = stubborn(7, 3)
    await anext(generator)
    with pytest.raises(RuntimeError, match=r"^async generator ignored GeneratorExit$"):
        await generator.aclose()
    assert tracked.of(GeneratorDone) == []


def test_async_generators_left_open_are_closed_once_with_their_event_loop(tracked: Recorder) -> None:
    complaints: list[dict[str, object]] = []
    cleaned: list[int] = []

    @observed
    async def hold(user_id: int, size: int) -> AsyncGenerator[str, None]:
        try:
            yield "held"
        finally:
            await asyncio.sleep(0)
            cleaned.append(user_id)

    async def leave_open() -> list[AsyncGenerator[str, None]]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        held = [hold(user_id, 3) for user_id in range(10)]
        for generator in held:
            await anext(generator)
        return held

    asyncio.run(leave_open())
    assert sorted(cleaned) == list(range(10))
    assert complaints == []
    assert tracked.messages == tracked.of(GeneratorBegun)


LATER: dict[str, Callable[[], Callable[..., AsyncGenerator[int, None]]]] = {
    "method": lambda: Shelf().later,
    "classmethod under it": lambda: Shelf.later_classmethod,
    "instance whose __call__ is an async generator": lambda: observed(LaterCounter()),
}


@pytest.mark.parametrize("bound", LATER.values(), ids=LATER)
async def test_an_async_generator_method_of_any_kind_emits_when_exhausted(
    tracked: Recorder, bound: Callable[[], Callable[..., AsyncGenerator[int, None]]]
) -> None:
    generator: AsyncGenerator[Any, None] = bound()(7, size=3)
    assert tracked.events == []
    assert [number async for number in generator] == [0, 1, 2]
    assert tracked.events == [BEGUN, done(None)]
