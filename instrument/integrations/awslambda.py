"""AWS Lambda: `@opens_scope(user_of)` opens the request scope of an invocation, and delivers before it ends.

Between two invocations Lambda freezes the process: what was not delivered by then waits, perhaps for ever.
"""

from __future__ import annotations

import asyncio
import logging
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast, overload

from instrument.context import Entry
from instrument.integrations.carried import NO_FACTS, flush_clients
from instrument.integrations.entry import FAILING, entry_point_of_service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from instrument.calls import Call
    from instrument.client import Client
    from instrument.integrations.entry import Fields

E = TypeVar("E")
C = TypeVar("C")
T = TypeVar("T")

log: Final = logging.getLogger("instrument")

MARGIN: Final = 0.5
"""Seconds before Lambda's deadline that are left for the answer."""


class _Invocation(NamedTuple):
    event: Any
    context: Any


class Decorate(Protocol[E, C]):
    """A decorator for Lambda's handlers; an asynchronous one becomes one that Lambda can call."""

    @overload
    def __call__(self, handler: Callable[[E, C], Coroutine[Any, Any, T]], /) -> Callable[[E, C], T]: ...
    @overload
    def __call__(self, handler: Callable[[E, C], T], /) -> Callable[[E, C], T]: ...


def opens_scope(
    scope_from: Callable[[E, C], Fields | Awaitable[Fields]] | None = None,
    *,
    margin: float = MARGIN,
    clients: Sequence[Client] = (),
) -> Decorate[E, C]:
    """Open a request scope around each invocation of a handler, and flush before it returns or raises.

    The flush takes no longer than the setting `flush_timeout`, and ends before Lambda's deadline. A handler that is
    a coroutine function is run to its end.

    Args:
        scope_from: from the event and Lambda's context to the fields of the scope; asynchronous only for an
            asynchronous handler.
        margin: how long before Lambda's deadline the flush ends, in seconds.
        clients: those that are flushed, beside the default one.

    Raises:
        TypeError: `scope_from` is no function.
    """
    point = entry_point_of_service(scope_from and _of_both(scope_from))

    def decorate(handler: Callable[[Any, Any], Any], /) -> Callable[[Any, Any], Any]:
        if iscoroutinefunction(handler):

            async def run_async(invocation: _Invocation) -> Any:
                with Entry(await point.fields_async(invocation, NO_FACTS), inherit=False):
                    return await handler(*invocation)

            def run(invocation: _Invocation) -> Any:
                return asyncio.run(run_async(invocation))
        else:

            def run(invocation: _Invocation) -> Any:
                with Entry(point.fields(invocation, NO_FACTS), inherit=False):
                    return handler(*invocation)

        @wraps(handler)
        def invoke(event: Any, context: Any) -> Any:
            try:
                return run(_Invocation(event, context))
            finally:
                if not flush_clients(clients, _seconds_left(context, margin)):
                    log.warning("Lambda: not all messages are delivered; the rest waits for the next invocation.")

        return invoke

    return cast("Decorate[E, C]", decorate)


def returns_error(call: Call) -> bool:
    """Whether a handler has raised, or answered with a `statusCode` from 400 to 599: for `failed_if`.

    API Gateway and function URLs take such answers, https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    if call.error is not None:
        return True
    answer: object = call.result
    return isinstance(answer, dict) and cast("Mapping[str, Any]", answer).get("statusCode") in FAILING


def _of_both(scope_from: Callable[[E, C], T]) -> Callable[[_Invocation], T]:
    @wraps(scope_from)
    def of_invocation(invocation: _Invocation) -> T:
        return scope_from(*invocation)

    return of_invocation


def _seconds_left(context: Any, margin: float) -> float | None:
    """Return how long the flush may take; `None` where nobody knows of a deadline."""
    try:
        return max(0.0, float(context.get_remaining_time_in_millis()) / 1_000 - margin)
    except Exception:  # noqa: BLE001 - a stand-in for the context, in a test or on another platform
        return None
