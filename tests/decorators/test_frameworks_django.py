# mypy: disable-error-code="import-untyped, misc, untyped-decorator"
# Django has no types of its own.
"""Django sees a decorated view as the function under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if not settings.configured:
    settings.configure()

import django
from django.core.exceptions import PermissionDenied
from django.dispatch import Signal, receiver
from django.http import Http404, HttpRequest, JsonResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path, resolve, reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_GET

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder

django.setup()


class DjangoScope(Scope):
    user_id: int


class DjangoPostRead(Track, DjangoScope):
    post_id: int


class DjangoPostRefused(Track, DjangoScope):
    post_id: int
    reason: str


def requested_by(call: Any) -> int:
    return int(call.arguments["request"].GET["user"])


reads = tracks(
    DjangoPostRead.from_call(user_id=requested_by),
    failure=DjangoPostRefused.from_call(user_id=requested_by, reason="error"),
)
READ = DjangoPostRead(user_id=7, post_id=3)


@reads
def read(request: HttpRequest, post_id: int) -> JsonResponse:
    if post_id == 0:
        raise Http404("no such post")
    if post_id == 1:
        raise PermissionDenied("not yours")
    return JsonResponse({"post_id": post_id})


@reads
async def read_async(request: HttpRequest, post_id: int) -> JsonResponse:
    if post_id == 0:
        raise Http404("no such post")
    return JsonResponse({"post_id": post_id})


@require_GET
@reads
def read_only(request: HttpRequest, post_id: int) -> JsonResponse:
    return JsonResponse({"post_id": post_id})


@reads
@require_GET
def read_only_below(request: HttpRequest, post_id: int) -> JsonResponse:
    return JsonResponse({"post_id": post_id})


class PostView(View):
    @reads
    def get(self, request: HttpRequest, post_id: int) -> JsonResponse:
        return JsonResponse({"post_id": post_id})

    @reads
    def post(self, request: HttpRequest, post_id: int) -> JsonResponse:
        raise PermissionDenied("not yours")


class PlainView(View):
    def get(self, request: HttpRequest, post_id: int) -> JsonResponse:
        return JsonResponse({"post_id": post_id})


class AsyncPostView(View):
    @reads
    async def get(self, request: HttpRequest, post_id: int) -> JsonResponse:
        return JsonResponse({"post_id": post_id})


@method_decorator(reads, name="get")
class ByMethodDecorator(View):
    def get(self, request: HttpRequest, post_id: int) -> JsonResponse:
        return JsonResponse({"post_id": post_id})


urlpatterns = [
    path("view/<int:post_id>", read, name="read"),
    path("async-view/<int:post_id>", read_async),
    path("read-only/<int:post_id>", read_only),
    path("read-only-below/<int:post_id>", read_only_below),
    path("class/<int:post_id>", PostView.as_view()),
    path("async-class/<int:post_id>", AsyncPostView.as_view()),
    path("method-decorator/<int:post_id>", ByMethodDecorator.as_view()),
    path("above/<int:post_id>", reads(PlainView.as_view())),
]


@pytest.fixture(autouse=True)
def project() -> Iterator[None]:
    """Serve the views of this module, whatever another test has configured Django with."""
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], MIDDLEWARE=[], DEBUG=False):
        yield


PATHS = ["view", "async-view", "read-only", "read-only-below", "class", "async-class", "method-decorator", "above"]


@pytest.mark.parametrize("name", PATHS)
def test_a_decorated_view_answers_and_emits(tracked: Recorder, name: str) -> None:
    response = Client().get(f"/{name}/3?user=7")
    assert (response.status_code, response.json()) == (200, {"post_id": 3})
    assert tracked.events == [READ]


@pytest.mark.parametrize("name", PATHS)
async def test_a_decorated_view_answers_and_emits_under_asgi(tracked: Recorder, name: str) -> None:
    response = await AsyncClient().get(f"/{name}/3?user=7")
    assert (response.status_code, response.json()) == (200, {"post_id": 3})
    assert tracked.events == [READ]


@pytest.mark.parametrize("name", ["view", "async-view"])
def test_an_exception_that_django_answers_emits_the_failure(tracked: Recorder, name: str) -> None:
    assert Client().get(f"/{name}/0?user=7").status_code == 404
    assert tracked.events == [DjangoPostRefused(user_id=7, post_id=0, reason="no such post")]


def test_a_refused_method_of_a_class_based_view_emits_the_failure(tracked: Recorder) -> None:
    assert Client().post("/class/3?user=7").status_code == 403
    assert tracked.events == [DjangoPostRefused(user_id=7, post_id=3, reason="not yours")]


def test_a_method_that_is_not_allowed_never_reaches_the_handler_below(tracked: Recorder) -> None:
    assert Client().post("/read-only/3?user=7").status_code == 405
    assert tracked.events == []


def test_an_unexpected_exception_reaches_the_test_client_as_the_very_object(tracked: Recorder) -> None:
    with pytest.raises(PermissionDenied, match=r"^not yours$"):
        read(RequestFactory().get("/", {"user": "7"}), 1)
    assert tracked.events == [DjangoPostRefused(user_id=7, post_id=1, reason="not yours")]


def test_a_view_called_with_a_request_of_the_factory_emits(tracked: Recorder) -> None:
    request = RequestFactory().get("/", {"user": "7"})
    assert PostView.as_view()(request, post_id=3).status_code == 200
    assert read(request, post_id=3).status_code == 200
    assert tracked.events == [READ, READ]


def test_a_decorated_view_is_found_by_its_name() -> None:
    assert reverse("read", args=[3]) == "/view/3"
    assert resolve("/view/3").func.__name__ == "read"
    assert resolve("/view/3")._func_path == f"{__name__}.read"


def test_a_decorated_async_view_is_known_to_be_one() -> None:
    assert AsyncPostView.view_is_async
    assert not PostView.view_is_async


def test_a_decorated_receiver_hears_its_signal(tracked: Recorder) -> None:
    saved = Signal()

    @receiver(saved)
    @tracks(DjangoPostRead)
    def hear(sender: object, user_id: int, post_id: int, **kwargs: object) -> str:
        return "heard"

    assert saved.send(sender=None, user_id=7, post_id=3) == [(hear, "heard")]
    assert saved.disconnect(hear)
    assert saved.send(sender=None, user_id=7, post_id=3) == []
    assert tracked.events == [READ]
