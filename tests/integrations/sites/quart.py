"""An application of Quart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quart import Quart, Request, Response, abort, current_app, redirect
from quart import request as current_request

from instrument import request_scope
from instrument.integrations.quart import RequestScopes
from tests.integrations import shop

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options


async def user_scope(request: Request) -> dict[str, Any]:
    await asyncio.sleep(0)
    return shop.fields(request.headers.get("x-user"), request.view_args or {})


def place(project_id: int, order: str) -> str:
    del project_id
    return shop.place(order)


async def place_async(project_id: int, order: str) -> str:
    del project_id
    await asyncio.sleep(0.005)
    return await shop.place_async(order)


@shop.views
async def refused(project_id: int, order: str) -> Any:
    del project_id, order
    how = current_request.args["how"]
    if how == "crash":
        raise RuntimeError("crashed")
    status = int(how[-3:])
    if how.startswith("raise"):
        abort(redirect("/", status) if status < 400 else status)  # type: ignore[arg-type]
    return redirect("/", status) if status < 400 else ("refused", status)


async def stream_async(project_id: int, order: str) -> Response:
    del project_id
    return Response(shop.parts_async(order, current_request.args.get("how", "")))


async def later(project_id: int, order: str) -> str:
    del project_id
    snapshot = request_scope.snapshot()

    async def task() -> None:
        with snapshot:  # Quart's background tasks belong to the application, and outlive the request
            shop.mail(order)

    current_app.add_background_task(task)
    return "later"


async def thread(project_id: int, order: str) -> str:
    del project_id
    await asyncio.to_thread(shop.sign_in)
    return shop.place(order)


def make_app(**options: Unpack[Options]) -> Quart:
    app = Quart(__name__)
    RequestScopes(app, scope_from=user_scope, **options)
    routes: dict[str, Any] = {
        "place": place,
        "place-async": place_async,
        "refused": refused,
        "stream-async": stream_async,
        "later": later,
        "thread": thread,
    }
    for name, view in routes.items():
        app.add_url_rule(f"/projects/<int:project_id>/{name}/<order>", name, view)
    return app
