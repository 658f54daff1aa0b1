"""What real servers serve: an application that has emitted before it is forked, and emits for each request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from instrument import Scope, Track, tracks
from instrument.integrations.asgi import ScopeMiddleware as AsgiMiddleware
from instrument.integrations.wsgi import ScopeMiddleware as WsgiMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from instrument.integrations.asgi import ASGIReceive, ASGISend


class ServedScope(Scope):
    user_id: str


class ServedImported(Track, ServedScope):
    process: int


class ServedRequest(Track, ServedScope):
    path: str
    process: int


@tracks(ServedImported.from_call(process=lambda _: os.getpid()))
def imported(user_id: str) -> None: ...


@tracks(ServedRequest.from_call(process=lambda _: os.getpid()))
def answer(path: str) -> bytes:
    return path.encode()


async def _asgi(scope: MutableMapping[str, Any], receive: ASGIReceive, send: ASGISend) -> None:
    if scope["type"] == "lifespan":
        for _ in ("startup", "shutdown"):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
        return
    body = answer(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def _wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield answer(environ["PATH_INFO"])


def _user_of_scope(scope: MutableMapping[str, Any]) -> dict[str, str]:
    return {"user_id": dict(scope["headers"])[b"x-user"].decode()}


def _user_of_environ(environ: WSGIEnvironment) -> dict[str, str]:
    return {"user_id": environ["HTTP_X_USER"]}


asgi = AsgiMiddleware(_asgi, _user_of_scope)
wsgi = WsgiMiddleware(_wsgi, _user_of_environ)
imported("the importing process")
