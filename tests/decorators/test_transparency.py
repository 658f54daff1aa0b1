"""A decorated handler is compared with its undecorated twin: nobody who calls or inspects it can tell them apart."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import inspect
import typing
import warnings
import weakref
from collections.abc import AsyncGenerator, Generator  # noqa: TC003 - type hints are resolved here
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from instrument import Scope, Track, request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from types import TracebackType

    from instrument.testing import Recorder

T = TypeVar("T")


class TwinScope(Scope):
    user_id: int


class TwinBegun(Track, TwinScope):
    pass


class TwinDone(Track, TwinScope):
    pass


class TwinFailed(Track, TwinScope):
    pass


observed = tracks(TwinDone, start=TwinBegun, failure=TwinFailed)


@pytest.fixture(autouse=True)
def recorded(tracked: Recorder) -> Iterator[Recorder]:
    """Record in strict mode, as user 7: whatever goes wrong in the instrumentation fails the test."""
    with request_scope(user_id=7):
        yield tracked


class Payload(Generic[T]):
    """Something that annotations can name."""


def function(first: Payload[int], *rest: str, keyword: int = 3, **more: float) -> Payload[str] | None:
    """Docstring of a function."""
    raise ValueError(first)


async def coroutine(first: Payload[int], *, keyword: int = 3) -> Payload[str]:
    """Docstring of a coroutine function."""
    raise ValueError(first)


def generator(first: Payload[int], keyword: int = 3) -> Generator[int, str, Payload[str]]:
    """Docstring of a generator function."""
    yield keyword
    raise ValueError(first)


async def async_generator(first: Payload[int], keyword: int = 3) -> AsyncGenerator[int, str]:
    """Docstring of an async generator function."""
    yield keyword
    raise ValueError(first)


class Holder:
    """Methods of every kind, undecorated."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def method(self, first: int, keyword: int = 3) -> Payload[str]:
        """Docstring of a method."""
        raise ValueError(first)

    @classmethod
    def of_class(cls, first: int, keyword: int = 3) -> Payload[str]:
        """Docstring of a classmethod."""
        raise ValueError(first)

    nameless = staticmethod(lambda first=2: first)

    @staticmethod
    def of_nothing(first: int, keyword: int = 3) -> Payload[str]:
        """Docstring of a staticmethod."""
        raise ValueError(first)


class DecoratedHolder(Holder):
    """The same methods, decorated."""

    method = observed(Holder.method)
    of_class = observed(Holder.__dict__["of_class"])
    of_nothing = observed(Holder.__dict__["of_nothing"])


nameless = Holder.nameless

TWINS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "function": (function, observed(function)),
    "coroutine function": (coroutine, observed(coroutine)),
    "generator function": (generator, observed(generator)),
    "async generator function": (async_generator, observed(async_generator)),
    "lambda": (nameless, observed(nameless)),
    "decorated twice": (function, observed(observed(function))),
    "method": (Holder().method, DecoratedHolder().method),
    "method of the class": (Holder.method, DecoratedHolder.method),
    "classmethod": (Holder.of_class, DecoratedHolder.of_class),
    "classmethod of an instance": (Holder().of_class, DecoratedHolder().of_class),
    "staticmethod": (Holder.of_nothing, DecoratedHolder.of_nothing),
    "staticmethod of an instance": (Holder().of_nothing, DecoratedHolder().of_nothing),
}

twins = pytest.mark.parametrize(("twin", "decorated"), TWINS.values(), ids=TWINS)

QUESTIONS: dict[str, Callable[[Any], object]] = {
    "__name__": lambda f: f.__name__,
    "__qualname__": lambda f: f.__qualname__,
    "__module__": lambda f: f.__module__,
    "__doc__": lambda f: f.__doc__,
    "__annotations__": lambda f: f.__annotations__,
    "__code__": lambda f: f.__code__,
    "__defaults__": lambda f: f.__defaults__,
    "__kwdefaults__": lambda f: f.__kwdefaults__,
    "signature": inspect.signature,
    "type hints": typing.get_type_hints,
    "file": inspect.getfile,
    "source": inspect.getsource,
    "help": inspect.getdoc,
    "unwrapped": lambda f: getattr(inspect.unwrap(f), "__func__", inspect.unwrap(f)),
    "callable": callable,
    "isfunction": inspect.isfunction,
    "ismethod": inspect.ismethod,
    "isroutine": inspect.isroutine,
    "iscoroutinefunction": inspect.iscoroutinefunction,
    "isgeneratorfunction": inspect.isgeneratorfunction,
    "isasyncgenfunction": inspect.isasyncgenfunction,
    "isclass": inspect.isclass,
    "__class__": lambda f: f.__class__,
    "truth": bool,
}


