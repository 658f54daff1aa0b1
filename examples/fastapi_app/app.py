"""The application: `uvicorn examples.fastapi_app.app:app`."""

from __future__ import annotations

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException

from instrument import Scope, Track, tracks
from instrument.integrations.fastapi import scope_from


class EditorScope(Scope):
    """Who is signed in."""

    user_id: int


class NewsletterSent(Track, EditorScope):
    """A newsletter went out."""

    newsletter: str


class NewsletterRefused(Track, EditorScope):
    """A newsletter did not go out."""

    newsletter: str
    reason: str


class CopyArchived(Track, EditorScope):
    """A copy of a newsletter was put away."""

    newsletter: str


def editor(x_user: Annotated[int | None, Header()] = None) -> EditorScope:
    """Find out who is signed in: a dependency as any other, which may have dependencies of its own."""
    if x_user is None:
        raise HTTPException(401, "sign in")
    return EditorScope(user_id=x_user)


Editor = Annotated[EditorScope, Depends(scope_from(editor))]

app = FastAPI()


@tracks(CopyArchived)
def archive(newsletter: str) -> None:
    """Put a copy away: after the response, and still in the scope of the request."""


@app.post("/newsletters/{newsletter}")
@tracks(NewsletterSent, failure=NewsletterRefused.from_call(reason="error.detail"))
def send(newsletter: str, editor: Editor, tasks: BackgroundTasks) -> str:
    """Send a newsletter."""
    if newsletter == "draft":
        raise HTTPException(409, "it is a draft")
    tasks.add_task(archive, newsletter)
    return f"sent by {editor.user_id}"
