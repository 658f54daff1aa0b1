"""gRPC: an interceptor of the server opens the request scope of each call.

grpc.server(pool, interceptors=[ScopeInterceptor(user_of)])
grpc.aio.server(interceptors=[AsyncScopeInterceptor(user_of)])
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUntypedBaseClass=false
# gRPC has no types of its own.

from __future__ import annotations

from contextvars import copy_context
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, cast

import grpc
from grpc import aio

from instrument.context import Entry
from instrument.integrations.entry import EntryPoint, entry_point_of_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from typing_extensions import Unpack

    from instrument.calls import Call
    from instrument.integrations.entry import Fields

    Metadata = Mapping[str, str | bytes]
    """The metadata of a call by key in lower case; of a key that came repeatedly, the last value."""
    Behaviour = Callable[..., Any]

_rpc: Final = cast("Any", grpc)

_HANDLERS: Final = {
    (False, False): ("unary_unary", _rpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", _rpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", _rpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", _rpc.stream_stream_rpc_method_handler),
}
"""By whether requests and responses are streams: the attribute of the handler's behaviour, and what makes one."""


class Options(TypedDict, total=False):
    """What an interceptor can be told.

    Attributes:
        baggage: whether the fields marked as `Propagated` are taken from the metadata `baggage`: only for services
            that nobody outside can reach. A collection of names takes these alone.
    """

    baggage: bool | Collection[str]


class _Rpc(NamedTuple):
    """A call of a method: the `Facts` of an entry point, too."""

    method: str
    metadata: Metadata
    ip: str | None = None
    scheme: str = "grpc"
    path: str = ""
    query: str = ""

    def header(self, name: str) -> str | None:
        value = self.metadata.get(name)
        return value.decode("latin-1") if isinstance(value, bytes) else value


class ScopeInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]
    """Opens a request scope around each call of a server with threads, streams included.

    Args:
        scope_from: from the name of the method, `/package.Service/Method`, and the metadata to the fields of the scope.
        options: see `Options`.

    Raises:
        TypeError: `scope_from` is no function.
    """

    def __init__(self, scope_from: Callable[[str, Metadata], Fields] | None = None, **options: Unpack[Options]) -> None:
        self._point: EntryPoint[_Rpc] = entry_point_of_service(scope_from and _of_both(scope_from), **options)

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Return the handler of a call, in its request scope."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        rpc = _rpc_of(handler_call_details)

        def entered() -> Entry:
            return Entry(self._point.fields(rpc, rpc), inherit=False)

        return _with_behaviour(
            handler, lambda behaviour: _around(behaviour, entered, streams=handler.response_streaming)
        )


class AsyncScopeInterceptor(aio.ServerInterceptor):  # type: ignore[misc]
    """Opens a request scope around each call of a server of `grpc.aio`, streams included.

    Args:
        scope_from: from the name of the method and the metadata to the fields of the scope, `def` or `async def`.
        options: see `Options`.

    Raises:
        TypeError: `scope_from` is no function.
    """

    def __init__(
        self,
        scope_from: Callable[[str, Metadata], Fields | Awaitable[Fields]] | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._point: EntryPoint[_Rpc] = entry_point_of_service(scope_from and _of_both(scope_from), **options)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Return the handler of a call, in its request scope."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        rpc = _rpc_of(handler_call_details)
        fields = await self._point.fields_async(rpc, rpc)

        def entered() -> Entry:
            return Entry(fields, inherit=False)

        def wrap(behaviour: Behaviour) -> Behaviour:
            if iscoroutinefunction(behaviour):
                return _around_coroutine(behaviour, entered)
            if isasyncgenfunction(behaviour):
                return _around_async_generator(behaviour, entered)
            return _around(behaviour, entered, streams=handler.response_streaming)

        return _with_behaviour(handler, wrap)


def returns_error(call: Call) -> bool:
    """Whether a method of a servicer has raised, aborted, or set a code other than OK: for `failed_if`.

    Of a method whose parameter for gRPC's context is named `context`, as in the code that gRPC generates.
    """
    if call.error is not None:
        return True
    code: Any = call.arguments["context"].code()
    return code not in (None, 0, _rpc.StatusCode.OK)


def _around(behaviour: Behaviour, entered: Callable[[], Entry], *, streams: bool) -> Behaviour:
    @wraps(behaviour)
    def run(request: Any, context: Any) -> Any:
        return entered().run(behaviour, request, context)

    @wraps(behaviour)
    def stream(request: Any, context: Any) -> Iterator[Any]:
        # Each response may be asked for by another thread, which afterwards does something else.
        own = copy_context()
        entry = entered()
        own.run(_enter, entry)
        try:
            responses = own.run(lambda: iter(behaviour(request, context)))
            try:
                while True:
                    try:
                        response = own.run(next, responses)
                    except StopIteration:
                        return
                    yield response
            finally:
                close = getattr(responses, "close", None)
                if close is not None:
                    own.run(close)
        finally:
            own.run(entry.__exit__, None, None, None)

    return stream if streams else run


def _around_coroutine(behaviour: Behaviour, entered: Callable[[], Entry]) -> Behaviour:
    @wraps(behaviour)
    async def run(request: Any, context: Any) -> Any:
        with entered():
            return await behaviour(request, context)

    return run


def _around_async_generator(behaviour: Behaviour, entered: Callable[[], Entry]) -> Behaviour:
    @wraps(behaviour)
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        # Nobody but this call's own task consumes it.
        entry = entered()
        _enter(entry)
        try:
            async for response in behaviour(request, context):
                yield response
        finally:
            entry.__exit__(None, None, None)

    return stream


def _enter(entry: Entry) -> None:
    entry.__enter__()


def _with_behaviour(handler: Any, wrap: Callable[[Behaviour], Behaviour]) -> Any:
    attribute, make = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    return make(wrap(getattr(handler, attribute)), handler.request_deserializer, handler.response_serializer)


def _rpc_of(details: Any) -> _Rpc:
    pairs: Sequence[tuple[str, str | bytes]] = details.invocation_metadata or ()
    return _Rpc(str(details.method), dict(pairs))


def _of_both(scope_from: Callable[[str, Metadata], Any]) -> Callable[[_Rpc], Any]:
    @wraps(scope_from)
    def of_rpc(rpc: _Rpc) -> Any:
        return scope_from(rpc.method, rpc.metadata)

    return of_rpc
