"""What an entry point makes of a request: fields, Segment's context, and of a function that goes wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from werkzeug.test import Client as WsgiClient

from instrument import Scope, Track, default_client, request_scope, tracks
from instrument.integrations.asgi import ScopeMiddleware as AsgiMiddleware
from instrument.integrations.baggage import Propagated
from instrument.integrations.entry import EntryPoint, RequestContext, anonymous_id_of
from instrument.integrations.starlette import ScopeMiddleware
from instrument.integrations.wsgi import ScopeMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from instrument.testing import Recorder


class EntryUserScope(Scope):
    user_id: str | None = None


class EntryScope(EntryUserScope):
    entry_project: Annotated[int | None, Propagated()] = None


class EntryReached(Track, EntryScope):
    anonymous_id: str = "nobody"


@tracks(EntryReached)
def reach() -> None: ...


def handler(request: Request) -> PlainTextResponse:
    del request
    reach()
    return PlainTextResponse("reached")


def signed_in(request: Request) -> EntryScope:
    return EntryScope(user_id=request.headers.get("x-user"))


def site(scope_from: Any = signed_in, **options: Any) -> TestClient:
    app = Starlette(routes=[Route("/reach/{entry_project}", handler)])
    return TestClient(ScopeMiddleware(app, scope_from, **options), base_url="https://shop.example")


def context_of(recorder: Recorder) -> dict[str, Any]:
    contexts = [json.loads(each.body)["context"] for each in recorder.envelopes]
    assert [context.pop("library")["name"] for context in contexts] == ["instrument-analytics"] * len(contexts)
    (context,) = contexts
    return dict(context)


HEADERS = {
    "user-agent": "Browser/1",
    "accept-language": "de-CH, de;q=0.9, *;q=0.1",
    "x-request-id": "r1",
    "referer": "https://search.example/?q=secret#found",
}
TOLD = {
    "userAgent": "Browser/1",
    "locale": "de-CH",
    "requestId": "r1",
    "page": {
        "path": "/reach/3",
        "url": "https://shop.example/reach/3",
        "referrer": "https://search.example/",
    },
}


def test_nothing_of_the_request_is_told_unasked(tracked: Recorder) -> None:
    assert site().get("/reach/3?token=secret", headers={"x-user": "ann", **HEADERS}).text == "reached"
    assert tracked.events == [EntryReached(user_id="ann")]
    assert context_of(tracked) == {}


def test_asked_for_the_context_it_has_what_the_request_says_but_neither_ip_nor_query(tracked: Recorder) -> None:
    site(context=RequestContext()).get("/reach/3?token=secret", headers={"x-user": "ann", **HEADERS})
    assert context_of(tracked) == TOLD


def test_the_ip_and_the_query_are_told_when_asked_for(tracked: Recorder) -> None:
    context = RequestContext(ip=True, query=True, user_agent=False, locale=False, request_id=False)
    site(context=context).get("/reach/3?a=b", headers={"x-user": "ann", **HEADERS})
    assert context_of(tracked) == {
        "ip": "testclient",
        "page": {
            "path": "/reach/3",
            "search": "?a=b",
            "url": "https://shop.example/reach/3?a=b",
            "referrer": "https://search.example/?q=secret#found",
        },
    }


def test_wsgi_tells_the_same_context(tracked: Recorder) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        reach()
        start_response("200 OK", [])
        return [b""]

    web = WsgiClient(WsgiMiddleware(app, lambda environ: {"user_id": environ["HTTP_X_USER"]}, context=RequestContext()))
    web.get("/reach/3?token=secret", headers={"x-user": "ann", **HEADERS}, base_url="https://shop.example")
    assert tracked.events == [EntryReached(user_id="ann")]
    assert context_of(tracked) == TOLD


def test_headers_that_are_hostile_leave_a_message_that_can_be_sent(tracked: Recorder) -> None:
    headers = [
        (b"user-agent", b"x" * 60_000),
        (b"accept-language", b"*"),
        (b"referer", b"http://["),
        (b"x-request-id", b"\xe4"),
    ]
    site(context=RequestContext()).get("/reach/%ff%00", headers=headers)
    context = context_of(tracked)
    assert len(context["userAgent"]) == 1_024
    assert "locale" not in context


def test_a_message_sent_by_the_client_has_the_context_too_and_its_own_wins(tracked: Recorder) -> None:
    def direct(request: Request) -> PlainTextResponse:
        del request
        default_client().track(EntryReached(user_id="ann"), context={"locale": "fr", "app": {"name": "shop"}})
        return PlainTextResponse("")

    app = ScopeMiddleware(Starlette(routes=[Route("/", direct)]), context=RequestContext(page=False, user_agent=False))
    TestClient(app).get("/", headers=HEADERS)
    assert context_of(tracked) == {"locale": "fr", "requestId": "r1", "app": {"name": "shop"}}


def test_nested_scopes_and_snapshots_keep_the_context(tracked: Recorder) -> None:
    def nested(request: Request) -> PlainTextResponse:
        with request_scope(entry_project=4):
            snapshot = request_scope.snapshot()
        snapshot.run(reach)
        return PlainTextResponse("")

    context = RequestContext(page=False, user_agent=False, locale=False)
    app = ScopeMiddleware(Starlette(routes=[Route("/", nested)]), lambda _: {"user_id": "ann"}, context=context)
    TestClient(app).get("/", headers=HEADERS)
    assert tracked.events == [EntryReached(user_id="ann", entry_project=4)]
    assert context_of(tracked) == {"requestId": "r1"}


COOKIES = {
    "ajs_anonymous_id=a1": "a1",
    "a=b; ajs_anonymous_id=%22a1%22; c=d": "a1",
    'ajs_anonymous_id="a1"': "a1",
    "xajs_anonymous_id=a1": None,
    "ajs_anonymous_id=": None,
    "ajs_anonymous_id=%0a": None,
    "ajs_anonymous_id=" + "a" * 101: None,
    "": None,
}


@pytest.mark.parametrize(("cookies", "expected"), COOKIES.items(), ids=repr)
def test_the_anonymous_id_is_that_of_segments_cookie(cookies: str, expected: str | None) -> None:
    assert anonymous_id_of(cookies) == expected


@given(st.text())
def test_no_cookie_raises(cookies: str) -> None:
    anonymous_id_of(f"ajs_anonymous_id={cookies}")


def test_the_cookie_is_read_when_asked_for_and_the_function_wins(tracked: Recorder) -> None:
    cookie = {"cookie": "ajs_anonymous_id=a1"}
    site(lambda _: {"user_id": "ann"}).get("/reach/3", headers=cookie)
    site(None, anonymous_id=True).get("/reach/3", headers=cookie)
    site(lambda _: {"anonymous_id": "own"}, anonymous_id=True).get("/reach/3", headers=cookie)
    assert tracked.events == [
        EntryReached(user_id="ann"),
        EntryReached(anonymous_id="a1"),
        EntryReached(anonymous_id="own"),
    ]


def test_baggage_is_taken_only_where_it_is_trusted_and_the_function_wins(tracked: Recorder) -> None:
    baggage = {"x-user": "ann", "baggage": "entry_project=7,user_id=root"}
    site().get("/reach/3", headers=baggage)
    site(baggage=True).get("/reach/3", headers=baggage)
    site(baggage=["another"]).get("/reach/3", headers=baggage)
    site(lambda _: {"user_id": "ann", "entry_project": 8}, baggage=True).get("/reach/3", headers=baggage)
    assert [event.entry_project for event in tracked.events] == [None, 7, None, 8]
    assert {event.user_id for event in tracked.events} == {"ann"}


def _raises(_: Request) -> EntryScope:
    raise LookupError("ann@example.com is nobody")


async def _raises_later(_: Request) -> EntryScope:
    raise LookupError("ann@example.com is nobody")


WRONG: dict[str, tuple[Callable[[Request], Any], str]] = {
    "it raises": (_raises, "scope_from _raises (%s:%d): it raised LookupError"),
    "it raises later": (_raises_later, "it raised LookupError; the request has no fields from it"),
    "it does not fit": (lambda _: EntryScope(entry_project="x"), "it raised ValidationError"),  # type: ignore[arg-type]
    "an unknown name": (
        lambda _: {"usr_id": "ann"},
        "no declared scope has a field 'usr_id' (did you mean 'user_id'?)",
    ),
    "no fields": (lambda _: 7, "it returned int, neither a scope nor fields by name"),
}


@pytest.mark.instrument_lenient
@pytest.mark.parametrize(("function", "told"), WRONG.values(), ids=WRONG)
def test_a_function_that_goes_wrong_is_told_and_the_request_answered_as_ever(
    function: Callable[[Request], Any], told: str, tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    assert (
        site(function, anonymous_id=True).get("/reach/3", headers={"cookie": "ajs_anonymous_id=a1"}).text == "reached"
    )
    assert told.replace("%s:%d", f"{__file__}:{_raises.__code__.co_firstlineno}") in caplog.text
    assert "ann" not in caplog.text
    assert tracked.events == [EntryReached(anonymous_id="a1")]


@pytest.mark.instrument_lenient
def test_an_asynchronous_function_where_nothing_awaits_it_is_told(
    tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(environ: dict[str, Any]) -> None: ...

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"answered"]

    assert WsgiClient(WsgiMiddleware(app, later)).get("/").text == "answered"
    assert "it is asynchronous, and this entry point is not" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (((7,), {}), "scope_from is a function from a request to its scope"),
        (((None,), {"contxt": None}), "there is no option 'contxt'; there are context, anonymous_id, baggage, failing"),
    ],
    ids=["no function", "no option"],
)
def test_what_cannot_be_an_entry_point_raises_when_it_is_made(arguments: Any, told: str) -> None:
    positional, options = arguments
    with pytest.raises(TypeError, match=told):
        EntryPoint(*positional, **options)


def test_path_parameters_are_known_in_front_of_the_routing(tracked: Recorder) -> None:
    seen: list[dict[str, Any]] = []

    def scope_from(request: Request) -> None:
        seen.append(dict(request.path_params))

    routes = [Mount("/a/{one:int}", routes=[Route("/other", handler), Route("/b/{two}", handler)])]
    app = Starlette(routes=routes)
    app.add_middleware(ScopeMiddleware, scope_from=scope_from)
    web = TestClient(app)
    assert [web.get(path).status_code for path in ("/a/3/b/x", "/a/3/none", "/none")] == [200, 404, 404]
    assert seen == [{"one": 3, "two": "x"}, {"one": 3}, {}]


def test_an_application_mounted_in_another_inherits_its_scope(tracked: Recorder) -> None:
    inner = AsgiMiddleware(Starlette(routes=[Route("/x", handler)]), lambda _: {"entry_project": 3})
    outer = Starlette(routes=[Mount("/in", app=inner)])
    TestClient(ScopeMiddleware(outer, lambda _: {"user_id": "ann"})).get("/in/x")
    assert tracked.events == [EntryReached(user_id="ann", entry_project=3)]


def test_a_request_inherits_nothing_of_a_scope_around_it_that_is_not_its_own(tracked: Recorder) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [str(request_scope.values()).encode()]

    with request_scope(user_id="bob"):
        assert WsgiClient(WsgiMiddleware(app, lambda _: {"entry_project": 3})).get("/").text == "{'entry_project': 3}"
        assert request_scope.values() == {"user_id": "bob"}


def test_a_websocket_has_the_scope_of_its_handshake(tracked: Recorder) -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        reach()
        await websocket.send_text("reached")
        await websocket.close()

    app = ScopeMiddleware(Starlette(routes=[WebSocketRoute("/talk", talk)]), signed_in)
    with TestClient(app).websocket_connect("/talk", headers={"x-user": "ann"}) as websocket:
        assert websocket.receive_text() == "reached"
    assert tracked.events == [EntryReached(user_id="ann")]


def test_a_wsgi_application_that_raises_leaves_no_scope_behind(tracked: Recorder) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("crashed")

    with pytest.raises(RuntimeError, match="crashed"):
        WsgiClient(WsgiMiddleware(app, lambda _: {"user_id": "ann"})).get("/")
    assert request_scope.values() == {}


def test_a_response_of_wsgi_that_nobody_closes_leaves_no_scope_behind(tracked: Recorder) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        reach()
        yield str(request_scope.values()).encode()

    response = WsgiClient(WsgiMiddleware(app, lambda _: {"user_id": "ann"})).get("/")
    assert request_scope.values() == {}
    assert response.text == "{'user_id': 'ann'}"
    assert request_scope.values() == {}


@pytest.mark.instrument_lenient  # which does not warn of a scope inside a generator
def test_responses_of_wsgi_that_are_sent_by_turns_each_have_their_own_scope(tracked: Recorder) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        with request_scope(entry_project=int(environ["HTTP_X_USER"])):
            while True:
                yield str(request_scope.values()).encode()

    middleware = WsgiMiddleware(app, lambda environ: {"user_id": environ["HTTP_X_USER"]})
    bodies = {user: middleware({"HTTP_X_USER": user}, lambda *_: None) for user in ("1", "2")}  # type: ignore[arg-type]
    parts = {user: iter(body) for user, body in bodies.items()}
    for _ in range(3):
        for user, each in parts.items():
            assert next(each).decode() == str({"user_id": user, "entry_project": int(user)})
    for body in bodies.values():
        body.close()  # type: ignore[attr-defined]
    assert request_scope.values() == {}


def test_a_file_that_the_server_sends_stays_what_it_is(tracked: Recorder) -> None:
    class File:
        def __init__(self, *_: object) -> None: ...

    file = File()
    middleware = WsgiMiddleware(lambda *_: file, lambda _: {"user_id": "ann"})  # type: ignore[arg-type]
    assert middleware({"wsgi.file_wrapper": File}, lambda *_: None) is file  # type: ignore[arg-type, comparison-overlap]
