"""Any application of ASGI: the request scope is open while it runs, with what it streams and does afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Generic

from instrument.integrations.entry import OPENED, R, entry_point_of_service

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options, ScopeFrom

ASGIScope = MutableMapping[str, Any]
ASGIReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
ASGISend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]


class Connection:
    """What an ASGI scope tells of a request, or of the handshake of a WebSocket: the `Facts` of entry points."""

    __slots__ = ("_scope",)

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._scope = scope

    @property
    def ip(self) -> str | None:
        """The address of who is connected."""
        client = self._scope.get("client")
        return str(client[0]) if client else None

    @property
    def scheme(self) -> str:
        """The scheme of the address."""
        return str(self._scope.get("scheme", "http"))

    @property
    def path(self) -> str:
        """The whole path, unquoted."""
        root, path = str(self._scope.get("root_path", "")), str(self._scope.get("path", ""))
        return path if path.startswith(root) else root + path

    @property
    def query(self) -> str:
        """The query, as it was sent."""
        query: bytes = self._scope.get("query_string", b"")
        return query.decode("latin-1")

    def header(self, name: str) -> str | None:
        """Return a header by its name in lower case."""
        key = name.encode()
        found: list[bytes] = [value for each, value in self._scope.get("headers", ()) if each == key]
        return b",".join(found).decode("latin-1") if found else None


class AnyScopeMiddleware(Generic[R]):
    """Opens a request scope around an ASGI application; each framework's middleware says what its requests are.

    Args:
        app: the application.
        scope_from: from a request to the fields of its scope.
        options: see `instrument.integrations.entry.Options`.
    """

    def __init__(self, app: ASGIApp, scope_from: ScopeFrom[R] | None = None, **options: Unpack[Options]) -> None:
        self.app = app
        self._entry_point = entry_point_of_service(scope_from, **options)

    def request_of(self, scope: ASGIScope, receive: ASGIReceive) -> R:
        """Return what `scope_from` is given."""
        raise NotImplementedError

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Run the application for one request, in its request scope."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        facts = Connection(scope)
        inherit = OPENED in scope
        fields = await self._entry_point.fields_async(self.request_of(scope, receive), facts)
        with self._entry_point.entry(facts, fields, inherit=inherit) as frame:
            scope[OPENED] = frame
            await self.app(scope, receive, send)


class ScopeMiddleware(AnyScopeMiddleware[ASGIScope]):
    """Opens a request scope around any ASGI application; `scope_from` is given the ASGI scope.

    >>> from instrument import Scope
    >>> class UserScope(Scope):
    ...     user_id: str
    >>> def user_scope(scope):
    ...     return UserScope(user_id=dict(scope["headers"])[b"x-user"].decode())
    >>> async def app(scope, receive, send): ...
    >>> app = ScopeMiddleware(app, scope_from=user_scope)
    """

    def request_of(self, scope: ASGIScope, receive: ASGIReceive) -> ASGIScope:
        """Return the ASGI scope itself."""
        del receive
        return scope
