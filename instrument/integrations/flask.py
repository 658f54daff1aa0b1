"""Flask: `RequestScopes(app, scope_from=user_scope)`, or `init_app` as other extensions have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Request, current_app, has_request_context, request

from instrument.integrations.entry import OPENED, EntryPoint, entry_point_of_service, fill
from instrument.integrations.werkzeug import current_views
from instrument.integrations.wsgi import Environment, ScopeMiddleware

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options, ScopeFrom


class RequestScopes:
    """A Flask extension: a request scope for each request, from before the view until the response is closed.

    Args:
        app: the application; without it, `init_app` takes it later.
        scope_from: from a `flask.Request` to the fields of its scope, called when the URL is matched, so that
            `request.view_args` is known; `def`, or `async def` where Flask has its extra `async`.
        options: see `instrument.integrations.entry.Options`.

    >>> from flask import Flask, Request
    >>> from instrument import Scope
    >>> class UserScope(Scope):
    ...     user_id: str
    >>> def user_scope(request: Request) -> UserScope:
    ...     return UserScope(user_id=request.headers["X-User"])
    >>> app = Flask("shop")
    >>> scopes = RequestScopes(app, scope_from=user_scope)
    """

    def __init__(
        self, app: Flask | None = None, scope_from: ScopeFrom[Request] | None = None, **options: Unpack[Options]
    ) -> None:
        EntryPoint(scope_from, **options)  # what does not fit is said here
        self._scope_from = scope_from
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Take an application."""
        function = self._scope_from
        entry_point = entry_point_of_service(None if function is None else app.ensure_sync(function), **self._options)

        def fill_scope() -> None:
            if OPENED in request.environ:
                fill(request.environ[OPENED], entry_point.fields(request, Environment(request.environ)))

        # The middleware's scope lasts longer than any hook of Flask: until a streamed response is closed.
        told: Options = {**self._options, "anonymous_id": False, "baggage": False}
        app.wsgi_app = ScopeMiddleware(app.wsgi_app, **told)  # type: ignore[method-assign]
        app.before_request(fill_scope)
        app.extensions["instrument"] = self


def _current_view() -> tuple[Any, str] | None:
    if not has_request_context() or request.endpoint is None:
        return None
    return current_app.view_functions.get(request.endpoint), request.method


current_views.append(_current_view)
