"""What an entry point costs each request, beside the framework without it."""

from __future__ import annotations

from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.measuring import interleaved
from benchmarks.table import Bar, Result
from instrument.integrations.asgi import ScopeMiddleware as AsgiMiddleware
from instrument.integrations.entry import RequestContext
from instrument.integrations.starlette import ScopeMiddleware
from instrument.integrations.wsgi import ScopeMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

MICRO = 1e6
BAR = Bar(10.0, "figure")
HEADERS = [
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"accept", b"*/*"),
    (b"accept-language", b"de-CH,de;q=0.9"),
    (b"x-user", b"7"),
]


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def _page(request: Request) -> PlainTextResponse:
    del request
    return PlainTextResponse("ok")


def _wsgi(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
    del environ
    start_response("200 OK", [])
    return [b"ok"]


def _user(request: Any) -> dict[str, int]:
    del request
    return {"user_id": 7}


async def _user_async(request: Any) -> dict[str, int]:
    return _user(request)


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    del message


def _asgi_request(app: Any) -> None:
    """Drive an application as a server does, without the server: none of these requests waits for anything."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": HEADERS,
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }
    try:
        app(scope, _receive, _send).send(None)
    except StopIteration:
        return
    raise AssertionError("a request waited")


def _wsgi_request(app: Any) -> None:
    for _ in app({"PATH_INFO": "/", "HTTP_X_USER": "7"}, lambda *_: None):
        pass


def _added(what: str, bare: Any, ours: Any, request: Callable[[Any], None], bar: Bar | None, *, quick: bool) -> Result:
    requests, repetitions = (300, 3) if quick else (3_000, 15)

    def seconds_a_request(app: Any) -> float:
        start = thread_time_ns()
        for _ in range(requests):
            request(app)
        return (thread_time_ns() - start) / 1e9 / requests

    sides = {"bare": lambda: seconds_a_request(bare), "ours": lambda: seconds_a_request(ours)}
    samples = interleaved(sides, repetitions)
    what += ": a bare one, and what the entry point adds"
    return Result(what, "µs", samples.median("bare") * MICRO, samples.above("ours", "bare") * MICRO, bar)


def results(*, quick: bool) -> Iterator[Result]:
    """Measure everything; the peer is the request of the framework without the entry point."""
    starlette = Starlette(routes=[Route("/", _page)])
    told = AsgiMiddleware(_asgi, _user, context=RequestContext())
    yield _added("ASGI request", _asgi, AsgiMiddleware(_asgi, _user), _asgi_request, BAR, quick=quick)
    yield _added("  by an async function", _asgi, AsgiMiddleware(_asgi, _user_async), _asgi_request, BAR, quick=quick)
    yield _added("  with Segment's context", _asgi, told, _asgi_request, None, quick=quick)
    yield _added("Starlette request", starlette, ScopeMiddleware(starlette, _user), _asgi_request, BAR, quick=quick)
    yield _added("WSGI request", _wsgi, WsgiMiddleware(_wsgi, _user), _wsgi_request, BAR, quick=quick)


if __name__ == "__main__":
    for each in results(quick=False):
        print(each.cells())
