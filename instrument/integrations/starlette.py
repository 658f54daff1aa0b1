"""Starlette: `Starlette(middleware=[Middleware(ScopeMiddleware, scope_from=user_scope)])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from instrument.integrations.asgi import AnyScopeMiddleware
from instrument.integrations.entry import by_status
from instrument.outcomes import judge_raised, judge_returned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute

    from instrument.integrations.asgi import ASGIReceive, ASGIScope


class EntryRequest(Request):
    """The request as it is at the entry point: before it is routed, though its path parameters can be asked for.

    Of a WebSocket it is the handshake.
    """

    @property
    def path_params(self) -> dict[str, Any]:
        """The path parameters; where the request is not routed yet, those of the route that it will go to."""
        if "path_params" in self.scope:
            return super().path_params
        app = self.scope.get("app")
        return {} if app is None else _path_params(app.routes, self.scope)


class ScopeMiddleware(AnyScopeMiddleware[Request]):
    """Opens a request scope around an application of Starlette or FastAPI, for each request of HTTP or WebSocket.

    Args:
        app: the application.
        scope_from: from a `starlette.requests.Request` to the fields of its scope, `def` or `async def`; the former
            must not block.
        options: see `instrument.integrations.entry.Options`.
    """

    def request_of(self, scope: ASGIScope, receive: ASGIReceive) -> Request:
        """Return the request."""
        del receive  # its body is for the application
        return EntryRequest(scope if scope["type"] == "http" else {**scope, "type": "http"})


def _path_params(routes: Iterable[BaseRoute], scope: ASGIScope) -> dict[str, Any]:
    for route in routes:
        match, found = route.matches(scope)
        if match is not Match.FULL:
            continue
        below: list[BaseRoute] = getattr(route, "routes", None) or []
        return _path_params(below, {**scope, **found}) or dict(found.get("path_params", {}))
    return {}


def _status_of_response(response: Response) -> int:
    return response.status_code


def _status_of_error(error: HTTPException) -> int:
    return error.status_code


judge_returned(Response, by_status(_status_of_response))
judge_raised(HTTPException, by_status(_status_of_error))
