"""The files of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE: Final = Path(__file__).parent / "page"
# Not guessed: what the system says a `.js` is may be anything, and a browser runs only what it should.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


async def _index(_: Request) -> Response:
    return _file("index.html")


async def _static(request: Request) -> Response:
    return _file(request.path_params["path"])


def _file(path: str) -> Response:
    """Return a file of the page, and no other."""
    try:
        file = (PAGE / path).resolve()
        if file.is_relative_to(PAGE.resolve()) and file.suffix in _TYPES:
            return Response(file.read_bytes(), headers={"Content-Type": _TYPES[file.suffix]})
    except (OSError, ValueError):  # there is none; or a name that no file can have
        pass
    return PlainTextResponse("There is no such file.", status_code=404)


ROUTES: Final = (Route("/", _index), Route("/static/{path:path}", _static))
