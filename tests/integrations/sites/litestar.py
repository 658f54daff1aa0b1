"""An application of Litestar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response, Router, get
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.params import FromPath, FromQuery  # noqa: TC002 - read by Litestar
from litestar.response import Redirect, Stream

from instrument.integrations.litestar import ScopeMiddleware
from tests.integrations import shop

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options


async def user_scope(request: Request[Any, Any, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return shop.fields(request.headers.get("x-user"), request.path_params)


@get("/place/{order:str}", sync_to_thread=True, media_type="text/plain")
def place(order: FromPath[str]) -> str:
    return shop.place(order)


@get("/place-async/{order:str}", media_type="text/plain")
async def place_async(order: FromPath[str]) -> str:
    await asyncio.sleep(0.005)
    return await shop.place_async(order)


@get("/refused/{order:str}", sync_to_thread=False)
@shop.views
def refused(order: FromPath[str], how: FromQuery[str]) -> Response[Any]:
    if how == "crash":
        raise RuntimeError("crashed")
    status = int(how[-3:])
    if how.startswith("raise"):
        raise HTTPException(status_code=status, headers={"location": "/"})
    return Redirect("/", status_code=status) if status < 400 else Response("refused", status_code=status)  # type: ignore[arg-type]


@get("/stream/{order:str}", sync_to_thread=False)
def stream(order: FromPath[str], how: FromQuery[str] = "") -> Stream:
    return Stream(shop.parts(order, how))


@get("/stream-async/{order:str}")
async def stream_async(order: FromPath[str], how: FromQuery[str] = "") -> Stream:
    return Stream(shop.parts_async(order, how))


@get("/later/{order:str}", sync_to_thread=False)
def later(order: FromPath[str]) -> Response[str]:
    return Response("later", background=BackgroundTask(shop.mail, order))


@get("/thread/{order:str}", dependencies={"signed_in": Provide(shop.sign_in, sync_to_thread=True)})
async def thread(order: FromPath[str], signed_in: NamedDependency[None]) -> str:
    del signed_in
    return shop.place(order)


def make_app(**options: Unpack[Options]) -> Litestar:
    handlers = [place, place_async, refused, stream, stream_async, later, thread]
    return Litestar(
        [Router("/projects/{project_id:int}", route_handlers=handlers)],
        middleware=[DefineMiddleware(ScopeMiddleware, scope_from=user_scope, **options)],
        openapi_config=None,
        logging_config=None,
    )
