"""A project of Django, in whatever mode it is served, with a view of Django REST framework."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings

if not settings.configured:
    settings.configure()

import django
from django.core.asgi import get_asgi_application
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.test import override_settings
from django.urls import include, path

from instrument.integrations.django import scope_middleware
from tests.integrations import shop
from tests.integrations.serving import uvicorn_thread, werkzeug_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Unpack

    from instrument.integrations.entry import Options

django.setup()


def user_scope(request: HttpRequest) -> dict[str, Any]:
    assert request.resolver_match is not None
    return shop.fields(request.headers.get("x-user"), request.resolver_match.kwargs)


def place(request: HttpRequest, project_id: int, order: str) -> HttpResponse:
    del request, project_id
    sleep(0.005)
    return HttpResponse(shop.place(order))


async def place_async(request: HttpRequest, project_id: int, order: str) -> HttpResponse:
    del request, project_id
    await asyncio.sleep(0.005)
    return HttpResponse(await shop.place_async(order))


@shop.views
def refused(request: HttpRequest, project_id: int, order: str) -> HttpResponse:
    del project_id, order
    how = request.GET["how"]
    if how == "crash":
        raise RuntimeError("crashed")
    if how == "raise404":
        raise Http404
    if how == "raise403":
        raise PermissionDenied
    status = int(how[-3:])
    return HttpResponseRedirect("/") if status < 400 else HttpResponse("refused", status=status)


def stream(request: HttpRequest, project_id: int, order: str) -> StreamingHttpResponse:
    del project_id
    return StreamingHttpResponse(shop.parts(order, request.GET.get("how", "")))


async def stream_async(request: HttpRequest, project_id: int, order: str) -> StreamingHttpResponse:
    del project_id
    return StreamingHttpResponse(shop.parts_async(order, request.GET.get("how", "")))


async def thread(request: HttpRequest, project_id: int, order: str) -> HttpResponse:
    del request, project_id
    await sync_to_async(shop.sign_in)()
    return HttpResponse(shop.place(order))


urlpatterns = [
    path(
        "projects/<int:project_id>/",
        include(
            [
                path("place/<order>", place),
                path("place-async/<order>", place_async),
                path("refused/<order>", refused),
                path("stream/<order>", stream),
                path("stream-async/<order>", stream_async),
                path("thread/<order>", thread),
            ]
        ),
    )
]

middleware: Any = scope_middleware(user_scope)


@contextmanager
def _project(**options: Unpack[Options]) -> Iterator[None]:
    """Serve the views of this module, whatever another test has configured Django with."""
    global middleware  # noqa: PLW0603 - Django finds it by its name
    middleware = scope_middleware(user_scope, **options)
    with override_settings(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[f"{__name__}.middleware"],
        DEBUG=False,
        LOGGING_CONFIG=None,
    ):
        yield


@contextmanager
def served_by_wsgi(options: Options) -> Iterator[str]:
    with _project(**options), werkzeug_thread(get_wsgi_application()) as address:
        yield address


@contextmanager
def served_by_asgi(options: Options) -> Iterator[str]:
    with _project(**options), uvicorn_thread(get_asgi_application()) as address:
        yield address
