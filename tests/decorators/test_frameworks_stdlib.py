"""The standard library's own decorators and classes work over, under and around a decorated handler."""

from __future__ import annotations

import abc
import contextlib
import functools
import inspect
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from unittest import mock

import pytest

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from instrument.testing import Recorder


class StdlibScope(Scope):
    user_id: int


class StdlibDone(Track, StdlibScope):
    pass


class StdlibFailed(Track, StdlibScope):
    pass


class StdlibOther(Track, StdlibScope):
    pass


observed = tracks(StdlibDone, failure=StdlibFailed)
DONE = StdlibDone(user_id=7)
FAILED = StdlibFailed(user_id=7)


# Caches


@functools.cache
@observed
def cached_above(user_id: int) -> object:
    return object()


@observed
@functools.lru_cache(maxsize=8)
def cached_below(user_id: int) -> object:
    return object()


@pytest.fixture(autouse=True)
def empty_caches() -> None:
    cached_above.cache_clear()
    cached_below.cache_clear()


def test_a_cache_above_emits_only_for_what_it_does_not_know(tracked: Recorder) -> None:
    assert cached_above(7) is cached_above(7)
    assert tracked.events == [DONE]
    assert (cached_above.cache_info().hits, cached_above.cache_info().misses) == (1, 1)


def test_a_cache_below_keeps_its_results_and_emits_for_every_call(tracked: Recorder) -> None:
    assert cached_below(7) is cached_below(7)
    assert tracked.events == [DONE, DONE]
    assert (cached_below.cache_info().hits, cached_below.cache_parameters()["maxsize"]) == (1, 8)


def test_a_cached_method_is_cached_for_each_instance(tracked: Recorder) -> None:
    class Store:
        @functools.lru_cache  # noqa: B019 - the instances live no longer than the test
        @observed
        def load(self, user_id: int) -> object:
            return object()

        @functools.cached_property
        @tracks(StdlibDone.from_call(user_id=lambda _: 7))
        def first(self) -> object:
            return object()

    one, two = Store(), Store()
    assert one.load(7) is one.load(7)
    assert one.load(7) is not two.load(7)
    assert one.first is one.first
    assert tracked.events == [DONE] * 3


# Abstract classes and protocols


class Port(abc.ABC):
    @abc.abstractmethod
    @observed
    def above(self, user_id: int) -> str: ...

    @observed
    @abc.abstractmethod
    def below(self, user_id: int) -> str:
        return "default"

    @classmethod
    @abc.abstractmethod
    @observed
    def of_class(cls, user_id: int) -> str: ...


class Adapter(Port):
    @observed
    def above(self, user_id: int) -> str:
        return "adapted"

    @observed
    def below(self, user_id: int) -> str:
        return f"more than {super().below(user_id)}"

    @observed
    @classmethod
    def of_class(cls, user_id: int) -> str:
        return cls.__name__


class HalfAnAdapter(Port):
    @observed
    def above(self, user_id: int) -> str:
        return "adapted"


def test_abstract_methods_stay_abstract() -> None:
    assert Port.__abstractmethods__ == {"above", "below", "of_class"}
    assert HalfAnAdapter.__abstractmethods__ == {"below", "of_class"}
    with pytest.raises(TypeError, match="abstract class HalfAnAdapter"):
        HalfAnAdapter()  # type: ignore[abstract]


def test_implementations_of_abstract_methods_emit(tracked: Recorder) -> None:
    assert [Adapter().above(7), Adapter.of_class(7)] == ["adapted", "Adapter"]
    assert tracked.events == [DONE, DONE]


def test_an_abstract_method_that_is_called_through_super_emits_for_itself(tracked: Recorder) -> None:
    assert Adapter().below(7) == "more than default"
    assert tracked.events == [DONE, DONE]


@runtime_checkable
class Loads(Protocol):
    @observed
    def load(self, user_id: int) -> str: ...


class Loader:
    @observed
    def load(self, user_id: int) -> str:
        return "loaded"


class LoaderByInheritance(Loads):
    pass


def test_a_protocol_with_a_decorated_method_is_checked_at_runtime(tracked: Recorder) -> None:
    assert isinstance(Loader(), Loads)
    assert issubclass(Loader, Loads)
    assert not isinstance(object(), Loads)
    loader: Loads = Loader()
    assert loader.load(7) == "loaded"
    assert tracked.events == [DONE]


# Generic functions


@functools.singledispatch
@observed
def shown(value: object, user_id: int) -> str:
    return "anything"


@shown.register
@tracks(StdlibOther)
def _shown_number(value: int, user_id: int) -> str:
    return "number"


@shown.register(str)
@observed
def _shown_text(value: Any, user_id: int) -> str:
    return "text"


