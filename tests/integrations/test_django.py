"""Django's own: its users, its REST framework, middlewares of either mode around ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if not settings.configured:
    settings.configure()

import django
from django.http import FileResponse, HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.django import scope_middleware
from instrument.integrations.entry import RequestContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument.testing import Recorder

django.setup()


class DjangoEntryScope(Scope):
    user_id: str
    django_project: int | None = None


class DjangoThingDone(Track, DjangoEntryScope):
    pass


class DjangoThingRefused(Track, DjangoEntryScope):
    error: str = ""


views = tracks(DjangoThingDone, failure=DjangoThingRefused.from_call(error="error"))


def scope_of(request: HttpRequest) -> dict[str, Any]:
    assert request.resolver_match is not None
    return {"user_id": request.user.pk, "django_project": request.resolver_match.kwargs.get("project_id")}


async def scope_of_async(request: HttpRequest) -> dict[str, Any]:
    return scope_of(request)


of_function = scope_middleware(scope_of, context=RequestContext(page=True, user_agent=False))
of_coroutine = scope_middleware(scope_of_async)
of_server_errors = scope_middleware(scope_of, failing=range(500, 600))


class SignedIn:
    pk = "ann"
    is_active = True


def signing_in(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A synchronous middleware, as most of Django's are."""

    def middleware(request: HttpRequest) -> Any:
        request.user = SignedIn()  # type: ignore[assignment]
        return get_response(request)

    return middleware


@views
def view(request: HttpRequest, project_id: int) -> HttpResponse:
    return HttpResponse("done")


@views
async def async_view(request: HttpRequest, project_id: int) -> HttpResponse:
    return HttpResponse("done")


def file_view(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))  # noqa: PTH123 - Django closes it


def values_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request_scope.values()))


def rest_view(request: HttpRequest) -> Any:
    # Imported when it is served: it reads settings as it is imported.
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import NotFound
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Token(BaseAuthentication):  # type: ignore[misc]
        def authenticate(self, request: Any) -> tuple[Any, None]:
            user = SignedIn()
            user.pk = request.headers["Authorization"]
            return user, None

    class Scoped(APIView):  # type: ignore[misc]
        authentication_classes = (Token,)
        permission_classes = ()

        def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            super().initial(request, *args, **kwargs)
            request_scope.user_id = request.user.pk

        @views
        def get(self, request: Any) -> Any:
            if "missing" in request.query_params:
                raise NotFound
            status = int(request.query_params.get("status", 200))
            return Response({"done": True}, status=status)

    return Scoped.as_view()(request)


urlpatterns = [
    path("<int:project_id>/view", view),
    path("<int:project_id>/async-view", async_view),
    path("values", values_view),
    path("rest", rest_view),
]


def project(*middlewares: str, **more: Any) -> Any:
    installed = {"MIDDLEWARE": [f"{__name__}.{name}" for name in middlewares], **more}
    return override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], DEBUG=False, **installed)


@pytest.fixture(params=["signing_in of_function", "of_function signing_in", "signing_in of_coroutine"])
def middlewares(request: pytest.FixtureRequest) -> Iterator[None]:
    with project(*request.param.split()):
        yield


DONE = DjangoThingDone(user_id="ann", django_project=3)


@pytest.mark.usefixtures("middlewares")
@pytest.mark.parametrize("name", ["view", "async-view"])
def test_under_wsgi_the_function_knows_the_user_and_the_path_wherever_the_middleware_stands(
    name: str, tracked: Recorder
) -> None:
    assert Client().get(f"/3/{name}").content == b"done"
    assert tracked.events == [DONE]
    assert request_scope.values() == {}


@pytest.mark.usefixtures("middlewares")
@pytest.mark.parametrize("name", ["view", "async-view"])
async def test_under_asgi_the_function_knows_the_user_and_the_path_wherever_the_middleware_stands(
    name: str, tracked: Recorder
) -> None:
    assert (await AsyncClient().get(f"/3/{name}")).content == b"done"
    assert tracked.events == [DONE]


def test_the_context_has_the_path(tracked: Recorder) -> None:
    with project("signing_in", "of_function"):
        Client().get("/3/view?a=b")
    assert b'"page":{"path":"/3/view"}' in tracked.envelopes[0].body


def test_a_url_that_leads_nowhere_is_answered_as_ever(tracked: Recorder) -> None:
    with project("signing_in", "of_function"):
        assert Client().get("/nowhere").status_code == 404


def test_a_file_is_sent_as_ever_and_the_scope_ends() -> None:
    with open(__file__, "rb") as file:  # noqa: PTH123
        response: Any = of_function(lambda _: FileResponse(file))(HttpRequest())
        assert response.file_to_stream is file  # what a server can hand to the system
    assert request_scope.values() == {}


@pytest.mark.parametrize(
    ("middleware", "query", "expected"),
    [
        ("of_nothing", "", DjangoThingDone(user_id="bob")),
        ("of_nothing", "?missing=1", DjangoThingRefused(user_id="bob", error="Not found.")),
        ("of_nothing", "?status=409", DjangoThingRefused(user_id="bob", error="status 409")),
        ("of_nothing_but_server_errors", "?missing=1", None),
        ("of_nothing_but_server_errors", "?status=409", DjangoThingDone(user_id="bob")),
    ],
)
def test_a_view_of_the_rest_framework_assigns_whom_it_has_authenticated_and_fails_by_its_status(
    middleware: str, query: str, expected: Any, tracked: Recorder
) -> None:
    apps = ["rest_framework"]
    with project(middleware, INSTALLED_APPS=apps, REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        assert Client().get(f"/rest{query}", headers={"authorization": "bob"}).status_code in (200, 404, 409)
    assert tracked.events == ([] if expected is None else [expected])


of_nothing = scope_middleware()
of_nothing_but_server_errors = scope_middleware(failing=range(500, 600))
