"""Calls of gRPC's servers, over its own connections: each has a request scope of its own, streams included."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import grpc
import pytest
from grpc import aio

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.grpc import AsyncScopeInterceptor, ScopeInterceptor, returns_error
from instrument.scopes import Propagated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from instrument.testing import Recorder

PATIENCE = 30.0


class CallerScope(Scope):
    user_id: Annotated[int, Propagated()]
    method: str


class CallDone(Track, CallerScope): ...


class CallFailed(Track, CallerScope): ...


tell = tracks(CallDone, failure=CallFailed, failed_if=returns_error)


def scope_of(method: str, metadata: Mapping[str, str | bytes]) -> dict[str, Any]:
    return {"user_id": metadata.get("user"), "method": method.rpartition("/")[2]}


async def scope_of_async(method: str, metadata: Mapping[str, str | bytes]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return scope_of(method, metadata)


def broken(method: str, metadata: Mapping[str, str | bytes]) -> dict[str, Any]:
    raise KeyError(method)


def who() -> bytes:
    return str(request_scope.user_id).encode()


@tell
def one(request: bytes, context: Any) -> bytes:
    if request == b"abort":
        context.abort(grpc.StatusCode.NOT_FOUND, "gone")
    if request == b"raise":
        raise ValueError("broken")
    if request == b"code":
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
    return who()


@tell
def many(request: bytes, context: Any) -> Iterator[bytes]:
    for _ in range(3):
        yield who()
    if request == b"raise":
        raise ValueError("broken")


@tell
def gather(requests: Iterator[bytes], context: Any) -> bytes:
    return b",".join([who() for _ in requests])


@tell
def echo(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for _ in requests:
        yield who()


@tell
async def one_async(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(0)
    if request == b"abort":
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
    if request == b"raise":
        raise ValueError("broken")
    if request == b"code":
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
    return who()


@tell
async def many_async(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield who()
    if request == b"raise":
        raise ValueError("broken")


@tell
async def gather_async(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b",".join([who() async for _ in requests])


@tell
async def echo_async(requests: AsyncIterator[bytes], context: Any) -> None:
    """Write what it answers, which is the other way of streaming."""
    async for _ in requests:
        await context.write(who())


def service(**methods: Any) -> Any:
    kinds = {
        "one": grpc.unary_unary_rpc_method_handler,
        "many": grpc.unary_stream_rpc_method_handler,
        "gather": grpc.stream_unary_rpc_method_handler,
        "echo": grpc.stream_stream_rpc_method_handler,
    }
    handlers = {name: kinds[name](method) for name, method in methods.items()}
    return grpc.method_handlers_generic_handler("Service", handlers)


@contextmanager
def serving(interceptor: ScopeInterceptor) -> Iterator[int]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(
            pool, handlers=[service(one=one, many=many, gather=gather, echo=echo)], interceptors=[interceptor]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait(PATIENCE)


@asynccontextmanager
async def serving_async(interceptor: AsyncScopeInterceptor) -> AsyncIterator[int]:
    server = aio.server(interceptors=[interceptor])
    methods = service(one=one_async, many=many_async, gather=gather_async, echo=echo_async)
    server.add_generic_rpc_handlers([methods])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


class Caller:
    """Calls the methods as a user does."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def one(self, request: bytes = b"", **metadata: str) -> bytes:
        call = self.channel.unary_unary("/Service/one")
        answer: bytes = call(request, metadata=list(metadata.items()), timeout=PATIENCE)
        return answer

    def many(self, request: bytes = b"", **metadata: str) -> list[bytes]:
        call = self.channel.unary_stream("/Service/many")
        return list(call(request, metadata=list(metadata.items()), timeout=PATIENCE))

    def gather(self, **metadata: str) -> bytes:
        call = self.channel.stream_unary("/Service/gather")
        answer: bytes = call(iter([b"", b""]), metadata=list(metadata.items()), timeout=PATIENCE)
        return answer

    def echo(self, **metadata: str) -> list[bytes]:
        call = self.channel.stream_stream("/Service/echo")
        return list(call(iter([b"", b""]), metadata=list(metadata.items()), timeout=PATIENCE))


@contextmanager
def calling(port: int) -> Iterator[Caller]:
    caller = Caller(port)
    try:
        yield caller
    finally:
        caller.channel.close()