def test_singledispatch_chooses_between_decorated_functions(tracked: Recorder) -> None:
    assert [shown(1.5, 7), shown(1, 7), shown("", 7)] == ["anything", "number", "text"]
    assert tracked.events == [DONE, StdlibOther(user_id=7), DONE]


def test_singledispatch_below_keeps_its_registry(tracked: Recorder) -> None:
    @observed
    @functools.singledispatch
    def told(value: object, user_id: int) -> str:
        return "anything"

    @told.register
    def _(value: int, user_id: int) -> str:
        return "number"

    assert [told(1.5, 7), told(1, 7)] == ["anything", "number"]
    assert tracked.events == [DONE, DONE]


def test_singledispatchmethod_chooses_between_decorated_methods(tracked: Recorder) -> None:
    class Teller:
        @functools.singledispatchmethod
        @observed
        def tell(self, value: object, user_id: int) -> str:
            return "anything"

        @tell.register
        @tracks(StdlibOther)
        def _(self, value: int, user_id: int) -> str:
            return "number"

    assert [Teller().tell(1.5, 7), Teller().tell(1, 7)] == ["anything", "number"]
    assert tracked.events == [DONE, StdlibOther(user_id=7)]


# Data classes and enumerations


@tracks(StdlibOther.from_call(user_id=lambda _: 7))
def new_tags() -> list[str]:
    return ["new"]


@dataclass
class Note:
    user_id: int
    tags: list[str] = field(default_factory=new_tags)

    @tracks(StdlibDone.from_call(user_id="self.user_id"))
    def __post_init__(self) -> None:
        self.tags.append("checked")

    @tracks(StdlibDone.from_call(user_id="self.user_id"))
    def count(self) -> int:
        return len(self.tags)


def test_methods_post_init_and_default_factory_of_a_dataclass_emit(tracked: Recorder) -> None:
    note = Note(7)
    assert note.tags == ["new", "checked"]
    assert note.count() == 2
    assert tracked.events == [StdlibOther(user_id=7), DONE, DONE]
    assert note == Note(7)


def test_a_method_of_an_enumeration_emits_and_is_no_member(tracked: Recorder) -> None:
    class Plan(Enum):
        FREE = 7

        @tracks(StdlibDone.from_call(user_id="self.value"))
        def chosen(self) -> str:
            return self.name

    assert list(Plan) == [Plan.FREE]
    assert Plan.FREE.chosen() == "FREE"
    assert tracked.events == [DONE]


# Mocks


@observed
def charge(user_id: int, amount: int = 1) -> str:
    return "charged"


@observed
async def charge_later(user_id: int, amount: int = 1) -> str:
    return "charged"


class Register:
    @observed
    def charge(self, user_id: int) -> str:
        return "charged"

    @observed
    async def charge_later(self, user_id: int) -> str:
        return "charged"

    @observed
    @staticmethod
    def charge_statically(user_id: int) -> str:
        return "charged"


def test_an_autospec_of_a_decorated_function_knows_its_parameters_and_emits_nothing(tracked: Recorder) -> None:
    spec = mock.create_autospec(charge, return_value="mocked")
    assert spec(7, amount=2) == "mocked"
    spec.assert_called_once_with(7, 2)
    with pytest.raises(TypeError, match=r"^missing a required argument: 'user_id'$"):
        spec()
    with pytest.raises(TypeError, match=r"^too many positional arguments$"):
        spec(7, 2, 3)
    assert tracked.events == []


async def test_an_autospec_of_a_decorated_coroutine_function_is_awaited() -> None:
    spec = mock.create_autospec(charge_later, return_value="mocked")
    assert await spec(7) == "mocked"
    spec.assert_awaited_once_with(7)
    with pytest.raises(TypeError, match=r"^missing a required argument: 'user_id'$"):
        await spec()


async def test_an_autospec_of_a_class_with_decorated_methods_knows_their_parameters() -> None:
    register = mock.create_autospec(Register, instance=True)
    register.charge(7)
    register.charge.assert_called_once_with(user_id=7)
    await register.charge_later(7)
    register.charge_later.assert_awaited_once_with(7)
    register.charge_statically(7)
    for method in (register.charge, register.charge_statically):
        with pytest.raises(TypeError):
            method(7, 8)


def test_a_decorated_function_and_method_can_be_patched_and_are_restored(tracked: Recorder) -> None:
    with (
        mock.patch(f"{__name__}.charge", autospec=True) as patched,
        mock.patch.object(Register, "charge", autospec=True, return_value="mocked") as method,
    ):
        charge(7)
        assert Register().charge(7) == "mocked"
        patched.assert_called_once_with(7)
        assert method.call_args.args[1:] == (7,)
    assert [charge(7), Register().charge(7)] == ["charged", "charged"]
    assert tracked.events == [DONE, DONE]


