"""Amplitude: each call as the events that its documentation asks for, to a server that takes nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads it

from instrument import Held, Rejected
from instrument.delivery.destinations.amplitude import AmplitudeDestination
from instrument.version import LIBRARY, VERSION
from tests.delivery.destinations.vendors import Reply, Request, Strict, Vendor, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_delivery

ID = "00000000-0000-7000-8000-00000000000"
NEW_YEAR = 1_767_225_600_000
AROUND = {"time": NEW_YEAR, "library": f"{LIBRARY}/{VERSION}"}
Text = Annotated[str, Field(min_length=1)]


class Change(Strict):
    set: Annotated[dict[str, Any], Field(alias="$set")]


class Event(Strict):
    """https://amplitude.com/docs/apis/analytics/http-v2#keys-for-the-event-argument"""

    event_type: Text
    user_id: Text | None = None
    device_id: Text | None = None
    event_properties: dict[str, Any] | None = None
    user_properties: Change | None = None
    groups: dict[str, Text] | None = None
    group_properties: Change | None = None
    time: Annotated[int, Field(gt=1_000_000_000_000)]
    insert_id: Text
    ip: str | None = None
    language: str | None = None
    library: str

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        assert self.user_id or self.device_id
        if self.event_type == "$groupidentify":
            assert self.groups
            assert self.group_properties
        elif self.event_type == "$identify":
            assert self.user_properties
        else:
            assert self.event_properties is not None
        return self


class Options(Strict):
    min_id_length: Literal[1]


class Batch(Strict):
    api_key: str
    events: Annotated[list[Event], Field(min_length=1, max_length=2_000)]
    options: Options


def answer(request: Request) -> Reply:
    assert (request.path, request.query) == ("/batch", "")
    batch = TypeAdapter(Batch).validate_json(request.body)
    if batch.api_key != "key":
        return Reply(400, {"code": 400, "error": f"Invalid API key: {batch.api_key}"})
    assert len({event.insert_id for event in batch.events}) == len(batch.events)
    return Reply(200, {"code": 200, "events_ingested": len(batch.events)})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor(answer) as running:
        yield running


@pytest.fixture
def destination(vendor: Vendor) -> Iterator[AmplitudeDestination]:
    made = AmplitudeDestination("key", host=vendor.url + "/", group_type="firm")
    yield made
    made.close()


def test_each_call_is_the_events_that_amplitude_asks_for(vendor: Vendor, destination: AmplitudeDestination) -> None:
    destination.send(one_of_each()[:-1])
    assert vendor.complaints == []
    (request,) = vendor.taken
    user = {**AROUND, "user_id": "7"}
    assert request.json["events"] == [
        {
            **user,
            "event_type": "Vendor Parcel Sent",
            "event_properties": {"weight": 2.5, "to": None},
            "ip": "192.0.2.1",
            "language": "de-CH",
            "insert_id": f"{ID}1",
        },
        {
            **AROUND,
            "event_type": "Vendor Parcel Seen",
            "event_properties": {"weight": 2.5},
            "device_id": "a-1",
            "insert_id": "no uuid",
        },
        {**user, "event_type": "$identify", "user_properties": {"$set": {"plan": "free"}}, "insert_id": f"{ID}3"},
        {
            **user,
            "device_id": "a-1",
            "event_type": "$identify",
            "user_properties": {"$set": {"plan": "paid"}},
            "insert_id": f"{ID}4",
        },
        {
            **user,
            "event_type": "$identify",
            "groups": {"firm": "3"},
            "user_properties": {"$set": {"firm": "3"}},
            "insert_id": f"{ID}5",
        },
        {
            **user,
            "event_type": "$groupidentify",
            "groups": {"firm": "3"},
            "group_properties": {"$set": {"seats": 5}},
            "insert_id": f"{ID}5:group",
        },
        {
            **user,
            "event_type": "Viewed Docs Page",
            "event_properties": {"url": "https://example.com/docs", "name": "Docs", "category": "Help"},
            "insert_id": f"{ID}6",
        },
        {
            **user,
            "event_type": "Viewed Start Screen",
            "event_properties": {"width": 320, "name": "Start"},
            "insert_id": f"{ID}7",
        },
    ]


def test_an_alias_is_rejected(vendor: Vendor, destination: AmplitudeDestination) -> None:
    with pytest.raises(Rejected, match="Amplitude has no call like alias"):
        destination.send(one_of_each()[-1:])
    assert vendor.requests == []


def test_a_wrong_key_holds_the_batch_though_amplitude_calls_it_a_bad_request(vendor: Vendor) -> None:
    destination = AmplitudeDestination("wrong", host=vendor.url)
    with pytest.raises(Held, match="answered 400 Bad Request: check the project's API key") as caught:
        destination.send(one_of_each()[:1])
    destination.close()
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"error": "Request missing required field", "missing_field": "api_key"}, Held),
        ({"error": "Request missing required field", "missing_field": "events"}, Rejected),
        ({"events_with_invalid_fields": {"time": [3]}}, Rejected),
        (["?"], Rejected),
        (None, Rejected),
    ],
    ids=str,
)
def test_only_what_is_said_of_the_key_is_about_the_key(
    vendor: Vendor, destination: AmplitudeDestination, document: Any, kind: type[Exception]
) -> None:
    vendor.instead = Reply(400, document)
    with pytest.raises((Held, Rejected)) as caught:
        destination.send(one_of_each()[:1])
    assert type(caught.value) is kind