@contextmanager
def threads(interceptor: ScopeInterceptor | None = None) -> Iterator[Caller]:
    with serving(interceptor or ScopeInterceptor(scope_of)) as port, calling(port) as caller:
        yield caller


@contextmanager
def loop(interceptor: AsyncScopeInterceptor | None = None) -> Iterator[Caller]:
    """Run an asynchronous server in a thread of its own."""
    ready: list[int] = []
    started = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        events = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            async with serving_async(interceptor or AsyncScopeInterceptor(scope_of_async)) as port:
                ready.append(port)
                started.set()
                await stop.wait()

        served = pool.submit(events.run_until_complete, serve())
        try:
            assert started.wait(PATIENCE)
            with calling(ready[0]) as caller:
                yield caller
        finally:
            events.call_soon_threadsafe(stop.set)
            served.result(PATIENCE)
            events.close()


both = pytest.mark.parametrize("serve", [threads, loop])


@both
def test_every_kind_of_method_has_the_scope_of_its_call(tracked: Recorder, serve: Callable[..., Any]) -> None:
    with serve() as caller:
        assert caller.one(user="7") == b"7"
        assert caller.many(user="8") == [b"8"] * 3
        assert caller.gather(user="9") == b"9,9"
        assert caller.echo(user="10") == [b"10"] * 2


@both
@pytest.mark.instrument_lenient
def test_a_call_without_a_user_has_none_of_another_call(tracked: Recorder, serve: Callable[..., Any]) -> None:
    with serve() as caller:
        assert caller.one(user="7") == b"7"
        assert [caller.one() for _ in range(3)] == [b"None"] * 3
        assert caller.many() == [b"None"] * 3


@both
def test_a_method_that_ends_well_is_a_success(tracked: Recorder, serve: Callable[..., Any]) -> None:
    with serve() as caller:
        caller.one(user="7")
        caller.many(user="8")
    assert tracked.events == [CallDone(user_id=7, method="one"), CallDone(user_id=8, method="many")]


@both
@pytest.mark.parametrize("request_", [b"abort", b"raise", b"code"])
def test_a_method_that_aborts_raises_or_sets_a_code_is_a_failure(
    tracked: Recorder, serve: Callable[..., Any], request_: bytes
) -> None:
    with serve() as caller, pytest.raises(grpc.RpcError):
        caller.one(request_, user="7")
    assert tracked.events == [CallFailed(user_id=7, method="one")]


@both
def test_a_stream_that_breaks_off_is_a_failure(tracked: Recorder, serve: Callable[..., Any]) -> None:
    with serve() as caller, pytest.raises(grpc.RpcError):
        caller.many(b"raise", user="7")
    assert tracked.events == [CallFailed(user_id=7, method="many")]


@pytest.mark.instrument_lenient
@both
def test_calls_at_the_same_time_have_each_their_own_scope(tracked: Recorder, serve: Callable[..., Any]) -> None:
    users = range(40)
    with serve() as caller, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda user: caller.many(user=str(user)), users))
    assert answers == [[str(user).encode()] * 3 for user in users]


@pytest.mark.instrument_lenient
@pytest.mark.parametrize(
    ("serve", "interceptor"), [(threads, ScopeInterceptor(broken)), (loop, AsyncScopeInterceptor(broken))]
)
def test_a_scope_from_that_raises_is_reported_and_the_call_is_answered(
    tracked: Recorder, caplog: pytest.LogCaptureFixture, serve: Callable[..., Any], interceptor: Any
) -> None:
    with serve(interceptor) as caller:
        assert caller.one(user="7") == b"None"
    assert "it raised KeyError" in caplog.text


@pytest.mark.instrument_lenient
@pytest.mark.parametrize(("trusted", "answer"), [(True, b"7"), (False, b"None")])
def test_propagated_fields_are_taken_from_baggage_only_where_it_is_trusted(
    tracked: Recorder, trusted: bool, answer: bytes
) -> None:
    def of_method(method: str, metadata: Mapping[str, str | bytes]) -> dict[str, Any]:
        return {"method": method}

    with threads(ScopeInterceptor(of_method, baggage=trusted)) as caller:
        assert caller.gather(baggage="user_id=7").split(b",")[0] == answer


def test_a_method_that_nobody_serves_is_answered_as_ever(tracked: Recorder) -> None:
    with threads() as caller, pytest.raises(grpc.RpcError) as raised:
        caller.channel.unary_unary("/Service/none")(b"", timeout=PATIENCE)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
