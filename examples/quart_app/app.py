"""The application: `hypercorn examples.quart_app.app:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Quart, Request, request

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.quart import RequestScopes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TalkerScope(Scope):
    """Who talks, and where."""

    user_id: str
    room: str


class WordsSaid(Track, TalkerScope):
    """Somebody said something."""

    words: int


class WordsRefused(Track, TalkerScope):
    """Somebody said nothing."""

    reason: str


class TalkFollowed(Track, TalkerScope):
    """Somebody listened to the end."""


class WordsIndexed(Track, TalkerScope):
    """What was said can be found."""


async def talker(request: Request) -> TalkerScope:
    """The URL is matched when this is called, so that its parts are known."""
    assert request.view_args is not None
    return TalkerScope(user_id=request.headers["x-user"], room=request.view_args["room"])


app = Quart(__name__)
RequestScopes(app, scope_from=talker)


@tracks(WordsIndexed)
async def index() -> None:
    """Make what was said findable."""


@app.post("/rooms/<room>")
@tracks(WordsSaid.from_call(words=lambda call: call.result[0]["words"]), failure=WordsRefused.from_call(reason="error"))
async def say(room: str) -> tuple[dict[str, int], int]:
    """Say something; what Quart does in the background outlives the request, and takes a snapshot of its scope."""
    del room
    words = len((await request.get_data(as_text=True)).split())
    if not words:
        return {"words": 0}, 422
    snapshot = request_scope.snapshot()

    async def in_background() -> None:
        with snapshot:
            await index()

    app.add_background_task(in_background)  # pyright: ignore[reportUnknownMemberType] # Quart types it in part
    return {"words": words}, 201


@app.get("/rooms/<room>")
async def follow(room: str) -> AsyncIterator[str]:
    """Listen: the scope stays until the last word was sent."""
    return _words(room)


@tracks(TalkFollowed)
async def _words(room: str) -> AsyncIterator[str]:
    for word in ("hello", "from", room):
        yield f"{word} "
