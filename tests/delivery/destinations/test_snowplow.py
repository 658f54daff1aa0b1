"""Snowplow: each call as the event that the tracker protocol asks for, to a server that takes nothing else."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from instrument.delivery.destinations.snowplow import SnowplowDestination
from instrument.version import LIBRARY, VERSION
from tests.delivery.destinations.vendors import Reply, Request, Strict, Vendor, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_delivery

ID = "00000000-0000-7000-8000-00000000000"
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
MILLISECONDS = r"^[0-9]{13}$"
IGLU = r"^iglu:[a-zA-Z0-9-_.]+/[a-zA-Z0-9-_]+/jsonschema/[1-9][0-9]*-[0-9]+-[0-9]+$"


class Event(Strict):
    """Of iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4, the parameters that a server has."""

    e: Literal["ue"]
    p: Literal["srv"]
    tv: str
    ue_pr: str
    eid: Annotated[str, Field(pattern=UUID)]
    dtm: Annotated[str, Field(pattern=MILLISECONDS)]
    stm: Annotated[str, Field(pattern=MILLISECONDS)]
    aid: str | None = None
    uid: str | None = None
    duid: str | None = None
    ip: str | None = None
    ua: str | None = None
    lang: str | None = None
    url: str | None = None
    page: str | None = None
    refr: str | None = None


class Described(Strict):
    schema_: Annotated[str, Field(alias="schema", pattern=IGLU)]
    data: dict[str, Any]


class SelfDescribing(Strict):
    schema_: Annotated[
        Literal["iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"], Field(alias="schema")
    ]
    data: Described


class Payload(Strict):
    schema_: Annotated[
        Literal["iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"], Field(alias="schema")
    ]
    data: Annotated[list[Event], Field(min_length=1)]


def answer(request: Request) -> Reply:
    assert (request.path, request.query) == ("/com.snowplowanalytics.snowplow/tp2", "")
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    for event in TypeAdapter(Payload).validate_json(request.body).data:
        TypeAdapter(SelfDescribing).validate_json(event.ue_pr)
    return Reply(200, "ok")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor(answer) as running:
        yield running


def test_each_call_is_the_event_that_snowplow_asks_for(vendor: Vendor) -> None:
    destination = SnowplowDestination(
        vendor.url + "/", vendor="com.acme", app_id="shop", versions={"Vendor Parcel Seen": "2-0-0"}
    )
    before = time.time() * 1_000 - 1
    destination.send(one_of_each())
    destination.close()
    assert vendor.complaints == []
    (request,) = vendor.taken
    events = request.json["data"]
    assert all(before <= float(event.pop("stm")) <= time.time() * 1_000 + 1 for event in events)
    described = [json.loads(event.pop("ue_pr"))["data"] for event in events]
    around = {"e": "ue", "p": "srv", "tv": f"{LIBRARY}-{VERSION}", "aid": "shop", "dtm": "1767225600000"}
    user = {**around, "uid": "7"}
    assert events == [
        {
            **user,
            "eid": f"{ID}1",
            "ip": "192.0.2.1",
            "ua": "tests",
            "lang": "de-CH",
            "url": "https://example.com/a",
            "refr": "https://example.com/",
        },
        {**around, "duid": "a-1", "eid": "88d511df-e1e6-537d-a5ed-fddf2802c491"},
        {**user, "eid": f"{ID}3"},
        {**user, "duid": "a-1", "eid": f"{ID}4"},
        {**user, "eid": f"{ID}5"},
        {**user, "eid": f"{ID}6", "url": "https://example.com/docs"},
        {**user, "eid": f"{ID}7"},
        {**user, "eid": f"{ID}8"},
    ]
    at = {"timestamp": "2026-01-01T00:00:00.000Z", "userId": "7"}
    assert [(each["schema"], each["data"]) for each in described] == [
        ("iglu:com.acme/vendor_parcel_sent/jsonschema/1-0-0", {"weight": 2.5, "to": None}),
        ("iglu:com.acme/vendor_parcel_seen/jsonschema/2-0-0", {"weight": 2.5}),
        (
            "iglu:com.segment/identify/jsonschema/1-0-0",
            {"type": "identify", "traits": {"plan": "free"}, "messageId": f"{ID}3", **at},
        ),
        (
            "iglu:com.segment/identify/jsonschema/1-0-0",
            {"type": "identify", "anonymousId": "a-1", "traits": {"plan": "paid"}, "messageId": f"{ID}4", **at},
        ),
        (
            "iglu:com.segment/group/jsonschema/2-0-0",
            {"type": "group", "groupId": "3", "traits": {"seats": 5}, "messageId": f"{ID}5", **at},
        ),
        (
            "iglu:com.segment/page/jsonschema/2-0-0",
            {
                "type": "page",
                "name": "Docs",
                "category": "Help",
                "properties": {"url": "https://example.com/docs"},
                "messageId": f"{ID}6",
                **at,
            },
        ),
        (
            "iglu:com.segment/screen/jsonschema/2-0-0",
            {"type": "screen", "name": "Start", "properties": {"width": 320}, "messageId": f"{ID}7", **at},
        ),
        (
            "iglu:com.segment/alias/jsonschema/2-0-0",
            {"type": "alias", "previousId": "a-1", "messageId": f"{ID}8", **at},
        ),
    ]
