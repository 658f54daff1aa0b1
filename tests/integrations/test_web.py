"""The request scope in every framework of the web: real requests to real servers on the loopback interface."""

from __future__ import annotations

import gc
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from instrument import request_scope
from tests.integrations.serving import answers, uvicorn_thread, werkzeug_thread
from tests.integrations.shop import (
    ShopOrderFailed,
    ShopOrderPlaced,
    ShopPartSent,
    ShopReceiptMailed,
    ShopStockCounted,
    count_stock,
    rooms,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from instrument.integrations.entry import Options
    from instrument.testing import Recorder


@dataclass(frozen=True)
class Site:
    """An application of one framework.

    Attributes:
        name: how the tests call it.
        serve: serves it, with options of the entry point.
        whats: what of `/projects/3/<what>/<order>` it has.
        hows: how its view `refused` can be made to fail.
    """

    name: str
    serve: Callable[[Options], AbstractContextManager[str]]
    whats: frozenset[str]
    hows: frozenset[str]

    def __str__(self) -> str:
        return self.name


def _of(module: str, serve: Callable[[Any], AbstractContextManager[str]]) -> Callable[[Options], Any]:
    return lambda options: serve(import_module(f"tests.integrations.sites.{module}").make_app(**options))


def _django(interface: str) -> Callable[[Options], Any]:
    # Imported when it is served: it configures Django.
    def serve(options: Options) -> Any:
        return getattr(import_module("tests.integrations.sites.django"), f"served_by_{interface}")(options)

    return serve


ASYNC = frozenset({"place", "place-async", "stream", "stream-async", "later", "thread"})
SYNC = frozenset({"place", "stream", "later", "thread"})
HOWS = frozenset({"crash", "raise404", "return404", "return503", "raise302", "return302"})
CRASH = frozenset({"crash"})
SITES = [
    Site("asgi", _of("asgi", uvicorn_thread), ASYNC - {"stream"}, CRASH),
    Site("starlette", _of("starlette", uvicorn_thread), ASYNC, HOWS),
    Site("fastapi", _of("fastapi", uvicorn_thread), ASYNC, HOWS),
    Site("litestar", _of("litestar", uvicorn_thread), ASYNC, HOWS),
    Site("quart", _of("quart", uvicorn_thread), ASYNC - {"stream"}, HOWS),
    Site("wsgi", _of("wsgi", werkzeug_thread), SYNC, CRASH),
    Site("flask", _of("flask", werkzeug_thread), SYNC, HOWS),
    Site("django_wsgi", _django("wsgi"), SYNC - {"later"}, HOWS - {"raise302"}),
    Site("django_asgi", _django("asgi"), ASYNC - {"later", "stream"}, HOWS - {"raise302"}),
]


def each_site_and(*whats: str) -> pytest.MarkDecorator:
    """Run a test for each site that has these, with each of those that it has."""
    return pytest.mark.parametrize(
        ("site", "what"),
        [pytest.param(site, what, id=f"{site}-{what}") for site in SITES for what in whats if what in site.whats],
    )


each_site = pytest.mark.parametrize("site", SITES, ids=str)
USER = {"x-user": "ann"}


def order_of(request: pytest.FixtureRequest) -> str:
    return "".join(each for each in request.node.name if each.isalnum())


@pytest.fixture(scope="module")
def served() -> Iterator[Callable[[Site], str]]:
    """Serve each site that is asked for, until the module's tests are over; give its address."""
    with ExitStack() as stack:
        yield cache(lambda site: stack.enter_context(site.serve({})))


@pytest.fixture
def client(site: Site, served: Callable[[Site], str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served(site), timeout=20, headers={"connection": "close"}, verify=False) as client:
        yield client


@pytest.fixture
def order(request: pytest.FixtureRequest) -> str:
    """A name that no other test's order has."""
    return order_of(request)


@each_site_and("place", "place-async")
def test_a_handler_has_the_fields_of_its_request_and_nothing_is_left_after_it(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    assert client.get(f"/projects/3/{what}/{order}", headers=USER).text == f"placed {order}"
    assert tracked.events == [ShopOrderPlaced(user_id="ann", project_id=3, order=order)]
    wait_until(lambda: rooms.contexts[order].run(request_scope.values) == {})
    tracked.clear()
    rooms.contexts[order].run(count_stock)
    assert tracked.events == [ShopStockCounted()]
    assert tracked.client.stats().late == 1


FAILURES = {
    "crash": [ShopOrderFailed],
    "raise404": [ShopOrderFailed],
    "return404": [ShopOrderFailed],
    "return503": [ShopOrderFailed],
    "raise302": [],
    "return302": [ShopOrderPlaced],
}
SERVER_ERRORS_ALONE = {**FAILURES, "raise404": [], "return404": [ShopOrderPlaced]}


@each_site
@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, FAILURES), ({"failing": range(500, 600)}, SERVER_ERRORS_ALONE)],
    ids=["errors", "server errors alone"],
)
def test_what_raises_or_answers_with_a_failing_status_has_failed(
    site: Site, options: Options, expected: dict[str, list[type]], order: str, tracked: Recorder
) -> None:
    with (
        site.serve(options) as address,
        httpx.Client(base_url=address, timeout=20, headers={"connection": "close"}, verify=False) as client,
    ):
        for how in site.hows:
            response = client.get(f"/projects/3/refused/{order}?how={how}", headers=USER)
            assert response.status_code == (500 if how == "crash" else int(how[-3:]))
            assert [type(each) for each in tracked.events] == expected[how], how
            tracked.clear()


