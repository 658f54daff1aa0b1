"""What every site of these tests sells: events, and handlers that know nothing of a framework."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any

from instrument import Scope, Track, request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class ShopUserScope(Scope):
    user_id: str


class ShopScope(ShopUserScope):
    project_id: int


class ShopOrderPlaced(Track, ShopScope):
    order: str


class ShopOrderFailed(Track, ShopScope):
    order: str
    error: str = ""


class ShopPartSent(Track, ShopScope):
    order: str


class ShopReceiptMailed(Track, ShopScope):
    order: str


class ShopStockCounted(Track):
    user_id: str | None = None
    anonymous_id: str = "the shop"


# For views of frameworks, which keep the name of the order in a parameter or in the request.
views = tracks(ShopOrderPlaced, failure=ShopOrderFailed.from_call(error="error"))
views_of_requests = tracks(
    ShopOrderPlaced.from_call(order="request.path_params.order"),
    failure=ShopOrderFailed.from_call(order="request.path_params.order", error="error"),
)


class Rooms:
    """What the tests want to know of requests that have ended, by the name of their order."""

    def __init__(self) -> None:
        self.contexts: dict[str, contextvars.Context] = {}
        self.ended: dict[str, threading.Event] = {}

    def enter(self, order: str) -> None:
        self.contexts[order] = contextvars.copy_context()

    def leaving(self, order: str) -> threading.Event:
        return self.ended.setdefault(order, threading.Event())


rooms = Rooms()


@tracks(ShopOrderPlaced)
def place(order: str) -> str:
    rooms.enter(order)
    return f"placed {order}"


@tracks(ShopOrderPlaced)
async def place_async(order: str) -> str:
    return place.__wrapped__(order)  # type: ignore[attr-defined, no-any-return]


@tracks(ShopReceiptMailed)
def mail(order: str) -> None:
    rooms.leaving(order).set()


@tracks(ShopPartSent)
def send_part(order: str) -> None: ...


def parts(order: str, how: str) -> Iterator[bytes]:
    return _parts(order, how)


@tracks(ShopOrderPlaced, failure=ShopOrderFailed.from_call(error="error"))
def _parts(order: str, how: str) -> Iterator[bytes]:
    """Send two parts; break off after the first, or go on until the client is gone."""
    rooms.enter(order)
    yield b"first,"
    send_part(order)
    if how == "breaks":
        raise RuntimeError("broken off")
    while how == "endless":
        yield b"more," * 10_000
    yield b"second"


@tracks(ShopOrderPlaced, failure=ShopOrderFailed.from_call(error="error"))
async def parts_async(order: str, how: str) -> AsyncIterator[bytes]:
    rooms.enter(order)
    yield b"first,"
    send_part(order)
    if how == "breaks":
        raise RuntimeError("broken off")
    while how == "endless":
        yield b"more," * 10_000
        await asyncio.sleep(0)
    yield b"second"


@tracks(ShopStockCounted)
def count_stock() -> None: ...


def sign_in() -> None:
    """What a synchronous dependency does, which a framework runs in a thread pool."""
    request_scope.user_id = "bob"


def fields(user: str | None, path_params: Any) -> dict[str, Any]:
    """Return the fields of a request's scope, as far as they are known."""
    return {"user_id": user, "project_id": path_params.get("project_id")}
