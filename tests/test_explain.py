"""`explain` tells, as text, what a decorator has compiled."""

from __future__ import annotations

from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any

import pytest

from instrument import BindingError, Call, Identify, Scope, Track, explain, identifies, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class ExplainedScope(Scope):
    user_id: int


class ExplainedProject(ExplainedScope):
    project_id: int | None = None


class ExplainedDone(Track, ExplainedProject):
    size: int
    note: str = "none"


class ExplainedStarted(Track, ExplainedProject):
    pass


class ExplainedFailed(Track, ExplainedScope, name="It Went Wrong"):
    reason: str | None = None


class ExplainedKnown(Identify, ExplainedScope):
    email: str


def is_error(call: Call) -> bool:
    return call.error is not None


@tracks(
    ExplainedDone.from_call(size="result.size"),
    start=ExplainedStarted,
    failure=ExplainedFailed.from_call(reason="error"),
    failed_if=is_error,
)
def create(user_id: int, project_id: int) -> Any: ...


FIRST_LINE = f"{__name__}:create (function, {__file__}:{create.__code__.co_firstlineno})"


def test_every_message_with_the_places_of_every_field() -> None:
    assert explain(create).splitlines() == [
        FIRST_LINE,
        'start: ExplainedStarted, track "Explained Started"',
        "  user_id     request scope 'user_id', then argument 'user_id'; no default",
        "  project_id  argument 'project_id'; default None",
        'success: ExplainedDone, track "Explained Done"',
        "  user_id     request scope 'user_id', then argument 'user_id'; no default",
        "  project_id  argument 'project_id'; default None",
        "  size        result 'result.size'; no default",
        "  note        default 'none'",
        'failure: ExplainedFailed, track "It Went Wrong"',
        "  user_id  request scope 'user_id', then argument 'user_id'; no default",
        "  reason   error; default None",
        "failed_if: a returned result may be a failure",
    ]


def test_a_message_without_a_name() -> None:
    @identifies(ExplainedKnown)
    def sign_up(user_id: int, email: str) -> None: ...

    assert explain(sign_up).splitlines()[1:] == [
        "success: ExplainedKnown, identify",
        "  user_id  request scope 'user_id', then argument 'user_id'; no default",
        "  email    argument 'email'; no default",
    ]


def test_the_nature_of_the_handler() -> None:
    @tracks(ExplainedStarted)
    async def stream() -> AsyncIterator[int]:
        yield 1

    assert explain(stream).splitlines()[0].partition(" (")[2].startswith("async generator function, ")


class Service:
    @tracks(ExplainedStarted)
    def method(self) -> None: ...

    @classmethod
    @tracks(ExplainedStarted)
    def class_method(cls) -> None: ...

    @staticmethod
    @tracks(ExplainedStarted)
    def static_method() -> None: ...


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (Service.method, "Service.method"),
        (Service().method, "Service.method"),
        (Service.class_method, "Service.class_method"),
        (Service().class_method, "Service.class_method"),
        (Service.__dict__["class_method"], "Service.class_method"),
        (Service.static_method, "Service.static_method"),
        (Service.__dict__["static_method"], "Service.static_method"),
        (cache(create), "create"),
        (_logged(_logged(create)), "create"),
    ],
)
def test_a_handler_is_found_wherever_it_is_kept(handler: object, name: str) -> None:
    assert explain(handler).startswith(f"{__name__}:{name} (function, ")


@pytest.mark.parametrize(
    ("handler", "name"),
    [(is_error, "is_error"), (print, "print"), (Service, "Service"), (partial(print), "partial"), (3, "int")],
)
def test_what_is_not_decorated(handler: object, name: str) -> None:
    with pytest.raises(BindingError) as raised:
        explain(handler)
    assert str(raised.value) == f"{name} has no decorator of instrument."
