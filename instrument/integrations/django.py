"""Django: put what `scope_middleware` makes into a module of your own, and its path into `MIDDLEWARE`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from instrument.context import Intermittent
from instrument.integrations.entry import OPENED, EntryPoint, by_status, entry_point_of_service, fill
from instrument.integrations.wsgi import Environment
from instrument.outcomes import judge_raised, judge_returned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest
    from typing_extensions import Unpack

    from instrument.context import Entry
    from instrument.integrations.entry import Options, ScopeFrom


def scope_middleware(
    scope_from: ScopeFrom[HttpRequest] | None = None, **options: Unpack[Options]
) -> Callable[[Any], ScopeMiddleware]:
    """Make a middleware that opens a request scope for each request, until its response was sent.

    Args:
        scope_from: from a `django.http.HttpRequest` to the fields of its scope, `def` or `async def`. It is called
            when the URL is resolved and every middleware has seen the request: `request.user` and
            `request.resolver_match.kwargs` are known.
        options: see `instrument.integrations.entry.Options`.

    Returns:
        What Django's setting `MIDDLEWARE` names.
    """
    EntryPoint(scope_from, **options)  # what does not fit is said here

    @sync_and_async_middleware
    def middleware(get_response: Callable[[HttpRequest], Any]) -> ScopeMiddleware:
        return ScopeMiddleware(get_response, scope_from, options)

    return middleware


class ScopeMiddleware:
    """The middleware of one handler of Django, synchronous or asynchronous as that is.

    Args:
        get_response: the rest of the application.
        scope_from: see `scope_middleware`.
        options: see `instrument.integrations.entry.Options`.
    """

    def __init__(
        self, get_response: Callable[[HttpRequest], Any], scope_from: ScopeFrom[HttpRequest] | None, options: Options
    ) -> None:
        self._get_response = get_response
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)
            self.process_view: Any = self._process_view_async
        else:
            self.process_view = self._process_view
        self._entry_point = entry_point_of_service(_in_mode(scope_from, asynchronous=self._asynchronous), **options)
        if apps.is_installed("rest_framework"):
            _judge_rest_framework()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request, in its request scope."""
        return self._answer_async(request) if self._asynchronous else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        steps = Intermittent()
        with steps:
            entry = self._entered(request)
            try:
                response: HttpResponseBase = self._get_response(request)
            except BaseException:
                entry.__exit__(None, None, None)
                raise
            return _left_when_sent(response, entry, steps)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        steps = Intermittent()
        with steps:
            entry = self._entered(request)
            try:
                response: HttpResponseBase = await self._get_response(request)
            except BaseException:
                entry.__exit__(None, None, None)
                raise
            return _left_when_sent(response, entry, steps)

    def _entered(self, request: HttpRequest) -> Entry:
        entry = self._entry_point.entry(_Facts(request), {}, inherit=OPENED in request.META)
        request.META[OPENED] = entry.__enter__()
        return entry

    def _process_view(self, request: HttpRequest, *_: object) -> None:
        fill(request.META[OPENED], self._entry_point.fields(request, _Facts(request)))

    async def _process_view_async(self, request: HttpRequest, *_: object) -> None:
        fill(request.META[OPENED], await self._entry_point.fields_async(request, _Facts(request)))


class _Facts(Environment):
    """What Django knows of a request beyond the environment, which under ASGI is not whole."""

    __slots__ = ("_request",)

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.META)
        self._request = request

    @property
    def scheme(self) -> str:
        return str(self._request.scheme)

    @property
    def path(self) -> str:
        return self._request.path


class _Parts(Iterator[Any]):
    """A streamed response: the request scope ends when it is closed."""

    def __init__(self, parts: Iterator[Any], entry: Entry, steps: Intermittent) -> None:
        self._parts = parts
        self._entry = entry
        self._steps = steps

    def __next__(self) -> Any:
        with self._steps:
            return next(self._parts)

    def close(self) -> None:
        with self._steps:
            self._entry.__exit__(None, None, None)


class _AsyncParts(AsyncIterator[Any]):
    """A streamed response under ASGI."""

    def __init__(self, parts: AsyncIterator[Any], entry: Entry, steps: Intermittent) -> None:
        self._parts = parts
        self._entry = entry
        self._steps = steps

    async def __anext__(self) -> Any:
        with self._steps:
            return await anext(self._parts)

    def close(self) -> None:
        with self._steps:
            self._entry.__exit__(None, None, None)


def _left_when_sent(response: HttpResponseBase, entry: Entry, steps: Intermittent) -> HttpResponseBase:
    if not isinstance(response, StreamingHttpResponse) or isinstance(response, FileResponse):
        entry.__exit__(None, None, None)
        return response
    # Django closes what it streams; what was to be streamed before, it closes before this.
    parts: Any = response.streaming_content
    if response.is_async:
        response.streaming_content = _AsyncParts(parts, entry, steps)
    else:
        response.streaming_content = _Parts(iter(parts), entry, steps)
    return response


def _in_mode(scope_from: ScopeFrom[HttpRequest] | None, *, asynchronous: bool) -> ScopeFrom[HttpRequest] | None:
    if scope_from is None or iscoroutinefunction(scope_from) is asynchronous:
        return scope_from
    function: Any = scope_from
    # As Django does for views: a synchronous function may well query the database.
    return sync_to_async(function, thread_sensitive=True) if asynchronous else async_to_sync(function)


def _status_of_response(response: HttpResponseBase) -> int:
    return response.status_code


def _judge_rest_framework() -> None:
    def status_of(error: Any) -> int:
        return int(error.status_code)

    judge_raised(import_module("rest_framework.exceptions").APIException, by_status(status_of))


judge_returned(HttpResponseBase, by_status(_status_of_response))
judge_raised(Http404, by_status(lambda _: 404))
judge_raised(PermissionDenied, by_status(lambda _: 403))
judge_raised(SuspiciousOperation, by_status(lambda _: 400))
judge_raised(BadRequest, by_status(lambda _: 400))
