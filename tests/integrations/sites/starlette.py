"""An application of Starlette, with the middleware in front of its routes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from instrument.integrations.starlette import ScopeMiddleware
from tests.integrations import shop

if TYPE_CHECKING:
    from starlette.requests import Request
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options


async def user_scope(request: Request) -> dict[str, Any]:
    await asyncio.sleep(0)
    return shop.fields(request.headers.get("x-user"), request.path_params)


def place(request: Request) -> Response:
    return PlainTextResponse(shop.place(request.path_params["order"]))


async def place_async(request: Request) -> Response:
    await asyncio.sleep(0.005)
    return PlainTextResponse(await shop.place_async(request.path_params["order"]))


@shop.views_of_requests
async def refused(request: Request) -> Response:
    how = request.query_params["how"]
    if how == "crash":
        raise RuntimeError("crashed")
    status = int(how[-3:])
    if how.startswith("raise"):
        raise HTTPException(status, headers={"location": "/"})
    return RedirectResponse("/", status) if status < 400 else PlainTextResponse("refused", status)


def stream(request: Request) -> Response:
    return StreamingResponse(shop.parts(request.path_params["order"], request.query_params.get("how", "")))


async def stream_async(request: Request) -> Response:
    return StreamingResponse(shop.parts_async(request.path_params["order"], request.query_params.get("how", "")))


def later(request: Request) -> Response:
    return PlainTextResponse("later", background=BackgroundTask(shop.mail, request.path_params["order"]))


async def thread(request: Request) -> Response:
    await asyncio.to_thread(shop.sign_in)
    return PlainTextResponse(shop.place(request.path_params["order"]))


def make_app(**options: Unpack[Options]) -> Starlette:
    routes = [
        Route("/place/{order}", place),
        Route("/place-async/{order}", place_async),
        Route("/refused/{order}", refused),
        Route("/stream/{order}", stream),
        Route("/stream-async/{order}", stream_async),
        Route("/later/{order}", later),
        Route("/thread/{order}", thread),
    ]
    return Starlette(
        routes=[Mount("/projects/{project_id:int}", routes=routes)],
        middleware=[Middleware(ScopeMiddleware, scope_from=user_scope, **options)],
    )
