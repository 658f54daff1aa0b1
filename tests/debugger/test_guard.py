"""Who may ask the debugger, and what a browser is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.debugger.catalog import Catalog
from instrument.debugger.history import History
from instrument.debugger.server import Debugger, NotHere, application, listening
from tests.debugger.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUTES = sorted(
    (method, getattr(route, "path", ""))
    for route in application(History(), Catalog()).routes
    for method in getattr(route, "methods", ())
)
ORIGIN = "http://localhost:3000"
MESSAGE = '{"userId": "7", "event": "Order Placed"}'


@pytest.fixture(scope="module")
def closed() -> Iterator[Asked]:
    """A debugger of which nothing is asked but what it refuses."""
    with Debugger(port=0) as debugger:
        yield Asked(debugger.url)
        assert debugger.history.last == debugger.history.clearings == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "evil.example@127.0.0.1"},
        {"Host": "169.254.169.254"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_other_names_and_other_sites_are_refused_on_every_route(closed: Asked, headers: dict[str, str]) -> None:
    assert len(ROUTES) > 30
    for method, path in ROUTES:
        answer = closed.ask(method, path, headers=headers)
        assert (answer.status_code, path) == (403, path)
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8765", "[::1]:8765", "127.0.0.2:1"])
def test_every_name_of_this_machine_is_answered(debugger: Asked, host: str) -> None:
    assert debugger.get("/api/events", headers={"Host": host}).ok


def test_its_own_page_is_answered(debugger: Asked) -> None:
    own = {"Origin": debugger.url, "Sec-Fetch-Site": "same-origin"}
    assert debugger.post("/api/clear", headers=own).ok
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert debugger.get("/", headers=linked).ok


def test_a_browser_is_told_to_be_strict_by_every_answer(debugger: Asked) -> None:
    for path in ("/", "/static/app.js", "/api/events", "/nowhere"):
        headers = debugger.get(path).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/", "text/html; charset=utf-8"), ("/static/app.js", "text/javascript; charset=utf-8")],
)
def test_the_files_of_the_page_say_what_they_are(debugger: Asked, path: str, content_type: str) -> None:
    answer = debugger.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)


@pytest.mark.parametrize(
    "path",
    [
        "/static/nothing.js",
        "/static/%2e%2e/server.py",
        "/static/..%2fapi.py",
        "/static/%00.js",
        "/static/" + "x" * 5_000,
    ],
)
def test_no_other_file_is_served(debugger: Asked, path: str) -> None:
    assert debugger.get(path).status_code == 404


def test_a_site_that_is_allowed_may_send_and_may_read_nothing(start: Callable[..., Asked]) -> None:
    debugger = start(allowed=[ORIGIN + "/"])
    site = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}
    preflight = debugger.ask("OPTIONS", "/v1/batch", headers={**site, "Access-Control-Request-Method": "POST"})
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert preflight.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, Content-Encoding"
    sent = debugger.post("/v1/track", data=MESSAGE, headers=site)
    assert (sent.status_code, sent.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    for method, path in [("GET", "/api/events"), ("GET", "/api/stream"), ("GET", "/"), ("POST", "/api/clear")]:
        answer = debugger.ask(method, path, headers=site)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert len(debugger.records()) == 1


def test_a_site_that_is_allowed_is_refused_by_another_name(start: Callable[..., Asked]) -> None:
    debugger = start(allowed=[ORIGIN])
    answer = debugger.post("/v1/track", data=MESSAGE, headers={"Origin": ORIGIN, "Host": "evil.example"})
    assert answer.status_code == 403
    assert debugger.records() == []


def test_without_being_asked_for_no_site_is_allowed(debugger: Asked) -> None:
    preflight = debugger.ask(
        "OPTIONS", "/v1/batch", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 403
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_it_listens_on_no_other_interface(host: str) -> None:
    with pytest.raises(NotHere, match="no address of the loopback interface"):
        listening(host, 0)
