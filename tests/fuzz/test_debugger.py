"""Any request to the debugger is answered as HTTP and never as a failure of its own, and no event becomes markup."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.debugger.catalog import Catalog
from instrument.debugger.history import History
from instrument.debugger.server import Debugger, application
from tests.debugger.asked import Asked
from tests.debugger.pages import DECLARED, DebuggerPage, noted, send, track
from tests.fuzz.fuzzing import any_text, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

PATIENCE = 10.0
STREAM = "/api/stream"
_PATHS = sorted({getattr(route, "path", "") for route in application(History(), Catalog()).routes} - {STREAM})
_paths = st.sampled_from(_PATHS) | st.text(st.characters(codec="ascii", exclude_characters=" \r\n"), max_size=20).map(
    lambda text: "/" + text
)
_paths |= st.sampled_from(
    ["/../etc/passwd", "/static/../server.py", "/static/%2e%2e/server.py", "/%00", "//x", "/static/\\..", "*"]
)
_queries = st.sampled_from(
    ["", "?after=-1", "?after=9" + "9" * 5_000, "?limit=nan", "?limit=%00", "?after=%F0", "?data=%%%", "?data=e30"]
)
_methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "get", "XX"])
_words = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=12)
_headers = st.dictionaries(
    st.sampled_from(
        ["Origin", "Content-Type", "Content-Encoding", "Authorization", "Last-Event-ID", "Accept", "Range", "Cookie"]
    ),
    _words
    | st.sampled_from(["gzip", "application/json", "Basic !!", "Basic Og==", "bytes=0-9999999", "null", "9" * 400]),
    max_size=3,
)
_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["batch", "type", "event", "userId", "properties", "context", "instrument", "writeKey", "messageId"]
            )
            | any_text,
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_bodies = (
    st.binary(max_size=60)
    | _json.map(lambda value: json.dumps(value).encode())
    | _json.map(lambda value: gzip.compress(json.dumps({"batch": [value]}).encode()))
    | st.lists(_json, max_size=3).map(lambda messages: json.dumps({"batch": messages}).encode())
)


@pytest.fixture(scope="module")
def running() -> Iterator[Asked]:
    with Debugger(Catalog(DECLARED), port=0) as debugger:
        yield Asked(debugger.url)


def answered(asked: Asked, request: bytes, *, whole: bool = True) -> bytes:
    """Send bytes, and return what comes back until the server closes the connection; what is no whole request ends here."""
    with socket.create_connection(("127.0.0.1", asked.port), PATIENCE) as connection:
        connection.sendall(request)
        if not whole:
            connection.shutdown(socket.SHUT_WR)  # after which the server may answer nothing any more
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


@examples(60)
@given(method=_methods, path=_paths, query=_queries, headers=_headers, body=_bodies)
def test_any_request_is_answered(
    running: Asked, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    lines = [f"{method} {path}{query} HTTP/1.1", f"Host: 127.0.0.1:{running.port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()] + [f"Content-Length: {len(body)}", "", ""]
    answer = answered(running, "\r\n".join(lines).encode("latin-1") + body)
    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 ")
    assert head.split()[1][:1] in b"234", answer[:500]
    assert b"Traceback" not in answer
    assert b"passwd" not in answer.partition(b"\r\n\r\n")[2]
    if b"invalid http" not in answer.lower():
        assert b"content-security-policy: default-src 'none'" in head.lower()
    assert running.get("/api/events", params={"limit": 1}).ok


@examples(40)
@given(request=st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b"POST /v1/batch HTTP/1.1\r\n" + rest))
def test_what_is_no_request_leaves_it_running(running: Asked, request: bytes) -> None:
    answered(running, request, whole=False)
    assert running.get("/api/plan").ok


_hostile = st.sampled_from(
    [
        *(
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "javascript:alert(1)",
            "'\"><svg onload=alert(1)>",
        ),
        *("__proto__", "constructor", "\u202e", "\ud800", "</script>", "<!--", "{{7*7}}", "${alert(1)}", "a" * 5_000),
    ]
)
_texts = _hostile | any_text
_values = st.recursive(
    _texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


def test_no_event_becomes_markup_of_the_page(page: Page) -> None:
    """An error in the console, a dialog or a request to another host fails the test, too."""
    with Debugger(Catalog(DECLARED), port=0) as debugger:
        page.goto(debugger.url)
        shown = DebuggerPage(page)

        @examples(4)
        @given(name=_texts, user=_texts, properties=st.dictionaries(_texts, _values, max_size=3), note=_values)
        def kept_as_text(name: str, user: str, properties: dict[str, Any], note: Any) -> None:
            notes = noted(handler=note, place=note, request=note, provenance=note)
            send(debugger, track(name, user=user, properties=properties, **notes))
            shown.open(debugger.history.last)
            assert page.locator("main :is(script, img, iframe, a)").count() == 0

        kept_as_text()
        page.goto("about:blank")  # so that the stream is closed before the debugger is
