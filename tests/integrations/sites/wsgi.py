"""An application of bare WSGI."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from instrument.integrations.wsgi import ScopeMiddleware
from tests.integrations import shop
from tests.integrations.sites.asgi import path_params

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from typing_extensions import Unpack

    from instrument.integrations.entry import Options


def user_scope(environ: WSGIEnvironment) -> dict[str, Any]:
    params = path_params({"path": environ["PATH_INFO"]})
    return shop.fields(environ.get("HTTP_X_USER"), {"project_id": int(params["project_id"])})


def make_app(**options: Unpack[Options]) -> ScopeMiddleware:
    return ScopeMiddleware(app, scope_from=user_scope, **options)


@shop.views_of_requests
def refused(request: Any) -> None:
    del request
    raise RuntimeError("crashed")


class Later:
    """A response that does something when it is closed."""

    def __init__(self, order: str) -> None:
        self.order = order

    def __iter__(self) -> Iterator[bytes]:
        yield b"later"

    def close(self) -> None:
        shop.mail(self.order)


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    params = path_params({"path": environ["PATH_INFO"]})
    what, order = params["what"], params["order"]
    if what == "refused":
        refused(SimpleNamespace(path_params=params))
    start_response("200 OK", [])
    if what == "stream":
        return shop.parts(order, parse_qs(environ["QUERY_STRING"]).get("how", [""])[0])
    if what == "later":
        return Later(order)
    if what == "thread":
        shop.sign_in()
    return [shop.place(order).encode()]
