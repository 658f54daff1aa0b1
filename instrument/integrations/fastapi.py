"""FastAPI: `FastAPI(dependencies=[Depends(scope_from(user_scope))])`, or Starlette's middleware.

The dependency knows more: path parameters, and whatever other dependencies know, such as who is signed in. The
middleware comes first: it is there for other middlewares, and for what never reaches a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar, overload

from fastapi import Depends
from fastapi.requests import HTTPConnection

from instrument.context import current_frame
from instrument.integrations.asgi import Connection
from instrument.integrations.entry import OPENED, Fields, entry_point_of_service
from instrument.integrations.starlette import ScopeMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from typing_extensions import Unpack

    from instrument.integrations.entry import Options

__all__ = ["ScopeMiddleware", "scope_from"]

F = TypeVar("F", bound=Fields)


@overload
def scope_from(
    function: Callable[..., Awaitable[F]], **options: Unpack[Options]
) -> Callable[..., AsyncGenerator[F, None]]: ...


@overload
def scope_from(function: Callable[..., F], **options: Unpack[Options]) -> Callable[..., AsyncGenerator[F, None]]: ...


def scope_from(
    function: Callable[..., F | Awaitable[F]], **options: Unpack[Options]
) -> Callable[..., AsyncGenerator[F, None]]:
    """Make a dependency that opens the request scope, out of one that says what is in it.

    The scope is open for the dependencies that come later, the handler, its streamed response and its background
    tasks.

    Args:
        function: a dependency that returns the fields: it may have parameters as any other, the request and
            dependencies among them. What it raises is answered as ever.
        options: see `instrument.integrations.entry.Options`.

    Returns:
        An asynchronous dependency, for `Depends`; it gives what the function returned.

    >>> from fastapi import FastAPI, Request
    >>> from instrument import Scope
    >>> class UserScope(Scope):
    ...     user_id: str
    >>> def user_scope(request: Request) -> UserScope:
    ...     return UserScope(user_id=request.headers["x-user"])
    >>> app = FastAPI(dependencies=[Depends(scope_from(user_scope))])
    """
    entry_point = entry_point_of_service(function, **options)

    async def request_scope_of(
        connection: HTTPConnection, given: Annotated[Any, Depends(function)]
    ) -> AsyncGenerator[F, None]:
        facts = Connection(connection.scope)
        fields = entry_point.complete(given, facts)
        with entry_point.entry(facts, fields, inherit=_is_of_this_request(connection)) as frame:
            connection.scope[OPENED] = frame
            yield given

    # FastAPI evaluates annotations in the globals of a module, which have no `function`.
    request_scope_of.__annotations__ = {"connection": HTTPConnection, "given": Annotated[Any, Depends(function)]}
    return request_scope_of


def _is_of_this_request(connection: HTTPConnection) -> bool:
    """Whether the frame around may be read from.

    The context of a connection that is kept alive may still hold that of its last request, whose background tasks
    run; only a frame that no entry point has opened can be one of the user's own, around this dependency.
    """
    around = current_frame()
    return OPENED in connection.scope or around is None or around.failing is None
