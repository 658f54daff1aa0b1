"""The services: `shop`, which anybody can reach, and `stock`, which only the shop can.

The shop knows the customer, and sends who it is along in the header `baggage`; the stock trusts that, since nobody
else can call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import httpx

from instrument import Scope, Track, tracks
from instrument.integrations.asgi import ScopeMiddleware
from instrument.integrations.baggage import Propagated, inject

if TYPE_CHECKING:
    from instrument.integrations.asgi import ASGIReceive, ASGIScope, ASGISend


class CustomerScope(Scope):
    """Who buys."""

    user_id: Annotated[int, Propagated()]


class ThingOrdered(Track, CustomerScope):
    """A customer ordered a thing."""

    thing: str


class ThingPacked(Track, CustomerScope):
    """A thing was packed for a customer."""

    thing: str


@tracks(ThingPacked)
async def pack(thing: str) -> None:
    """Pack a thing."""


async def stock_app(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
    """Pack what the path names."""
    del receive
    await pack(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@tracks(ThingOrdered)
async def order(thing: str) -> None:
    """Order a thing: the stock packs it."""
    headers: dict[str, str] = {}
    inject(headers)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(stock), base_url="http://stock") as client:
        (await client.get(f"/{thing}", headers=headers)).raise_for_status()


async def shop_app(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
    """Order what the path names."""
    del receive
    await order(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"it comes"})


def customer(scope: ASGIScope) -> CustomerScope:
    """Find out who buys."""
    return CustomerScope(user_id=int(dict(scope["headers"])[b"x-user"]))


shop = ScopeMiddleware(shop_app, scope_from=customer)
stock = ScopeMiddleware(stock_app, baggage=True)