@each_site_and("stream", "stream-async")
def test_a_streamed_response_keeps_the_scope_to_its_end(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    assert client.get(f"/projects/3/{what}/{order}", headers=USER).content == b"first,second"
    ids: dict[str, Any] = {"user_id": "ann", "project_id": 3, "order": order}
    assert tracked.events == [ShopPartSent(**ids), ShopOrderPlaced(**ids)]
    assert tracked.client.stats().late == 0


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # of Django, under ASGI
@each_site_and("stream", "stream-async")
def test_a_streamed_response_that_breaks_off_has_failed(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    with suppress(httpx.RemoteProtocolError):  # where the server tells that a part is missing
        client.get(f"/projects/3/{what}/{order}?how=breaks", headers=USER)
    ids: dict[str, Any] = {"user_id": "ann", "project_id": 3, "order": order}
    assert tracked.events == [ShopPartSent(**ids), ShopOrderFailed(**ids, error="broken off")]
    gc.collect()


@each_site_and("stream", "stream-async")
def test_the_scope_ends_when_the_client_disconnects(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        request = f"GET /projects/3/{what}/{order}?how=endless HTTP/1.1\r\nHost: shop\r\nX-User: ann\r\n\r\n"
        connection.sendall(request.encode())
        while b"more," not in connection.recv(65_536):
            pass
    wait_until(lambda: rooms.contexts[order].run(request_scope.values) == {})
    gc.collect()  # the generator, which nobody iterates any more
    ids: dict[str, Any] = {"user_id": "ann", "project_id": 3, "order": order}
    assert tracked.events[0] == ShopPartSent(**ids)
    # Whether the generator was cancelled or abandoned depends on what it did at that moment.
    assert tracked.events[1:] in ([], [ShopOrderFailed(**ids, error="cancelled")])
    assert tracked.client.stats().late == 0


@each_site_and("later")
def test_a_background_task_keeps_the_scope_of_its_request(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    assert client.get(f"/projects/3/{what}/{order}", headers=USER).status_code == 200
    assert rooms.leaving(order).wait(20)
    wait_until(lambda: tracked.events)
    assert tracked.events == [ShopReceiptMailed(user_id="ann", project_id=3, order=order)]
    assert tracked.client.stats().late == 0


@each_site_and("thread")
def test_what_is_assigned_in_a_thread_pool_is_seen_by_the_handler(
    client: httpx.Client, what: str, order: str, tracked: Recorder
) -> None:
    assert client.get(f"/projects/3/{what}/{order}").status_code == 200
    assert tracked.events == [ShopOrderPlaced(user_id="bob", project_id=3, order=order)]


@each_site_and("place", "place-async")
async def test_of_200_concurrent_requests_every_event_has_its_own_user(
    served: Callable[[Site], str], site: Site, what: str, order: str, tracked: Recorder
) -> None:
    requests = [(f"/projects/{each}/{what}/{order}x{each}", {"X-User": f"user {each}"}) for each in range(200)]
    assert set(await answers(served(site), requests)) == {"HTTP/1.1 200 OK"}
    expected = [
        ShopOrderPlaced(user_id=f"user {number}", project_id=number, order=f"{order}x{number}") for number in range(200)
    ]
    assert sorted(tracked.events, key=lambda event: event.project_id) == expected
