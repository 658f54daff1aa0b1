"""Synchronous handlers of every kind emit around their body and behave as if they were not decorated."""

from __future__ import annotations

import asyncio
import functools
from functools import partial, partialmethod
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Scope, Track, request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from instrument.testing import Recorder


class FunctionScope(Scope):
    user_id: int


class FunctionBegun(Track, FunctionScope):
    size: int


class FunctionDone(Track, FunctionScope):
    size: int
    answer: str


class FunctionFailed(Track, FunctionScope):
    size: int
    reason: str


observed = tracks(
    FunctionDone.from_call(answer="result"),
    start=FunctionBegun,
    failure=FunctionFailed.from_call(reason="error"),
)

BEGUN = FunctionBegun(user_id=7, size=3)


class Store:
    """Methods of every kind, each answering with what it is bound to."""

    @observed
    def method(self, user_id: int, size: int) -> str:
        return f"instance of {type(self).__name__}"

    @classmethod
    @observed
    def below_classmethod(cls, user_id: int, size: int) -> str:
        return f"class {cls.__name__}"

    @observed
    @classmethod
    def above_classmethod(cls, user_id: int, size: int) -> str:
        return f"class {cls.__name__}"

    @staticmethod
    @observed
    def below_staticmethod(user_id: int, size: int) -> str:
        return "nothing"

    @observed
    @staticmethod
    def above_staticmethod(user_id: int, size: int) -> str:
        return "nothing"

    @observed
    def __call__(self, user_id: int, size: int) -> str:
        return f"instance of {type(self).__name__}"

    def plain(self, user_id: int, size: int) -> str:
        return f"instance of {type(self).__name__}"

    for_user_7 = partialmethod(method, 7)


class Annex(Store):
    """Inherits every method, and must be what they are bound to."""


class Archive(Store):
    """Overrides a decorated method and calls it through `super()`."""

    def method(self, user_id: int, size: int) -> str:
        return f"archived {super().method(user_id, size)}"


@observed
def upload(user_id: int, size: int) -> str:
    return "stored"


@observed
def refuse(user_id: int, size: int) -> str:
    raise ValueError("no room")


def uploaded(user_id: int, size: int) -> str:
    return "stored"


def test_start_is_emitted_before_the_body_and_success_after_it(tracked: Recorder) -> None:
    during: list[object] = []

    @observed
    def look(user_id: int, size: int) -> str:
        during.extend(tracked.events)
        return "seen"

    assert look(7, 3) == "seen"
    assert during == [BEGUN]
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="seen")]


def test_an_exception_emits_the_failure_and_goes_on(tracked: Recorder) -> None:
    with pytest.raises(ValueError, match=r"^no room$"):
        refuse(7, 3)
    assert tracked.events == [BEGUN, FunctionFailed(user_id=7, size=3, reason="no room")]


def test_arguments_are_found_by_position_and_by_name(tracked: Recorder) -> None:
    assert [upload(7, 3), upload(7, size=3), upload(size=3, user_id=7)] == ["stored"] * 3
    assert tracked.of(FunctionBegun) == [BEGUN] * 3


BOUND: dict[str, tuple[Callable[[], Callable[..., str]], str]] = {
    "method": (lambda: Store().method, "instance of Store"),
    "method of a subclass": (lambda: Annex().method, "instance of Annex"),
    "method through its class": (lambda: partial(Store.method, Store()), "instance of Store"),
    "method through super": (lambda: Archive().method, "archived instance of Archive"),
    "classmethod over it": (lambda: Store.below_classmethod, "class Store"),
    "classmethod over it, of an instance": (lambda: Annex().below_classmethod, "class Annex"),
    "classmethod under it": (lambda: Store.above_classmethod, "class Store"),
    "classmethod under it, of a subclass": (lambda: Annex.above_classmethod, "class Annex"),
    "classmethod under it, of an instance": (lambda: Annex().above_classmethod, "class Annex"),
    "staticmethod over it": (lambda: Store.below_staticmethod, "nothing"),
    "staticmethod over it, of an instance": (lambda: Store().below_staticmethod, "nothing"),
    "staticmethod under it": (lambda: Store.above_staticmethod, "nothing"),
    "staticmethod under it, of an instance": (lambda: Store().above_staticmethod, "nothing"),
    "callable instance whose __call__ is decorated": (Annex, "instance of Annex"),
    "bound method that is decorated afterwards": (lambda: observed(Annex().plain), "instance of Annex"),
}


@pytest.mark.parametrize(("bound", "answer"), BOUND.values(), ids=BOUND)
def test_a_method_of_any_kind_is_bound_as_ever_and_emits(
    tracked: Recorder, bound: Callable[[], Callable[..., str]], answer: str
) -> None:
    assert bound()(7, size=3) == answer
    assert tracked.events == [
        BEGUN,
        FunctionDone(user_id=7, size=3, answer=answer.removeprefix("archived ")),
    ]


def test_a_partialmethod_over_a_decorated_method_emits(tracked: Recorder) -> None:
    assert Annex().for_user_7(3) == "instance of Annex"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="instance of Annex")]


def test_a_partial_over_a_decorated_function_emits(tracked: Recorder) -> None:
    assert partial(upload, 7)(size=3) == "stored"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="stored")]


