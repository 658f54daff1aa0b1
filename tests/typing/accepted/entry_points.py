"""Functions from a framework's request to its scope are checked against the framework's request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import flask
import litestar
import quart
from fastapi import Depends, FastAPI
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from typing_extensions import assert_type

from instrument import Scope, request_scope
from instrument.integrations import asgi, wsgi
from instrument.integrations import flask as of_flask
from instrument.integrations import quart as of_quart
from instrument.integrations.baggage import Propagated, extract, inject
from instrument.integrations.django import scope_middleware
from instrument.integrations.entry import RequestContext
from instrument.integrations.executors import ScopedExecutor
from instrument.integrations.fastapi import scope_from
from instrument.integrations.litestar import ScopeMiddleware as LitestarMiddleware
from instrument.integrations.starlette import ScopeMiddleware

if TYPE_CHECKING:
    from django.http import HttpRequest
    from starlette.requests import HTTPConnection, Request


class UserScope(Scope):
    user_id: Annotated[int, Propagated()]


def of_request(request: Request) -> UserScope:
    return UserScope(user_id=int(request.headers["x-user"]))


async def of_connection(connection: HTTPConnection) -> dict[str, int] | None:
    return {"user_id": int(connection.headers["x-user"])}


def of_flask_request(request: flask.Request) -> Mapping[str, Any]:
    return request.view_args or {}


async def of_quart_request(request: quart.Request) -> UserScope | None:
    return None if request.view_args is None else UserScope(user_id=7)


def of_django_request(request: HttpRequest) -> UserScope:
    return UserScope(user_id=int(request.headers["x-user"]))


def of_litestar_request(request: litestar.Request[Any, Any, Any]) -> UserScope:
    return UserScope(user_id=int(request.headers["x-user"]))


def of_environ(environ: dict[str, Any]) -> None:
    del environ


def double(number: int) -> float:
    return number * 2


web = Starlette(middleware=[Middleware(ScopeMiddleware, scope_from=of_request, context=RequestContext(ip=True))])
web.add_middleware(ScopeMiddleware, scope_from=of_connection, baggage=["user_id"])
FastAPI().add_middleware(ScopeMiddleware, scope_from=of_request, failing=range(500, 600))
assert_type(scope_from(of_request), Callable[..., AsyncGenerator[UserScope, None]])
assert_type(scope_from(of_connection), Callable[..., AsyncGenerator["dict[str, int] | None", None]])
FastAPI(dependencies=[Depends(scope_from(of_request, anonymous_id=True))])
of_flask.RequestScopes(flask.Flask("shop"), of_flask_request)
of_quart.RequestScopes(scope_from=of_quart_request).init_app(quart.Quart("shop"))
scope_middleware(of_django_request, context=None)
DefineMiddleware(LitestarMiddleware, scope_from=of_litestar_request)
LitestarMiddleware(litestar.Litestar([]), of_litestar_request)
asgi.ScopeMiddleware(web, lambda scope: {"user_id": scope["user"]})
wsgi.ScopeMiddleware(flask.Flask("shop"), of_environ)

with ScopedExecutor(ThreadPoolExecutor()) as executor:
    assert_type(executor.submit(double, 3), Future[float])
headers: dict[str, str] = {}
with request_scope(user_id=7):
    inject(headers)
assert_type(extract(headers, trust=True), dict[str, Any])
