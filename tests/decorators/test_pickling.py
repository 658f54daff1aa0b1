"""Decorated handlers go where their undecorated twins go: through pickle, and into processes that are spawned."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, MemoryDestination, Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument.testing import Recorder


class PickleScope(Scope):
    user_id: int


class PickleDone(Track, PickleScope):
    answer: int


observed = tracks(PickleDone.from_call(answer="result"))
memory = MemoryDestination()
client = Client(destinations=[memory])


@observed
def double(user_id: int) -> int:
    return 2 * user_id


@observed
async def double_later(user_id: int) -> int:
    return 2 * user_id


@observed
def count(user_id: int) -> Iterator[int]:
    yield user_id


@tracks(PickleDone.from_call(answer="result"), client=client)
def double_and_remember(user_id: int) -> int:
    return 2 * user_id


def remembered() -> list[dict[str, Any]]:
    """Tell what the client of this process has delivered."""
    assert client.flush()
    return [message["properties"] for message in memory.messages]


class Doubler:
    """Methods of every kind."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Doubler) and other.factor == self.factor

    __hash__ = None  # type: ignore[assignment]

    @observed
    def method(self, user_id: int) -> int:
        return self.factor * user_id

    @classmethod
    @observed
    def below_classmethod(cls, user_id: int) -> int:
        return 2 * user_id

    @observed
    @classmethod
    def above_classmethod(cls, user_id: int) -> int:
        return 2 * user_id

    @staticmethod
    @observed
    def below_staticmethod(user_id: int) -> int:
        return 2 * user_id

    @observed
    @staticmethod
    def above_staticmethod(user_id: int) -> int:
        return 2 * user_id


protocols = pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))


@protocols
@pytest.mark.parametrize("handler", [double, double_later, count], ids=lambda each: each.__name__)
def test_a_function_of_a_module_is_pickled_as_itself(handler: Callable[..., Any], protocol: int) -> None:
    assert pickle.loads(pickle.dumps(handler, protocol)) is handler


@protocols
def test_a_method_bound_to_an_instance_is_pickled_with_the_instance(tracked: Recorder, protocol: int) -> None:
    restored: Any = pickle.loads(pickle.dumps(Doubler(3).method, protocol))
    assert restored.__self__ == Doubler(3)
    assert restored(7) == 21
    assert tracked.events == [PickleDone(user_id=7, answer=21)]


STATIC: dict[str, Callable[[int], int]] = {
    "classmethod over it": Doubler.below_classmethod,
    "classmethod under it": Doubler.above_classmethod,
    "staticmethod over it": Doubler.below_staticmethod,
    "staticmethod under it": Doubler.above_staticmethod,
    "staticmethod under it, of an instance": Doubler(2).above_staticmethod,
}


@protocols
@pytest.mark.parametrize("method", STATIC.values(), ids=STATIC)
def test_a_method_that_needs_no_instance_is_pickled(
    tracked: Recorder, method: Callable[[int], int], protocol: int
) -> None:
    restored = pickle.loads(pickle.dumps(method, protocol))
    assert restored == method
    assert restored(7) == 14
    assert tracked.events == [PickleDone(user_id=7, answer=14)]


@protocols
def test_a_method_taken_from_its_class_is_pickled(tracked: Recorder, protocol: int) -> None:
    restored = pickle.loads(pickle.dumps(Doubler.method, protocol))
    assert restored(Doubler(2), 7) == 14
    assert tracked.events == [PickleDone(user_id=7, answer=14)]


def test_a_local_function_cannot_be_pickled_as_its_twin_cannot() -> None:
    def twin(user_id: int) -> int:
        return user_id

    for handler in (twin, observed(twin)):
        with pytest.raises((AttributeError, pickle.PicklingError), match="twin"):
            pickle.dumps(handler)


def test_a_spawned_process_runs_a_decorated_handler_and_emits() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert list(pool.map(double_and_remember, [1, 2, 3])) == [2, 4, 6]
        assert pool.submit(remembered).result(timeout=60) == [{"answer": 2}, {"answer": 4}, {"answer": 6}]
    assert memory.messages == []


def test_a_spawned_process_runs_a_bound_method() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert list(pool.map(Doubler(5).method, [1, 2])) == [5, 10]
