"""Litestar: `Litestar(middleware=[DefineMiddleware(ScopeMiddleware, scope_from=user_scope)])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse

from instrument.integrations.asgi import Connection
from instrument.integrations.entry import OPENED, by_status, entry_point_of_service
from instrument.outcomes import judge_raised, judge_returned

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options, ScopeFrom


class ScopeMiddleware:
    """Opens a request scope around the handlers of Litestar, for each request of HTTP or WebSocket.

    Litestar runs middlewares behind its routing, so that path parameters are known.

    Args:
        app: the application.
        scope_from: from a `litestar.Request` to the fields of its scope, `def` or `async def`; the former must not
            block. Of a WebSocket it is given the handshake.
        options: see `instrument.integrations.entry.Options`.
    """

    def __init__(
        self,
        app: ASGIApp,
        scope_from: ScopeFrom[Request[Any, Any, Any]] | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.app = app
        self._entry_point = entry_point_of_service(scope_from, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one request, in its request scope."""
        known: Any = scope
        if known["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        facts = Connection(known)
        handshake: Any = known if known["type"] == "http" else {**known, "type": "http"}
        request = Request[Any, Any, Any](handshake)
        inherit = OPENED in known
        fields = await self._entry_point.fields_async(request, facts)
        with self._entry_point.entry(facts, fields, inherit=inherit) as frame:
            known[OPENED] = frame
            await self.app(scope, receive, send)


def _status_of_response(response: Response[Any]) -> int | None:
    return response.status_code


def _status_of_asgi_response(response: ASGIResponse) -> int:
    return response.status_code


def _status_of_error(error: HTTPException) -> int:
    return error.status_code


judge_returned(Response, by_status(_status_of_response))
judge_returned(ASGIResponse, by_status(_status_of_asgi_response))
judge_raised(HTTPException, by_status(_status_of_error))
