"""What is no function from a framework's request to its scope; `error:` names mypy's code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import flask
import litestar
import quart
from starlette.applications import Starlette

from instrument import Scope
from instrument.integrations import asgi, wsgi
from instrument.integrations import flask as of_flask
from instrument.integrations import quart as of_quart
from instrument.integrations.baggage import extract
from instrument.integrations.django import scope_middleware
from instrument.integrations.executors import ScopedExecutor
from instrument.integrations.fastapi import scope_from
from instrument.integrations.litestar import ScopeMiddleware as LitestarMiddleware
from instrument.integrations.starlette import ScopeMiddleware

if TYPE_CHECKING:
    from django.http import HttpRequest
    from starlette.requests import Request


class UserScope(Scope):
    user_id: int


def of_request(request: Request) -> UserScope:
    return UserScope(user_id=request.headers["x-user"])  # error: arg-type


def of_flask_request(request: flask.Request) -> UserScope:
    return UserScope(user_id=int(request.headers["x-user"]))


def of_django_request(request: HttpRequest) -> UserScope:
    return UserScope(user_id=int(request.META["x-user"]))


def user_of(request: Request) -> int:
    return int(request.headers["x-user"])


async def user_of_async(request: Request) -> int:
    return user_of(request)


web = Starlette()
ScopeMiddleware(web, of_flask_request)  # error: arg-type
ScopeMiddleware(web, user_of)  # error: arg-type
ScopeMiddleware(web, user_of_async)  # error: arg-type
ScopeMiddleware(web, of_request, contxt=None)  # error: call-arg
ScopeMiddleware(web, of_request, anonymous_id="yes")  # error: arg-type
web.add_middleware(ScopeMiddleware, scope_from=of_flask_request)  # error: arg-type
scope_from(user_of)  # error: arg-type
of_flask.RequestScopes(flask.Flask("shop"), of_request)  # error: arg-type
of_quart.RequestScopes(quart.Quart("shop"), of_flask_request)  # error: arg-type
scope_middleware(of_request)  # error: arg-type
LitestarMiddleware(litestar.Litestar([]), of_request)  # error: arg-type
asgi.ScopeMiddleware(web, of_request)  # error: arg-type
wsgi.ScopeMiddleware(flask.Flask("shop"), of_request)  # error: arg-type
ScopedExecutor(ThreadPoolExecutor).submit(len, "text")  # error: arg-type
ScopedExecutor(ThreadPoolExecutor()).submit(len, 7)  # error: arg-type
extract({"baggage": "user_id=7"}, trust=7)  # error: arg-type
