"""PostHog: each call as the event that its documentation asks for, to a server that takes nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID  # noqa: TC003 - pydantic reads it

import pytest
from pydantic import AwareDatetime, Field, TypeAdapter

from instrument.delivery.destinations.posthog import PostHogDestination
from instrument.version import LIBRARY, VERSION
from tests.delivery.destinations.vendors import Reply, Request, Strict, Vendor, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_delivery

KEY = "phc_key"
ID = "00000000-0000-7000-8000-00000000000"
LIB = {"$lib": LIBRARY, "$lib_version": VERSION}
NO_PLACE = {**LIB, "$geoip_disable": True}
Text = Annotated[str, Field(min_length=1)]


class Event(Strict):
    """https://posthog.com/docs/api/capture"""

    event: Text
    distinct_id: Text
    properties: dict[str, Any]
    timestamp: Annotated[AwareDatetime, Field(strict=False)]
    uuid: Annotated[UUID, Field(strict=False)]


class Person(Strict):
    set: Annotated[dict[str, Any], Field(alias="$set")]


class Identity(Person):
    anonymous: Annotated[Text, Field(alias="$anon_distinct_id")]


class Company(Strict):
    type: Annotated[Text, Field(alias="$group_type")]
    key: Annotated[Text, Field(alias="$group_key")]
    set: Annotated[dict[str, Any], Field(alias="$group_set")]


class Other(Strict):
    alias: Text


class Batch(Strict):
    api_key: Literal["phc_key"]
    batch: Annotated[list[Event], Field(min_length=1)]


NEEDED: dict[str, type[Strict]] = {
    "$identify": Identity,
    "$set": Person,
    "$groupidentify": Company,
    "$create_alias": Other,
}


def answer(request: Request) -> Reply:
    assert (request.path, request.query) == ("/batch/", "")
    batch = TypeAdapter(Batch).validate_json(request.body)
    for event in batch.batch:
        if event.event in NEEDED:
            NEEDED[event.event].model_validate({k: v for k, v in event.properties.items() if k not in NO_PLACE})
    return Reply(200, {"status": "Ok"})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor(answer) as running:
        yield running


@pytest.fixture
def destination(vendor: Vendor) -> Iterator[PostHogDestination]:
    made = PostHogDestination(KEY, host=vendor.url + "/", group_type="firm")
    yield made
    made.close()


def test_each_call_is_the_event_that_posthog_asks_for(vendor: Vendor, destination: PostHogDestination) -> None:
    destination.send(one_of_each())
    assert vendor.complaints == []
    (request,) = vendor.taken
    at = {"timestamp": "2026-01-01T00:00:00.000Z"}
    assert request.json["batch"] == [
        {
            "event": "Vendor Parcel Sent",
            "distinct_id": "7",
            "properties": {
                "weight": 2.5,
                "to": None,
                "$current_url": "https://example.com/a",
                "$pathname": "/a",
                "$referrer": "https://example.com/",
                "$ip": "192.0.2.1",
                "$raw_user_agent": "tests",
                **LIB,
            },
            "uuid": f"{ID}1",
            **at,
        },
        {
            "event": "Vendor Parcel Seen",
            "distinct_id": "a-1",
            "properties": {"weight": 2.5, **NO_PLACE, "$process_person_profile": False},
            "uuid": "88d511df-e1e6-537d-a5ed-fddf2802c491",
            **at,
        },
        {
            "event": "$set",
            "distinct_id": "7",
            "properties": {"$set": {"plan": "free"}, **NO_PLACE},
            "uuid": f"{ID}3",
            **at,
        },
        {
            "event": "$identify",
            "distinct_id": "7",
            "properties": {"$anon_distinct_id": "a-1", "$set": {"plan": "paid"}, **NO_PLACE},
            "uuid": f"{ID}4",
            **at,
        },
        {
            "event": "$groupidentify",
            "distinct_id": "7",
            "properties": {"$group_type": "firm", "$group_key": "3", "$group_set": {"seats": 5}, **NO_PLACE},
            "uuid": f"{ID}5",
            **at,
        },
        {
            "event": "$pageview",
            "distinct_id": "7",
            "properties": {
                "url": "https://example.com/docs",
                "name": "Docs",
                "category": "Help",
                "$current_url": "https://example.com/docs",
                **NO_PLACE,
            },
            "uuid": f"{ID}6",
            **at,
        },
        {
            "event": "$screen",
            "distinct_id": "7",
            "properties": {"width": 320, "name": "Start", "$screen_name": "Start", **NO_PLACE},
            "uuid": f"{ID}7",
            **at,
        },
        {
            "event": "$create_alias",
            "distinct_id": "7",
            "properties": {"alias": "a-1", **NO_PLACE},
            "uuid": f"{ID}8",
            **at,
        },
    ]


def test_what_is_sent_again_is_the_same_by_which_posthog_drops_it(
    vendor: Vendor, destination: PostHogDestination
) -> None:
    for _ in range(2):
        destination.send(one_of_each())
    first, second = vendor.taken
    assert first.json == second.json
