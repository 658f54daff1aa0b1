"""The events of the library, and its middleware, which the setting `MIDDLEWARE` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument import Scope, Track
from instrument.integrations.django import scope_middleware

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReaderScope(Scope):
    """Who reads."""

    user_id: str


class ShelfScope(ReaderScope):
    """Where the book stands."""

    shelf: int


class BookLent(Track, ShelfScope):
    """A book was lent to a reader."""

    title: str


class BookNotLent(Track, ShelfScope):
    """A reader did not get a book."""

    title: str


def reader(request: HttpRequest) -> ShelfScope:
    """Every middleware has seen the request when this is called, and its URL is resolved."""
    assert request.resolver_match is not None
    return ShelfScope(user_id=request.headers["X-Reader"], shelf=request.resolver_match.kwargs["shelf"])


middleware = scope_middleware(reader)
