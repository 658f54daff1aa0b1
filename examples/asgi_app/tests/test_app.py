from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from examples.asgi_app.app import ThingOrdered, ThingPacked, shop

if TYPE_CHECKING:
    from instrument.testing import Recorder


async def test_the_stock_knows_the_customer_of_the_shop_and_believes_nobody_else(tracked: Recorder) -> None:
    headers = {"x-user": "7", "baggage": "user_id=8"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop), base_url="http://shop") as client:
        assert (await client.get("/lamp", headers=headers)).text == "it comes"
    assert tracked.events == [ThingPacked(user_id=7, thing="lamp"), ThingOrdered(user_id=7, thing="lamp")]
