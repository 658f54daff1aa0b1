"""An application of FastAPI, whose scope comes from a dependency."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from instrument.integrations.fastapi import scope_from
from tests.integrations import shop

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options

router = APIRouter(prefix="/projects/{project_id}", default_response_class=PlainTextResponse)


def signed_in(x_user: Annotated[str | None, Header()] = None) -> str | None:
    return x_user


def user_scope(request: Request, user: Annotated[str | None, Depends(signed_in)]) -> dict[str, Any]:
    project_id = request.path_params.get("project_id")
    return shop.fields(user, {"project_id": project_id and int(project_id)})


@router.get("/place/{order}")
def place(order: str) -> str:
    return shop.place(order)


@router.get("/place-async/{order}")
async def place_async(order: str) -> str:
    await asyncio.sleep(0.005)
    return await shop.place_async(order)


@router.get("/refused/{order}")
@shop.views
def refused(order: str, how: str) -> Response:
    if how == "crash":
        raise RuntimeError("crashed")
    status = int(how[-3:])
    if how.startswith("raise"):
        raise HTTPException(status, headers={"location": "/"})
    return RedirectResponse("/", status) if status < 400 else PlainTextResponse("refused", status)


@router.get("/stream/{order}")
def stream(order: str, how: str = "") -> StreamingResponse:
    return StreamingResponse(shop.parts(order, how))


@router.get("/stream-async/{order}")
async def stream_async(order: str, how: str = "") -> StreamingResponse:
    return StreamingResponse(shop.parts_async(order, how))


@router.get("/later/{order}")
async def later(order: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(shop.mail, order)
    return "later"


@router.get("/thread/{order}", dependencies=[Depends(shop.sign_in)])
async def thread(order: str) -> str:
    return shop.place(order)


def make_app(**options: Unpack[Options]) -> FastAPI:
    app = FastAPI(dependencies=[Depends(scope_from(user_scope, **options))])
    app.include_router(router)
    return app
