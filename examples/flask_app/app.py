"""The application: `flask --app examples.flask_app.app run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Request, Response, abort, request, stream_with_context

from instrument import Scope, Track, tracks
from instrument.integrations.flask import RequestScopes

if TYPE_CHECKING:
    from collections.abc import Iterator


class AlbumScope(Scope):
    """Whose album it is."""

    user_id: str
    album: str


class PhotoAdded(Track, AlbumScope):
    """A photo was put into an album."""

    bytes: int


class PhotoRefused(Track, AlbumScope):
    """A photo was not taken."""

    status: int


class AlbumDownloaded(Track, AlbumScope):
    """An album was sent, to the last photo."""


class AlbumDownloadBroken(Track, AlbumScope):
    """The sending of an album broke off."""


def owner(request: Request) -> AlbumScope:
    """The URL is matched when this is called, so that its parts are known."""
    return AlbumScope(user_id=request.headers["X-User"], album=(request.view_args or {})["album"])


app = Flask(__name__)
RequestScopes(app, scope_from=owner)


@app.post("/albums/<album>")
@tracks(
    PhotoAdded.from_call(bytes=lambda call: call.result["bytes"]), failure=PhotoRefused.from_call(status="error.code")
)
def add(album: str) -> dict[str, int]:
    """Put a photo into an album."""
    del album
    photo = request.get_data()
    if not photo.startswith(b"GIF"):
        abort(415)
    return {"bytes": len(photo)}


@app.get("/albums/<album>")
def download(album: str) -> Response:
    """Send an album: the scope stays until the response is closed."""
    return Response(stream_with_context(_photos(album)))


@tracks(AlbumDownloaded, failure=AlbumDownloadBroken)
def _photos(album: str) -> Iterator[bytes]:
    yield b"GIF one"
    if album == "torn":
        raise OSError("the disk is gone")
    yield b"GIF two"
