"""FastAPI and Starlette see a decorated route or dependency as the function under it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator  # noqa: TC003 - read by FastAPI
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.routing import APIRoute
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request  # noqa: TC002 - read by FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from instrument.testing import Recorder


class ApiScope(Scope):
    user_id: int


class ApiItemRead(Track, ApiScope):
    item_id: int


class ApiItemRefused(Track, ApiScope):
    item_id: int
    status: int


class ApiUserKnown(Track, ApiScope):
    pass


class ApiSessionClosed(Track, ApiScope):
    pass


class ApiMailSent(Track, ApiScope):
    to: str


class Item(BaseModel):
    item_id: int
    owner: int


reads = tracks(ApiItemRead, failure=ApiItemRefused.from_call(status="error.status_code"))
knows = tracks(ApiUserKnown.from_call(user_id="result"))
closes = tracks(ApiSessionClosed.from_call(user_id="user"))

app = FastAPI()


@knows
def sync_user(user: int) -> int:
    return user


@knows
async def async_user(user: int) -> int:
    return user


@closes
def sync_session(user: int) -> Iterator[int]:
    yield user


@closes
async def async_session(user: int) -> AsyncIterator[int]:
    yield user


class Users:
    """A dependency that is an instance, and its method."""

    @knows
    def __call__(self, user: int) -> int:
        return user

    @knows
    async def method(self, user: int) -> int:
        return user


@app.get("/sync/{item_id}")
@reads
def read_sync(item_id: int, user_id: Annotated[int, Depends(sync_user)]) -> Item:
    if item_id == 0:
        raise HTTPException(404)
    return Item(item_id=item_id, owner=user_id)


@app.get("/async/{item_id}")
@reads
async def read_async(item_id: int, user_id: Annotated[int, Depends(async_user)]) -> Item:
    if item_id == 0:
        raise HTTPException(404)
    return Item(item_id=item_id, owner=user_id)


@app.get("/method/{item_id}")
@reads
async def read_by_method(item_id: int, user_id: Annotated[int, Depends(Users().method)]) -> Item:
    return Item(item_id=item_id, owner=user_id)


@app.get("/instance/{item_id}")
@reads
async def read_by_instance(item_id: int, user_id: Annotated[int, Depends(Users())]) -> Item:
    return Item(item_id=item_id, owner=user_id)


@app.get("/sync-session/{item_id}")
@reads
def read_in_sync_session(item_id: int, user_id: Annotated[int, Depends(sync_session)]) -> Item:
    return Item(item_id=item_id, owner=user_id)


@app.get("/async-session/{item_id}")
@reads
async def read_in_async_session(item_id: int, user_id: Annotated[int, Depends(async_session)]) -> Item:
    return Item(item_id=item_id, owner=user_id)


@reads
@app.get("/above/{item_id}")
def read_above(item_id: int, user: int) -> Item:
    return Item(item_id=item_id, owner=user)


@app.post("/items")
@tracks(ApiItemRead.from_call(item_id="item.item_id", user_id="item.owner"))
async def write(item: Item, request: Request) -> dict[str, str]:
    return {"method": request.method}


@tracks(ApiMailSent)
def send_mail(user_id: int, to: str) -> None: ...


@app.post("/mail")
async def mail(tasks: BackgroundTasks) -> None:
    tasks.add_task(send_mail, 7, to="someone")


@pytest.fixture
async def api() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def web() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(asgi), base_url="http://test") as client:
        yield client


READ = ApiItemRead(user_id=7, item_id=3)
KNOWN = ApiUserKnown(user_id=7)


@pytest.mark.parametrize("path", ["sync", "async", "method", "instance"])
async def test_a_decorated_route_and_its_decorated_dependency_emit(
    api: AsyncClient, tracked: Recorder, path: str
) -> None:
    response = await api.get(f"/{path}/3?user=7")
    assert (response.status_code, response.json()) == (200, {"item_id": 3, "owner": 7})
    assert tracked.events == [KNOWN, READ]


@pytest.mark.parametrize("path", ["sync", "async"])
async def test_an_http_exception_of_a_decorated_route_is_answered_and_emits_the_failure(
    api: AsyncClient, tracked: Recorder, path: str
) -> None:
    assert (await api.get(f"/{path}/0?user=7")).status_code == 404
    assert tracked.events == [KNOWN, ApiItemRefused(user_id=7, item_id=0, status=404)]


@pytest.mark.parametrize("path", ["sync-session", "async-session"])
async def test_a_decorated_dependency_that_yields_emits_when_it_is_closed(
    api: AsyncClient, tracked: Recorder, path: str
) -> None:
    assert (await api.get(f"/{path}/3?user=7")).json() == {"item_id": 3, "owner": 7}
    assert tracked.events == [READ, ApiSessionClosed(user_id=7)]


async def test_what_a_client_sends_wrong_is_answered_as_ever_and_emits_nothing(
    api: AsyncClient, tracked: Recorder
) -> None:
    response = await api.get("/sync/none?user=7")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["path", "item_id"]
    assert tracked.of(ApiItemRead) == []


async def test_a_body_model_is_found_by_the_annotations_under_the_decorator(
    api: AsyncClient, tracked: Recorder
) -> None:
    assert (await api.post("/items", json={"item_id": 3, "owner": 7})).json() == {"method": "POST"}
    assert tracked.events == [READ]


async def test_a_background_task_emits(api: AsyncClient, tracked: Recorder) -> None:
    assert (await api.post("/mail")).status_code == 200
    assert tracked.events == [ApiMailSent(user_id=7, to="someone")]


async def test_a_decorator_above_the_route_decorates_calls_but_not_the_route(
    api: AsyncClient, tracked: Recorder
) -> None:
    assert (await api.get("/above/3?user=7")).json() == {"item_id": 3, "owner": 7}
    assert tracked.events == []


def test_the_schema_is_that_of_an_undecorated_application() -> None:
    def undecorated(item_id: int, user: Annotated[int, Depends(lambda user: user)]) -> Item:
        return Item(item_id=item_id, owner=user)

    def described(handler: Any) -> dict[str, Any]:
        api = FastAPI()
        api.get("/items/{item_id}")(handler)
        return api.openapi()

    assert described(reads(undecorated)) == described(undecorated)
    assert described(undecorated)["paths"]["/items/{item_id}"]["get"]["responses"]["200"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
    }


def test_the_response_model_is_that_of_the_annotation() -> None:
    models = {route.path: route.response_model for route in app.routes if isinstance(route, APIRoute)}
    assert models["/sync/{item_id}"] is Item
    assert models["/async/{item_id}"] is Item


async def test_a_dependency_can_be_overridden_by_the_decorated_function(api: AsyncClient, tracked: Recorder) -> None:
    app.dependency_overrides[sync_user] = lambda: 8
    try:
        assert (await api.get("/sync/3?user=7")).json() == {"item_id": 3, "owner": 8}
    finally:
        app.dependency_overrides.clear()
    assert tracked.events == [ApiItemRead(user_id=8, item_id=3)]


by_path = tracks(
    ApiItemRead.from_call(
        user_id=lambda call: int(call.arguments["request"].query_params["user"]), item_id="request.path_params.item_id"
    )
)


@by_path
def plain(request: Request) -> JSONResponse:
    return JSONResponse(request.path_params)


@by_path
async def plain_async(request: Request) -> JSONResponse:
    return JSONResponse(request.path_params)


@by_path
async def streamed(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield '{"item_id"'
        yield ":3}"

    return StreamingResponse(parts(), media_type="application/json")


class Endpoint(HTTPEndpoint):
    @by_path
    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse(request.path_params)

    @by_path
    def post(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.path_params["item_id"]))


asgi = Starlette(
    routes=[
        Route("/sync/{item_id:int}", plain),
        Route("/async/{item_id:int}", plain_async),
        Route("/streamed/{item_id:int}", streamed),
        Route("/endpoint/{item_id:int}", Endpoint),
    ]
)


@pytest.mark.parametrize("path", ["sync", "async", "streamed", "endpoint"])
async def test_a_decorated_starlette_route_answers_and_emits(web: AsyncClient, tracked: Recorder, path: str) -> None:
    assert (await web.get(f"/{path}/3?user=7")).json() == {"item_id": 3}
    assert tracked.events == [READ]


async def test_a_decorated_synchronous_method_of_a_starlette_endpoint_emits(
    web: AsyncClient, tracked: Recorder
) -> None:
    assert (await web.post("/endpoint/3?user=7")).text == "3"
    assert tracked.events == [READ]
