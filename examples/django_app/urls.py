"""The views, synchronous and asynchronous; each runs under WSGI and under ASGI."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from examples.django_app.analytics import BookLent, BookNotLent
from instrument import tracks

lends = tracks(BookLent, failure=BookNotLent)


@lends
def lend(request: HttpRequest, shelf: int, title: str) -> HttpResponse:
    """Lend a book."""
    del request, shelf
    return _lent(title)


@lends
async def lend_async(request: HttpRequest, shelf: int, title: str) -> HttpResponse:
    """Lend a book."""
    del request, shelf
    return _lent(title)


def _lent(title: str) -> HttpResponse:
    if title == "lost":
        raise Http404("nobody has seen it")
    return HttpResponse(f"enjoy {title}")


urlpatterns = [path("shelves/<int:shelf>/<title>", lend), path("async/<int:shelf>/<title>", lend_async)]
