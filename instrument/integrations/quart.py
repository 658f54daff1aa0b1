"""Quart: `RequestScopes(app, scope_from=user_scope)`, or `init_app` as other extensions have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart import Quart, Request, current_app, has_request_context, request

from instrument.integrations.asgi import Connection, ScopeMiddleware
from instrument.integrations.entry import OPENED, entry_point_of_service, fill
from instrument.integrations.werkzeug import current_views

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options, ScopeFrom


class RequestScopes:
    """A Quart extension: a request scope for each request, from before the view until the response was sent.

    Args:
        app: the application; without it, `init_app` takes it later.
        scope_from: from a `quart.Request` to the fields of its scope, called when the URL is matched, so that
            `request.view_args` is known; `async def`, or a `def` that does not block.
        options: see `instrument.integrations.entry.Options`.

    >>> from quart import Quart, Request
    >>> from instrument import Scope
    >>> class UserScope(Scope):
    ...     user_id: str
    >>> async def user_scope(request: Request) -> UserScope:
    ...     return UserScope(user_id=request.headers["X-User"])
    >>> app = Quart("shop")
    >>> scopes = RequestScopes(app, scope_from=user_scope)
    """

    def __init__(
        self, app: Quart | None = None, scope_from: ScopeFrom[Request] | None = None, **options: Unpack[Options]
    ) -> None:
        self._entry_point = entry_point_of_service(scope_from, **options)
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Quart) -> None:
        """Take an application."""

        async def fill_scope() -> None:
            scope: Any = request.scope
            if OPENED in scope:
                fill(scope[OPENED], await self._entry_point.fields_async(request, Connection(scope)))

        # The middleware's scope lasts longer than any hook of Quart: until a streamed response was sent.
        told: Options = {**self._options, "anonymous_id": False, "baggage": False}
        app.asgi_app = ScopeMiddleware(app.asgi_app, **told)  # type: ignore[method-assign, arg-type, assignment]
        app.before_request(fill_scope)
        app.extensions["instrument"] = self


def _current_view() -> tuple[Any, str] | None:
    if not has_request_context() or request.endpoint is None:
        return None
    return current_app.view_functions.get(request.endpoint), request.method


current_views.append(_current_view)
