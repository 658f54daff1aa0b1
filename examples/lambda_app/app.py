"""The function; Lambda calls `handler`."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from instrument import Scope, Track, tracks
from instrument.integrations.awslambda import opens_scope, returns_error

# The only directory of a function that can be written to is /tmp: INSTRUMENT_SPOOL_DIR=/tmp/instrument


class Event(TypedDict):
    """What is used of the event of a function URL."""

    headers: dict[str, str]
    body: str


class UserScope(Scope):
    """Who is signed in."""

    user_id: int


class LinkShortened(Track, UserScope):
    """A link was given a short name."""

    characters: int


class LinkRefused(Track, UserScope):
    """A link was not taken."""

    status: int | None = None


def user_of(event: Event, context: object) -> UserScope | None:
    """Return who is signed in, whom the authorizer has put into a header."""
    del context
    user_id = event["headers"].get("x-user-id")
    return None if user_id is None else UserScope(user_id=int(user_id))


@opens_scope(user_of)
@tracks(
    LinkShortened.from_call(characters=lambda call: len(call.arguments["event"]["body"])),
    failure=LinkRefused.from_call(status="result.statusCode"),
    failed_if=returns_error,
)
def handler(event: Event, context: object) -> dict[str, Any]:
    """Shorten the link in the body."""
    del context
    if not event["body"].startswith("https://"):
        return {"statusCode": 422, "body": json.dumps({"error": "no link"})}
    return {"statusCode": 200, "body": json.dumps({"name": f"{hash(event['body']) & 0xFFFFFF:x}"})}
