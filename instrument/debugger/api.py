"""What the page and `instrument tail` ask the debugger."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pydantic_core import from_json, to_json
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from instrument.debugger.documents import Unreadable, body, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from instrument.debugger.catalog import Catalog
    from instrument.debugger.history import History, Kept
    from instrument.debugger.intake import Intake

MOST_IMPORTED = 64 << 20
"""How large an import may be, in bytes."""
MOST_STREAMS: Final = 50
"""How many readers may follow at once."""
_MOST_LISTED = 1_000
_MOST_REJECTED = 100
_AT_A_TIME = 100
_HEARTBEAT = 15.0
"""Seconds of silence after which a reader is shown that the stream lives."""


class Api:
    """The debugger's own endpoints.

    Args:
        history: the records.
        intake: what makes them.
        catalog: what is declared.
    """

    def __init__(self, history: History, intake: Intake, catalog: Catalog) -> None:
        self._history = history
        self._intake = intake
        self._catalog = catalog
        self._run = uuid4().hex
        self._streams = 0

    @property
    def routes(self) -> list[Route]:
        """The endpoints."""
        return [
            Route("/api/events", self._events),
            Route("/api/stream", self._stream),
            Route("/api/clear", self._clear, methods=["POST"]),
            Route("/api/import", self._import, methods=["POST"]),
            Route("/api/export", self._export),
            Route("/api/plan", self._plan),
        ]

    async def _events(self, request: Request) -> Response:
        after = _number(request.query_params.get("after"))
        asked = _number(request.query_params.get("limit"))
        limit = _MOST_LISTED if asked is None else min(asked, _MOST_LISTED)
        records = self._history.newest(limit) if after is None else self._history.after(after, limit)
        listed = b",".join([each.body for each in records])
        tail = to_json({"last": self._history.last, "forgotten": self._history.forgotten, "run": self._run})
        return _json(b'{"events":[%b],%b' % (listed, tail[1:]))

    async def _stream(self, request: Request) -> Response:
        if self._streams >= MOST_STREAMS:
            return JSONResponse({"message": f"{MOST_STREAMS} readers follow already"}, status_code=503)
        seen = _number(request.headers.get("last-event-id"))
        asked = _number(request.query_params.get("after")) if seen is None else seen
        return StreamingResponse(self._following(asked), media_type="text/event-stream")

    async def _following(self, asked: int | None) -> AsyncIterator[bytes]:
        """Yield what comes; a reader that is slow is told the newest, and nothing waits for it in memory."""
        history = self._history
        self._streams += 1
        try:
            seen, clearings = history.last if asked is None else asked, history.clearings
            yield _said("hello", {"run": self._run, "last": history.last})
            if seen > history.last:  # the numbers of a debugger that ran before this one
                yield _said("cleared", {})
                seen = 0
            while not history.closed:
                if clearings != history.clearings:
                    clearings = history.clearings
                    yield _said("cleared", {})
                records = history.after(seen, _AT_A_TIME)
                if records:
                    seen = records[-1].seq
                    yield b"".join(map(_event, records))
                elif not await history.change(_HEARTBEAT):
                    yield b": still here\n\n"
        finally:
            self._streams -= 1

    async def _clear(self, _: Request) -> Response:
        self._intake.clear()
        return JSONResponse({"cleared": True})

    async def _import(self, request: Request) -> Response:
        try:
            raw = await body(request.stream(), request.headers.get("content-encoding", ""), MOST_IMPORTED)
        except Unreadable as error:
            return JSONResponse({"message": str(error)}, status_code=error.status)
        imported, rejected = 0, list[dict[str, Any]]()
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            if not line.strip():
                continue
            try:
                self._take_line(line)
            except Unreadable as error:
                rejected.append({"line": number, "reason": str(error)})
            else:
                imported += 1
        return JSONResponse({"imported": imported, "rejected": rejected[:_MOST_REJECTED]})

    def _take_line(self, line: bytes) -> None:
        document = parse(line)
        envelope, violations = document.clean(document.as_object())
        envelope.pop("writeKey", None)
        self._intake.take(envelope, violations=violations)

    async def _export(self, _: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            seen, last = 0, self._history.last
            while seen < last and (records := self._history.after(seen, _AT_A_TIME)):
                seen = records[-1].seq
                yield b"".join([to_json(from_json(each.body)["envelope"]) + b"\n" for each in records])

        attached = {"Content-Disposition": 'attachment; filename="events.jsonl"'}
        return StreamingResponse(lines(), media_type="application/jsonl", headers=attached)

    async def _plan(self, _: Request) -> Response:
        return _json(to_json({"messages": self._catalog.listing()}))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < len(str(1 << 53)) else None


def _event(record: Kept) -> bytes:
    return b"id: %d\nevent: record\ndata: %b\n\n" % record


def _said(event: str, data: dict[str, Any]) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def _json(document: bytes) -> Response:
    return Response(document, media_type="application/json")
