"""An application of Flask."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Request, Response, abort, redirect
from flask import request as current_request

from instrument.integrations.flask import RequestScopes
from tests.integrations import shop

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from instrument.integrations.entry import Options

site = Blueprint("site", __name__, url_prefix="/projects/<int:project_id>")


def user_scope(request: Request) -> dict[str, Any]:
    return shop.fields(request.headers.get("x-user"), request.view_args or {})


@site.get("/place/<order>")
def place(project_id: int, order: str) -> str:
    del project_id
    sleep(0.005)
    return shop.place(order)


@site.get("/refused/<order>")
@shop.views
def refused(project_id: int, order: str) -> Any:
    del project_id
    how = current_request.args["how"]
    if how == "crash":
        raise RuntimeError("crashed")
    status = int(how[-3:])
    if how.startswith("raise"):
        abort(redirect("/", status) if status < 400 else status)
    return redirect("/", status) if status < 400 else ("refused", status)


@site.get("/stream/<order>")
def stream(project_id: int, order: str) -> Response:
    del project_id
    return Response(shop.parts(order, current_request.args.get("how", "")))


@site.get("/later/<order>")
def later(project_id: int, order: str) -> Response:
    del project_id
    response = Response("later")
    response.call_on_close(lambda: shop.mail(order))
    return response


@site.get("/thread/<order>")
def thread(project_id: int, order: str) -> str:
    del project_id
    shop.sign_in()
    return shop.place(order)


def make_app(**options: Unpack[Options]) -> Flask:
    app = Flask(__name__)
    RequestScopes(app, scope_from=user_scope, **options)
    app.register_blueprint(site)
    return app