@twins
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_inspection_answers_as_for_the_twin(
    twin: Callable[..., Any], decorated: Callable[..., Any], question: Callable[[Any], object]
) -> None:
    assert question(decorated) == question(twin)


@twins
def test_annotations_stay_when_somebody_read_those_of_the_proxys_class(
    twin: Callable[..., Any], decorated: Callable[..., Any]
) -> None:
    for class_ in type(decorated).__mro__:
        with contextlib.suppress(AttributeError):
            _ = class_.__annotations__
    assert decorated.__annotations__ == twin.__annotations__
    assert typing.get_type_hints(type(decorated)) == {}


def test_the_function_under_it_is_its_wrapped() -> None:
    assert inspect.unwrap(observed(function)) is function
    assert observed(function).__wrapped__ is function


def test_attributes_are_those_of_the_function_under_it() -> None:
    def plain() -> None: ...

    decorated = observed(plain)
    decorated.retries = 3  # type: ignore[attr-defined]
    assert plain.retries == 3  # type: ignore[attr-defined]
    assert vars(decorated) == {"retries": 3}


def test_bound_methods_are_equal_and_hash_alike() -> None:
    holder = DecoratedHolder()
    assert holder.method == holder.method
    assert hash(holder.method) == hash(holder.method)
    assert holder.method != DecoratedHolder().method
    assert [holder.method].index(holder.method) == 0
    assert len({holder.method, holder.method}) == 1


def test_a_bound_method_knows_its_instance_and_its_class() -> None:
    holder: Any = DecoratedHolder()
    assert holder.method.__self__ is holder
    assert holder.of_class.__self__ is DecoratedHolder
    assert holder.__class__.of_class.__self__ is DecoratedHolder


def test_the_result_is_the_very_object_that_the_body_returned() -> None:
    result = object()
    assert observed(lambda: result)() is result


async def test_the_result_of_a_coroutine_is_the_very_object() -> None:
    result = object()

    @observed
    async def give() -> object:
        return result

    assert await give() is result


def test_arguments_are_the_very_objects_that_were_given() -> None:
    given, named = object(), object()
    taken: list[object] = []

    @observed
    def take(*args: object, **kwargs: object) -> None:
        taken.extend((*args, *kwargs.values()))

    take(given, name=named)
    assert taken[0] is given
    assert taken[1] is named


def run_function(f: Callable[[], Any]) -> None:
    f()


