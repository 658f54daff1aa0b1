"""The registry of decorated handlers: it knows those that exist, and keeps none of them alive."""

from __future__ import annotations

import functools
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Scope, Track, emitting, tracks
from instrument.decorated import DecoratedHandlers, decorated_handlers
from instrument.decorators import instrumentation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.lifecycle import Instrumentation


class RollScope(Scope):
    user_id: int


class RollCalled(Track, RollScope):
    pass


class RollSkipped(Track, RollScope):
    pass


@pytest.fixture
def added() -> Iterator[list[Instrumentation]]:
    """What is decorated during the test."""
    found: list[Instrumentation] = []
    stop = decorated_handlers.tell(found.append)
    yield found
    stop()


def names() -> list[str]:
    return [each.handler.name.rpartition(".")[2] for each in decorated_handlers.instrumentations()]


def test_handlers_of_every_kind_are_known_in_the_order_of_decoration() -> None:
    @tracks(RollCalled)
    def roll_function() -> None: ...

    @tracks(RollCalled)
    async def roll_coroutine() -> None: ...

    class Roll:
        @tracks(RollCalled)
        def roll_method(self) -> None: ...

        @tracks(RollCalled)
        @classmethod
        def roll_classmethod(cls) -> None: ...

        @staticmethod
        @tracks(RollCalled)
        def roll_staticmethod() -> None: ...

    @functools.cache
    @tracks(RollCalled)
    def roll_cached() -> None: ...

    mine = [each for each in names() if each.startswith("roll_")]
    assert mine == [
        "roll_" + each for each in ("function", "coroutine", "method", "classmethod", "staticmethod", "cached")
    ]


def test_a_handler_that_is_decorated_twice_is_known_with_both() -> None:
    @tracks(RollCalled)
    @tracks(failure=RollSkipped)
    def rolled_twice() -> None: ...

    both = [each for each in decorated_handlers.instrumentations() if each.handler.name.endswith("rolled_twice")]
    assert [each.success and each.success.model for each in both] == [None, RollCalled]
    assert both[1] is instrumentation_of(rolled_twice)


def test_handlers_that_are_equal_and_have_no_hash_are_known_each() -> None:
    class Equal:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __call__(self) -> None: ...

    decorated = [tracks(RollCalled)(Equal()), tracks(RollCalled)(Equal())]
    known = decorated_handlers.instrumentations()
    assert [each in known for each in map(instrumentation_of, decorated)] == [True, True]


def test_handlers_decorated_in_a_loop_are_gone_with_their_names() -> None:
    def decorate() -> None:
        @tracks(RollCalled)
        def looped(depth: int) -> None:
            if depth:
                looped(depth - 1)  # a circle: the function knows what stands in its place

        assert "looped" in names()

    for _ in range(50):
        decorate()
    gc.collect()
    assert "looped" not in names()


def test_who_asks_is_told_of_handlers_that_end_at_once_until_it_asks_no_more() -> None:
    told: list[str] = []
    stop = decorated_handlers.tell(lambda each: told.append(each.handler.name.rpartition(".")[2]))
    tracks(RollCalled)(lambda user_id: None)
    stop()
    tracks(RollCalled)(lambda user_id: None)
    assert told == ["<lambda>"]


def test_calls_and_blocks_add_nothing(added: list[Instrumentation]) -> None:
    @tracks(RollCalled)
    def called(user_id: int) -> None: ...

    for _ in range(3):
        called(7)
        with emitting(RollCalled, user_id=7):
            pass
    assert [each.handler.name.rpartition(".")[2] for each in added] == ["called"]


def test_handlers_may_come_and_go_while_others_look() -> None:
    handlers = DecoratedHandlers()
    kept: list[Any] = []
    done = threading.Event()

    def decorate() -> None:
        for number in range(300):
            decorated: Any = tracks(RollCalled)(lambda user_id: None)
            handlers.add(decorated, decorated._self_instrumentation)
            if number % 10 == 0:
                kept.append(decorated)
        done.set()

    thread = threading.Thread(target=decorate)
    thread.start()
    while not done.is_set():
        assert all(each.success is not None for each in handlers.instrumentations())
    thread.join()
    gc.collect()
    assert len(handlers.instrumentations()) == 30
