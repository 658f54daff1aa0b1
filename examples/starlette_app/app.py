"""The application: `uvicorn examples.starlette_app.app:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from instrument import Scope, Track, tracks
from instrument.integrations.entry import RequestContext
from instrument.integrations.starlette import ScopeMiddleware

if TYPE_CHECKING:
    from starlette.requests import Request


class GuestScope(Scope):
    """Whose book it is; who writes is known by Segment's cookie alone."""

    anonymous_id: str
    book: str


class EntryWritten(Track, GuestScope):
    """A guest wrote into the book."""

    characters: int


class EntryRefused(Track, GuestScope):
    """What a guest wrote was not taken."""

    reason: str


async def guest(request: Request) -> dict[str, str]:
    """Take the book from the path, which is known here already; the cookie adds who it is."""
    return {"book": request.path_params["book"]}


@tracks(
    EntryWritten.from_call(characters=lambda call: call.arguments["request"].headers["content-length"]),
    failure=EntryRefused.from_call(reason="error"),
)
async def write(request: Request) -> Response:
    """Write into the book."""
    if not await request.body():
        return PlainTextResponse("an entry has text", 422)
    return PlainTextResponse("thank you")


app = Starlette(
    routes=[Route("/books/{book}", write, methods=["POST"])],
    middleware=[
        Middleware(ScopeMiddleware, scope_from=guest, anonymous_id=True, context=RequestContext(user_agent=True))
    ],
)