def run_coroutine(f: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    f().send(None)


def run_generator(f: Callable[[], Iterator[Any]]) -> None:
    for _ in f():
        pass


def run_async_generator(f: Callable[[], AsyncIterator[Any]]) -> None:
    async def exhaust() -> None:
        async for _ in f():
            pass

    exhaust().send(None)


def throw_into_generator(f: Callable[[], Generator[Any, Any, Any]]) -> None:
    running = f()
    next(running)
    running.throw(KeyError("thrown"))


def throw_into_async_generator(f: Callable[[], AsyncGenerator[Any, Any]]) -> None:
    async def throw() -> None:
        running = f()
        await anext(running)
        await running.athrow(KeyError("thrown"))

    throw().send(None)


def raising_function() -> None:
    inner()


async def raising_coroutine() -> None:
    inner()


def raising_generator() -> Generator[int, None, None]:
    yield 1
    inner()


async def raising_async_generator() -> AsyncGenerator[int, None]:
    yield 1
    inner()


def returning_coroutine() -> Coroutine[Any, Any, None]:
    return raising_coroutine()


def inner() -> None:
    try:
        raise LookupError("the context")
    except LookupError as error:
        raise ValueError("the error") from error


RAISED: dict[str, tuple[Callable[[Any], None], Callable[[], Any]]] = {
    "function": (run_function, raising_function),
    "coroutine": (run_coroutine, raising_coroutine),
    "returned coroutine": (run_coroutine, returning_coroutine),
    "generator": (run_generator, raising_generator),
    "async generator": (run_async_generator, raising_async_generator),
    "thrown into a generator": (throw_into_generator, raising_generator),
    "thrown into an async generator": (throw_into_async_generator, raising_async_generator),
}


def raised_by(run: Callable[[Any], None], handler: Callable[[], Any]) -> BaseException:
    with pytest.raises((ValueError, KeyError)) as raised:
        run(handler)
    return raised.value


def frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    """Tell a traceback from the outside in: which code, at which line of it."""
    found = []
    while traceback is not None:
        found.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


def is_ours(traceback: TracebackType) -> bool:
    return str(traceback.tb_frame.f_globals["__name__"]).startswith("instrument.")


def without_ours(traceback: TracebackType | None) -> tuple[list[tuple[str, int]], int]:
    """Tell a traceback without the frames of the package, and how many those are."""
    theirs, ours = [], 0
    while traceback is not None:
        if is_ours(traceback):
            ours += 1
        else:
            theirs.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return theirs, ours


@pytest.mark.parametrize(("run", "handler"), RAISED.values(), ids=RAISED)
def test_the_traceback_is_that_of_the_twin_and_one_frame(
    run: Callable[[Any], None], handler: Callable[[], Any]
) -> None:
    theirs, ours = without_ours(raised_by(run, observed(handler)).__traceback__)
    assert theirs == frames(raised_by(run, handler).__traceback__)
    assert ours == 1


@pytest.mark.parametrize(("run", "handler"), RAISED.values(), ids=RAISED)
def test_context_and_cause_of_the_exception_are_those_of_the_twin(
    run: Callable[[Any], None], handler: Callable[[], Any]
) -> None:
    def told(error: BaseException) -> list[object]:
        return [repr(error), repr(error.__context__), repr(error.__cause__), error.__suppress_context__, error.args]

    assert told(raised_by(run, observed(handler))) == told(raised_by(run, handler))


def test_the_exception_is_the_very_object_that_was_raised() -> None:
    error = ValueError("the error")

    @observed
    def fail() -> None:
        raise error

    assert raised_by(run_function, fail) is error
    assert error.__context__ is None
    assert error.__cause__ is None


def test_an_exception_raised_while_another_is_handled_keeps_that_one_as_its_context() -> None:
    outer = LookupError("outer")
    with pytest.raises(ValueError, match=r"^inner$") as raised:
        try:
            raise outer
        except LookupError:
            observed(function)("inner")  # type: ignore[arg-type]
    assert raised.value.__context__ is outer


def two(first: int, second: int) -> None: ...


@pytest.mark.parametrize("twin", [two, coroutine, generator, async_generator, Holder().method, Holder.of_class, len])
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3, 4, 5), {"unknown": 1}), ((1,), {"first": 1})],
    ids=["missing", "too many", "twice"],
)
def test_arguments_that_do_not_fit_raise_the_type_error_of_the_twin_at_the_call(
    recorded: Recorder, twin: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(TypeError) as expected:
        twin(*args, **kwargs)
    with pytest.raises(TypeError) as raised:
        observed(twin)(*args, **kwargs)
    assert str(raised.value) == str(expected.value)
    assert recorded.errors == ()


class TwinTaken(Track, TwinScope):
    taken: int


def test_a_missing_argument_that_a_message_needs_is_the_callers_mistake_and_no_error_of_ours(
    recorded: Recorder,
) -> None:
    @tracks(TwinTaken, start=TwinTaken, failure=TwinTaken)
    def take(taken: int) -> None: ...

    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'taken'$"):
        take()  # type: ignore[call-arg]
    assert recorded.events == []
    assert recorded.errors == ()


MADE: dict[str, Callable[..., Any]] = {
    "coroutine": coroutine,
    "generator": generator,
    "async generator": async_generator,
}


@pytest.mark.parametrize("twin", MADE.values(), ids=MADE)
def test_what_is_made_has_the_type_and_the_names_of_what_the_twin_makes(twin: Callable[..., Any]) -> None:
    expected, made = twin(1), observed(twin)(1)
    assert type(made) is type(expected)
    assert (made.__name__, made.__qualname__) == (expected.__name__, expected.__qualname__)
    for each in (expected, made):
        if inspect.iscoroutine(each):
            each.close()


def test_a_coroutine_that_is_never_awaited_warns_as_that_of_the_twin() -> None:
    def warned(f: Callable[[int], object]) -> list[tuple[type[Warning], str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            f(1)
            told = [(each.category, str(each.message)) for each in caught]
            # A caught warning keeps the coroutine, and so the one inside it.
            caught.clear()
            gc.collect()
            return told + [(each.category, str(each.message)) for each in caught]

    assert warned(observed(coroutine)) == warned(coroutine)  # type: ignore[arg-type]
    assert len(warned(coroutine)) == 1  # type: ignore[arg-type]


def test_a_coroutine_that_is_closed_before_it_began_warns_of_nothing() -> None:
    observed(coroutine)(Payload()).close()
    gc.collect()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_decorated_function_is_the_function(copied: Callable[[Any], Any]) -> None:
    decorated = observed(function)
    assert copied(decorated) is decorated
    assert copied([decorated]) == [decorated]


def test_copies_of_bound_methods_are_bound_as_those_of_the_twin() -> None:
    holders: list[Any] = [Holder(3), DecoratedHolder(3)]
    for holder in holders:
        shallow, deep = copy.copy(holder.method), copy.deepcopy(holder.method)
        assert shallow.__self__ is holder
        assert deep.__self__ is not holder
        assert deep.__self__.number == 3
        assert copy.deepcopy(holder.of_class).__self__ is type(holder)
        assert copy.deepcopy(holder.of_nothing) == holder.of_nothing
        assert copy.deepcopy(type(holder).method) == type(holder).method


def test_a_deep_copy_of_an_object_that_keeps_its_own_bound_method_keeps_that_of_the_copy() -> None:
    class Button(DecoratedHolder):
        def __init__(self) -> None:
            super().__init__()
            self.on_click = self.method

    button: Any = copy.deepcopy(Button())
    assert button.on_click.__self__ is button


def test_functools_wraps_over_it_copies_what_it_copies_from_the_twin() -> None:
    def wrapper() -> None: ...

    def over(f: Callable[..., Any]) -> dict[str, object]:
        wrapped = functools.wraps(f)(functools.partial(wrapper))
        return {name: getattr(wrapped, name) for name in (*functools.WRAPPER_ASSIGNMENTS, "__dict__")}

    of_twin, of_decorated = over(function), over(observed(function))
    assert of_twin.pop("__dict__") == {"__wrapped__": function, **_assigned(function)}
    assert of_decorated.pop("__dict__")["__wrapped__"].__wrapped__ is function  # type: ignore[index]
    assert of_decorated == of_twin


def _assigned(f: Callable[..., Any]) -> dict[str, object]:
    return {name: getattr(f, name) for name in functools.WRAPPER_ASSIGNMENTS}


def test_the_signature_of_a_wrapper_over_it_is_that_of_the_function() -> None:
    @functools.wraps(observed(function))
    def wrapper(*args: Any, **kwargs: Any) -> Any: ...

    assert inspect.signature(wrapper) == inspect.signature(function)


def test_assigning_it_to_a_class_makes_it_a_method() -> None:
    class Late:
        pass

    Late.show = observed(lambda self: type(self).__name__)  # type: ignore[attr-defined]
    assert Late().show() == "Late"  # type: ignore[attr-defined]


def test_it_can_be_weakly_referenced_and_used_as_a_key() -> None:
    decorated = observed(function)
    assert weakref.ref(decorated)() is decorated
    assert {decorated: 1}[decorated] == 1


def test_it_frees_its_arguments_and_result_when_the_call_is_over() -> None:
    taken: list[weakref.ref[Any]] = []

    @observed
    def take(payload: Payload[int]) -> Payload[str]:
        result = Payload[str]()
        taken.extend((weakref.ref(payload), weakref.ref(result)))
        return result

    gc.disable()
    try:
        take(Payload())
        assert [each() for each in taken] == [None, None]
    finally:
        gc.enable()
