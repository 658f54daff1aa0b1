"""An application of bare ASGI."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from instrument.integrations.asgi import ScopeMiddleware
from tests.integrations import shop

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from typing_extensions import Unpack

    from instrument.integrations.asgi import ASGIApp, ASGIReceive, ASGISend
    from instrument.integrations.entry import Options

_PATH = re.compile(r"/projects/(?P<project_id>\d+)/(?P<what>[\w-]+)/(?P<order>\w+)")


def path_params(scope: MutableMapping[str, Any]) -> dict[str, str]:
    match = _PATH.fullmatch(scope["path"])
    return {} if match is None else match.groupdict()


async def user_scope(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    user = dict(scope["headers"]).get(b"x-user", b"").decode()
    params = path_params(scope)
    return shop.fields(user or None, {**params, "project_id": params and int(params["project_id"])})


def make_app(**options: Unpack[Options]) -> ASGIApp:
    return ScopeMiddleware(app, scope_from=user_scope, **options)


@shop.views_of_requests
async def refused(request: Any) -> None:
    del request
    raise RuntimeError("crashed")


async def app(scope: MutableMapping[str, Any], receive: ASGIReceive, send: ASGISend) -> None:
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    params = path_params(scope)
    what, order = params["what"], params["order"]
    if what == "refused":
        await refused(SimpleNamespace(path_params=params))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if what == "stream-async":
        how = scope["query_string"].decode().removeprefix("how=")
        gone = asyncio.ensure_future(_gone(receive))
        async for part in shop.parts_async(order, how):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if gone.done():
                break
        gone.cancel()
        return await send({"type": "http.response.body", "body": b""})
    if what == "place":
        body = await asyncio.to_thread(shop.place, order)
    elif what == "place-async":
        await asyncio.sleep(0.005)
        body = await shop.place_async(order)
    else:
        body = what
    if what == "thread":
        await asyncio.to_thread(shop.sign_in)
        shop.place(order)
    await send({"type": "http.response.body", "body": body.encode()})
    if what == "later":
        await asyncio.sleep(0)
        shop.mail(order)
    return None


async def _gone(receive: ASGIReceive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: ASGIReceive, send: ASGISend) -> None:
    for _ in ("startup", "shutdown"):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
