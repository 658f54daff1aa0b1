"""Segment's HTTP API, as far as its clients use it: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from instrument.debugger.documents import Unreadable, body, is_array, is_object, parse
from instrument.messages import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from instrument.debugger.documents import Document
    from instrument.debugger.intake import Intake

MOST_BODY = 4 << 20
"""How large one body may be, packed or not, in bytes: Segment itself takes 500 KiB."""
MOST_MESSAGES = 2_500
"""How many messages one batch may hold, as at Segment."""
_AT_A_TIME = 50
"""How many messages are taken before others have their turn."""
# The browser's client says each call by one letter.
_CALLS: dict[str, str] = {
    **{each: each for each in KINDS},
    **{each[0]: each for each in KINDS if each != "alias"},
    "a": "alias",
}
_BATCHES = ("batch", "import", "b")


class SegmentApi:
    """The endpoints that Segment's clients send to.

    Args:
        intake: what takes the messages.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    @property
    def routes(self) -> list[Route]:
        """The endpoints, each with and without `/v1`."""
        names = (*_BATCHES, *_CALLS)
        posts = [Route(f"{root}/{name}", self._post, methods=["POST"]) for name in names for root in ("/v1", "")]
        return [*posts, Route("/v1/projects/{write_key}/settings", _settings, methods=["GET"])]

    async def _post(self, request: Request) -> Response:
        try:
            raw = await body(request.stream(), request.headers.get("content-encoding", ""), MOST_BODY)
            await self._take(request, parse(raw))
        except Unreadable as error:
            return JSONResponse({"success": False, "message": str(error)}, status_code=error.status)
        return JSONResponse({"success": True})

    async def _take(self, request: Request, document: Document) -> None:
        whole = document.as_object()
        call = request.url.path.rpartition("/")[2]
        write_key = whole.pop("writeKey", None) or _key_of(request.headers)
        messages = _batch(whole) if call in _BATCHES else [{**whole, "type": _CALLS[call]}]
        for number, message in enumerate(messages, start=1):
            own_key = message.pop("writeKey", None) or write_key
            envelope, violations = document.clean(message)
            self._intake.take(envelope, write_key=own_key if isinstance(own_key, str) else None, violations=violations)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)


def _batch(whole: dict[str, Any]) -> list[dict[str, Any]]:
    batch = whole.get("batch")
    if not is_array(batch) or not all(map(is_object, batch)):
        raise Unreadable("there is no list of messages under `batch`")
    if len(batch) > MOST_MESSAGES:
        raise Unreadable(f"the batch has {len(batch):,} messages, above Segment's limit of {MOST_MESSAGES:,}", 413)
    return [_with_those_of_the_batch(whole, message) for message in batch]


def _with_those_of_the_batch(whole: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Give a message what stands once for the batch."""
    merged = dict(message)
    for key in ("context", "integrations"):
        shared, own = whole.get(key), message.get(key)
        if is_object(shared) and own is None:
            merged[key] = shared
        elif is_object(shared) and is_object(own):
            merged[key] = {**shared, **own}
    return merged


def _key_of(headers: Mapping[str, str]) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0] or None
    except (binascii.Error, ValueError):
        return None


async def _settings(request: Request) -> Response:
    """Tell the browser's client, which asks before it sends, to send here."""
    own = {
        "apiKey": request.path_params["write_key"],
        "apiHost": f"{request.headers['host']}/v1",
        "protocol": "http",
        "unbundledIntegrations": list[str](),
    }
    return JSONResponse({"integrations": {"Segment.io": own}, "plan": {"track": {"__default": {"enabled": True}}}})