def test_a_mock_that_wraps_a_decorated_function_lets_it_emit(tracked: Recorder) -> None:
    wrapping = mock.Mock(wraps=charge)
    assert wrapping(7) == "charged"
    assert tracked.events == [DONE]


def test_a_mock_can_be_decorated(tracked: Recorder) -> None:
    assert (
        tracks(StdlibDone.from_call(user_id=lambda call: call.args[0]))(mock.Mock(return_value="mocked"))(7) == "mocked"
    )
    assert tracked.events == [DONE]


# Context managers


@contextlib.contextmanager
@observed
def opened(user_id: int) -> Iterator[str]:
    yield "open"


@contextlib.asynccontextmanager
@observed
async def opened_later(user_id: int) -> AsyncGenerator[str, None]:
    yield "open"


@observed
@contextlib.contextmanager
def opened_below(user_id: int) -> Iterator[str]:
    yield "open"


def test_a_context_manager_over_a_decorated_generator_emits_when_it_is_left(tracked: Recorder) -> None:
    with opened(7) as state:
        assert state == "open"
        assert tracked.events == []
    assert tracked.events == [DONE]


def test_an_exception_inside_such_a_context_manager_is_the_failure_of_its_generator(tracked: Recorder) -> None:
    error = ValueError("inside")
    with pytest.raises(ValueError, match=r"^inside$") as raised, opened(7):
        raise error
    assert raised.value is error
    assert tracked.events == [FAILED]


def test_such_a_context_manager_may_handle_the_exception(tracked: Recorder) -> None:
    @contextlib.contextmanager
    @observed
    def forgiving(user_id: int) -> Iterator[None]:
        with contextlib.suppress(ValueError):
            yield

    with forgiving(7):
        raise ValueError("inside")
    assert tracked.events == [DONE]


def test_such_a_context_manager_decorates_a_function(tracked: Recorder) -> None:
    @opened(7)
    def work() -> str:
        return "worked"

    assert [work(), work()] == ["worked", "worked"]
    assert tracked.events == [DONE, DONE]


async def test_an_async_context_manager_over_a_decorated_generator_emits_when_it_is_left(tracked: Recorder) -> None:
    async with opened_later(7) as state:
        assert state == "open"
        assert tracked.events == []
    assert tracked.events == [DONE]


async def test_an_exception_inside_an_async_context_manager_is_the_failure_of_its_generator(tracked: Recorder) -> None:
    error = ValueError("inside")
    with pytest.raises(ValueError, match=r"^inside$") as raised:
        async with opened_later(7):
            raise error
    assert raised.value is error
    assert tracked.events == [FAILED]


async def test_an_exit_stack_closes_decorated_context_managers_in_order(tracked: Recorder) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(opened_later(1))
        stack.enter_context(opened(2))
    assert tracked.events == [StdlibDone(user_id=2), StdlibDone(user_id=1)]


def test_a_decorator_over_a_context_manager_emits_when_that_is_made(tracked: Recorder) -> None:
    manager = opened_below(7)
    assert tracked.events == [DONE]
    with manager as state:
        assert state == "open"
    assert tracked.events == [DONE]


# Threads and wrappers


def test_a_wrapper_between_two_decorators_is_passed_through(tracked: Recorder) -> None:
    def twice(f: Callable[[int], str]) -> Callable[[int], str]:
        @functools.wraps(f)
        def run(*args: Any, **kwargs: Any) -> str:
            return f(*args, **kwargs) + f(*args, **kwargs)

        return run

    @tracks(StdlibOther)
    @twice
    @observed
    def say(user_id: int) -> str:
        return "ha"

    assert say(7) == "haha"
    assert tracked.events == [DONE, DONE, StdlibOther(user_id=7)]
    assert str(inspect.signature(say)) == "(user_id: 'int') -> 'str'"


def test_a_wrapper_with_parameters_of_its_own_is_called_with_those(tracked: Recorder) -> None:
    def with_connection(f: Callable[[str, int], str]) -> Callable[[int], str]:
        @functools.wraps(f)
        def run(user_id: int) -> str:
            return f("connection", user_id)

        return run

    @observed
    @with_connection
    def load(connection: str, user_id: int) -> str:
        return connection

    assert load(7) == "connection"
    assert tracked.events == [DONE]


async def test_a_synchronous_wrapper_over_a_coroutine_function_succeeds_when_that_ended(tracked: Recorder) -> None:
    def logged(f: Callable[[int], Coroutine[Any, Any, str]]) -> Callable[[int], Coroutine[Any, Any, str]]:
        @functools.wraps(f)
        def run(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, str]:
            return f(*args, **kwargs)

        return run

    @observed
    @logged
    async def load(user_id: int) -> str:
        return "loaded"

    coroutine = load(7)
    assert tracked.events == []
    assert await coroutine == "loaded"
    assert tracked.events == [DONE]
