"""A decorated handler keeps its exact type."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from typing_extensions import assert_type

from instrument import Identify, Scope, Track, emitting, explain, identifies, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator

T = TypeVar("T")


class UserScope(Scope):
    user_id: int


class Started(Track, UserScope):
    pass


class Done(Track, UserScope):
    pass


class Failed(Track, UserScope):
    reason: str | None = None


class Known(Identify, UserScope):
    pass


@tracks(Done, start=Started, failure=Failed.from_call(reason="error"))
def function(user_id: int, /, name: str = "", *rest: float, flag: bool, **options: str) -> list[str]:
    return [name]


@tracks(Done)
async def coroutine(user_id: int) -> bytes:
    return b""


@tracks(Done)
def generator(user_id: int) -> Generator[int, str, bytes]:
    sent = yield 1
    assert_type(sent, str)
    return b""


@tracks(Done)
async def async_generator(user_id: int) -> AsyncGenerator[int, str]:
    sent = yield 1
    assert_type(sent, str)


@tracks(Done)
def iterator() -> Iterator[int]:
    yield 1


@tracks(Done)
async def async_iterator() -> AsyncIterator[int]:
    yield 1


@tracks(Done)
def generic(value: T) -> list[T]:
    return [value]


@tracks(Done)
@identifies(Known)
@tracks(start=Started)
def stacked(user_id: int) -> str:
    return ""


@cache
@tracks(Done)
def cached(user_id: int) -> str:
    return ""


@overload
def overloaded(value: int) -> int: ...
@overload
def overloaded(value: str) -> str: ...
@tracks(Done)
def overloaded(value: int | str) -> int | str:
    return value


class Service:
    @tracks(Done)
    def method(self, user_id: int) -> str:
        return ""

    @tracks(Done)
    async def async_method(self, user_id: int) -> str:
        return ""

    @classmethod
    @tracks(Done)
    def class_method(cls, user_id: int) -> str:
        return ""

    @tracks(Done)
    @classmethod
    def class_method_outside(cls, user_id: int) -> str:
        return ""

    @staticmethod
    @tracks(Done)
    def static_method(user_id: int) -> str:
        return ""

    @tracks(Done)
    @staticmethod
    def static_method_outside(user_id: int) -> str:
        return ""

    @property
    @tracks(Done)
    def computed(self) -> int:
        return 1


class Handler:
    def __call__(self, user_id: int) -> str:
        return ""


async def main() -> None:
    assert_type(function(7, "a", 1.0, 2.0, flag=True, other="x"), list[str])
    assert_type(await coroutine(7), bytes)
    made: Coroutine[Any, Any, bytes] = coroutine(user_id=7)
    assert_type(await made, bytes)
    assert_type(generator(7), "Generator[int, str, bytes]")
    assert_type(async_generator(7), "AsyncGenerator[int, str]")
    assert_type(iterator(), "Iterator[int]")
    assert_type(async_iterator(), "AsyncIterator[int]")
    assert_type(generic(3), "list[int]")
    assert_type(generic("x"), "list[str]")
    assert_type(stacked(7), str)
    assert_type(cached(7), str)
    assert_type(overloaded(3), int)
    assert_type(overloaded("x"), str)

    service = Service()
    assert_type(service.method(7), str)
    assert_type(await service.async_method(7), str)
    assert_type(Service.class_method(7), str)
    assert_type(service.class_method_outside(7), str)
    assert_type(Service.static_method(7), str)
    assert_type(service.static_method_outside(7), str)
    assert_type(service.computed, int)

    assert_type(tracks(Done)(Handler())(7), str)
    assert_type(tracks(Done)(partial(stacked, 7))(), str)
    takes_a_callable: Callable[[int], str] = stacked
    assert_type(takes_a_callable(7), str)
    assert_type(explain(function), str)

    with emitting(Done, start=Started, user_id=7) as call:
        call.set(reason="x")
        call.result = 3
        assert_type(call.duration, float)
        assert_type(call.error, "BaseException | None")
