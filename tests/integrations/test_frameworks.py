"""What one framework has and others have not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.testclient import TestClient
from flask import Flask
from flask import Request as FlaskRequest
from flask.views import MethodView
from quart import Quart

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations import quart
from instrument.integrations.fastapi import ScopeMiddleware, scope_from
from instrument.integrations.flask import RequestScopes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from instrument.testing import Recorder


class OwnUserScope(Scope):
    user_id: int


class OwnScope(OwnUserScope):
    own_project: int | None = None


class OwnThingDone(Track, OwnScope):
    pass


class OwnThingRefused(Track, OwnScope):
    error: str = ""
    code: int | None = None


views = tracks(OwnThingDone, failure=OwnThingRefused.from_call(error="error", code="error.code"))


@tracks(OwnThingDone)
def do() -> None: ...


# FastAPI


def user(x_user: Annotated[int | None, Header()] = None) -> int:
    if x_user is None:
        raise HTTPException(401)
    return x_user


def user_scope(user_id: Annotated[int, Depends(user)]) -> OwnUserScope:
    return OwnUserScope(user_id=user_id)


async def project_scope(request: Request) -> dict[str, int]:
    return {"own_project": int(request.path_params["project_id"])}


CurrentUser = Annotated[OwnUserScope, Depends(scope_from(user_scope))]


def test_a_fastapi_dependency_gives_what_its_function_returned_and_nests(tracked: Recorder) -> None:
    app = FastAPI()

    @app.get("/{project_id}", dependencies=[Depends(scope_from(project_scope))])
    def route(project_id: int, current: CurrentUser) -> int:
        do()
        return current.user_id

    assert TestClient(app).get("/3", headers={"x-user": "7"}).json() == 7
    assert tracked.events == [OwnThingDone(user_id=7, own_project=3)]


def test_a_fastapi_dependency_inherits_from_the_middleware_and_from_a_scope_opened_by_hand(tracked: Recorder) -> None:
    async def by_hand() -> AsyncIterator[None]:
        with request_scope(user_id=8):
            yield

    app = FastAPI()
    app.get("/{project_id}", dependencies=[Depends(by_hand), Depends(scope_from(project_scope))])(do)
    TestClient(app).get("/3")
    app = FastAPI(dependencies=[Depends(scope_from(project_scope))])
    app.get("/{project_id}")(do)
    app.add_middleware(ScopeMiddleware, scope_from=lambda _: {"user_id": 7})
    TestClient(app).get("/3")
    assert tracked.events == [OwnThingDone(user_id=8, own_project=3), OwnThingDone(user_id=7, own_project=3)]


def test_what_a_function_of_fastapi_raises_is_answered_as_of_any_dependency(tracked: Recorder) -> None:
    app = FastAPI(dependencies=[Depends(scope_from(user_scope))])
    app.get("/")(do)
    assert TestClient(app).get("/").status_code == 401
    assert tracked.events == []


def test_a_function_of_fastapi_can_be_overridden(tracked: Recorder) -> None:
    app = FastAPI(dependencies=[Depends(scope_from(user_scope))])
    app.get("/")(do)
    app.dependency_overrides[user_scope] = lambda: {"user_id": 9}
    TestClient(app).get("/")
    assert tracked.events == [OwnThingDone(user_id=9)]


def test_the_schema_of_fastapi_has_the_parameters_of_the_function_and_nothing_of_ours() -> None:
    app = FastAPI(dependencies=[Depends(scope_from(user_scope))])
    app.get("/")(lambda: None)
    (parameter,) = app.openapi()["paths"]["/"]["get"]["parameters"]
    assert parameter["name"] == "x-user"


def test_a_websocket_of_fastapi_has_its_scope(tracked: Recorder) -> None:
    app = FastAPI(dependencies=[Depends(scope_from(user_scope))])

    @app.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        do()
        await websocket.close()

    with TestClient(app).websocket_connect("/talk", headers={"x-user": "7"}) as websocket:
        websocket.receive()
    assert tracked.events == [OwnThingDone(user_id=7)]


def test_a_dependency_of_one_request_inherits_nothing_of_another_in_whose_context_it_runs(tracked: Recorder) -> None:
    """A server may handle a request in the context of the one before, whose background tasks still run."""
    app = FastAPI(dependencies=[Depends(scope_from(project_scope))])
    app.get("/{project_id}")(lambda: str(request_scope.values()))
    inner = TestClient(app)
    outer = FastAPI(dependencies=[Depends(scope_from(user_scope))])
    outer.get("/")(lambda: inner.get("/3").json())
    assert TestClient(outer).get("/", headers={"x-user": "7"}).json() == "{'own_project': 3}"


# Flask and Quart


def _done() -> str:
    do()
    return "done"


def flask_scope(request: FlaskRequest) -> OwnUserScope:
    return OwnUserScope(user_id=int(request.headers["X-User"]))


def flask_app() -> Flask:
    app = Flask(__name__)
    RequestScopes(app, scope_from=flask_scope)
    return app


RETURNED = {
    "body and status": (("no", 404), "status 404"),
    "body, status, headers": (("no", 410, {}), "status 410"),
    "a text of a status": (("no", "409 CONFLICT"), "status 409"),
    "body and headers": (("yes", {"x-a": "b"}), None),
    "a good status": (("yes", 201), None),
}


@pytest.mark.parametrize(("returned", "error"), RETURNED.values(), ids=RETURNED)
@pytest.mark.parametrize("kind", ["function", "method"])
def test_a_tuple_that_a_view_of_flask_returns_fails_by_its_status(
    returned: Any, error: str | None, kind: str, tracked: Recorder
) -> None:
    app = flask_app()

    class Thing(MethodView):
        @views
        def get(self) -> Any:
            return returned

    app.add_url_rule("/", view_func=Thing.as_view("thing") if kind == "method" else views(lambda: returned))
    app.test_client().get("/", headers={"X-User": "7"})
    assert tracked.events == [OwnThingDone(user_id=7) if error is None else OwnThingRefused(user_id=7, error=error)]


def test_a_tuple_that_a_function_below_a_view_returns_is_no_response(tracked: Recorder) -> None:
    app = flask_app()

    @views
    def count() -> tuple[str, int]:
        return "items", 404

    @app.get("/")
    def view() -> str:
        return str(count())

    app.test_client().get("/", headers={"X-User": "7"})
    assert tracked.events == [OwnThingDone(user_id=7)]


def test_a_function_of_flask_may_be_asynchronous_and_the_extension_bound_later(tracked: Recorder) -> None:
    async def scope_of(request: FlaskRequest) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"user_id": int(request.headers["X-User"])}

    scopes = RequestScopes(scope_from=scope_of)
    app = Flask(__name__)
    scopes.init_app(app)
    app.get("/")(_done)
    assert app.test_client().get("/", headers={"X-User": "7"}).text == "done"
    assert tracked.events == [OwnThingDone(user_id=7)]
    assert app.extensions["instrument"] is scopes


async def test_a_tuple_that_a_view_of_quart_returns_fails_by_its_status(tracked: Recorder) -> None:
    app = Quart(__name__)
    quart.RequestScopes(app, scope_from=lambda _: {"user_id": 7})

    @app.get("/")
    @views
    async def view() -> tuple[str, int]:
        return "no", 404

    assert (await app.test_client().get("/")).status_code == 404
    assert tracked.events == [OwnThingRefused(user_id=7, error="status 404")]