def test_a_decorated_partial_gives_the_keywords_that_it_holds(tracked: Recorder) -> None:
    assert observed(partial(uploaded, size=3))(7) == "stored"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="stored")]


def test_a_decorated_partial_hides_the_positional_arguments_that_it_holds(tracked: Recorder) -> None:
    decorated = observed(partial(uploaded, 7))
    with request_scope(user_id=8):
        assert decorated(3) == "stored"
    assert tracked.events == [
        FunctionBegun(user_id=8, size=3),
        FunctionDone(user_id=8, size=3, answer="stored"),
    ]


def test_a_decorated_instance_with_call_emits(tracked: Recorder) -> None:
    class Uploader:
        def __call__(self, user_id: int, size: int) -> str:
            return "called"

    assert observed(Uploader())(7, 3) == "called"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="called")]


def test_a_decorated_lambda_emits(tracked: Recorder) -> None:
    assert observed(lambda user_id, size: f"{user_id}/{size}")(7, 3) == "7/3"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="7/3")]


class Measured(Track, FunctionScope):
    length: int


def test_a_decorated_builtin_emits(tracked: Recorder) -> None:
    measure = tracks(Measured.from_call(length="result"))(len)
    with request_scope(user_id=7):
        assert measure("abc") == 3
    assert tracked.events == [Measured(user_id=7, length=3)]


def test_a_decorated_init_emits_and_makes_the_object(tracked: Recorder) -> None:
    class Upload:
        @tracks(FunctionDone.from_call(answer="self.name"), start=FunctionBegun)
        def __init__(self, user_id: int, size: int) -> None:
            self.name = f"{user_id}-{size}"

    assert Upload(7, 3).name == "7-3"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="7-3")]


def test_a_decorated_getter_below_property_emits(tracked: Recorder) -> None:
    class Shelf:
        user_id = 7

        @property
        @tracks(FunctionDone.from_call(user_id="self.user_id", size=lambda _: 3, answer="result"))
        def label(self) -> str:
            return "shelf"

    assert Shelf().label == "shelf"
    assert tracked.events == [FunctionDone(user_id=7, size=3, answer="shelf")]


def test_decorating_again_leaves_the_function_itself_alone(tracked: Recorder) -> None:
    observed(uploaded)
    assert uploaded(7, 3) == "stored"
    assert tracked.events == []


def test_recursion_emits_once_for_each_call(tracked: Recorder) -> None:
    @observed
    def descend(user_id: int, size: int) -> str:
        return "bottom" if size == 0 else descend(user_id, size - 1)

    assert descend(7, 2) == "bottom"
    assert [type(event).__name__[len("Function") :] for event in tracked.events] == ["Begun"] * 3 + ["Done"] * 3
    assert [event.size for event in tracked.events] == [2, 1, 0, 0, 1, 2]


async def stored_later(user_id: int, size: int) -> str:
    await asyncio.sleep(0)
    return "stored later"


async def refused_later(user_id: int, size: int) -> str:
    await asyncio.sleep(0)
    raise ValueError("no room")


def returning(body: Callable[[int, int], Coroutine[Any, Any, str]]) -> Callable[[int, int], Coroutine[Any, Any, str]]:
    """Make a function that returns a coroutine without being a coroutine function."""

    def begin(user_id: int, size: int) -> Coroutine[Any, Any, str]:
        return body(user_id, size)

    return observed(begin)


async def test_a_returned_coroutine_succeeds_when_its_body_ended(tracked: Recorder) -> None:
    coroutine = returning(stored_later)(7, 3)
    assert tracked.events == [BEGUN]
    assert await coroutine == "stored later"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="stored later")]


async def test_a_returned_coroutine_fails_when_its_body_raised(tracked: Recorder) -> None:
    coroutine = returning(refused_later)(7, 3)
    with pytest.raises(ValueError, match=r"^no room$"):
        await coroutine
    assert tracked.events == [BEGUN, FunctionFailed(user_id=7, size=3, reason="no room")]


async def test_a_function_that_raises_instead_of_returning_its_coroutine_fails(tracked: Recorder) -> None:
    def no_coroutine(user_id: int, size: int) -> Coroutine[Any, Any, str]:
        raise ValueError("no coroutine")

    with pytest.raises(ValueError, match=r"^no coroutine$"):
        await observed(no_coroutine)(7, 3)
    assert tracked.events == [BEGUN, FunctionFailed(user_id=7, size=3, reason="no coroutine")]


async def test_a_partial_over_a_coroutine_function_succeeds_when_its_body_ended(tracked: Recorder) -> None:
    coroutine = observed(partial(stored_later, size=3))(7)
    assert tracked.of(FunctionDone) == []
    assert await coroutine == "stored later"
    assert tracked.events == [BEGUN, FunctionDone(user_id=7, size=3, answer="stored later")]


async def test_a_returned_future_is_a_result_like_any_other(tracked: Recorder) -> None:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @tracks(FunctionBegun)
    def promise(user_id: int, size: int) -> asyncio.Future[str]:
        return future

    assert promise(7, 3) is future
    assert tracked.events == [BEGUN]


def test_threads_emit_their_own_calls(tracked: Recorder) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(functools.partial(upload, 7), range(50))) == ["stored"] * 50
    assert sorted(event.size for event in tracked.of(FunctionDone)) == list(range(50))
