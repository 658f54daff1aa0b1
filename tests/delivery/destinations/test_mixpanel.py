"""Mixpanel: each call as the updates that its documentation asks for, to a server that takes nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from instrument import Identify, Rejected, Scope
from instrument.delivery.destinations.mixpanel import MixpanelDestination
from instrument.testing import FixedStamps, Recorder
from instrument.version import LIBRARY
from tests.delivery.destinations.vendors import Reply, Request, Strict, Vendor, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_delivery

ID = "00000000-0000-7000-8000-00000000000"
NEW_YEAR = 1_767_225_600_000
AROUND = {"time": NEW_YEAR, "mp_lib": LIBRARY}
Text = Annotated[str, Field(min_length=1)]
# Those of which Mixpanel says that they are nobody.
NOBODY = frozenset({"anon", "anonymous", "nil", "none", "null", "n/a", "undefined", "unknown", "0"})


class Event(Strict):
    """https://docs.mixpanel.com/reference/import-events"""

    event: Text
    properties: dict[str, Any]


class Set(Strict):
    """https://docs.mixpanel.com/reference/profile-set"""

    token: Annotated[Literal["token"], Field(alias="$token")]
    who: Annotated[Text, Field(alias="$distinct_id")]
    ip: Annotated[str, Field(alias="$ip")]
    set: Annotated[dict[str, Any], Field(alias="$set")]


class Union(Strict):
    """https://docs.mixpanel.com/reference/user-profile-union"""

    token: Annotated[Literal["token"], Field(alias="$token")]
    who: Annotated[Text, Field(alias="$distinct_id")]
    ip: Annotated[str, Field(alias="$ip")]
    union: Annotated[dict[str, list[Any]], Field(alias="$union")]


class GroupSet(Strict):
    """https://docs.mixpanel.com/reference/group-set-property"""

    token: Annotated[Literal["token"], Field(alias="$token")]
    key: Annotated[Text, Field(alias="$group_key")]
    id: Annotated[Text, Field(alias="$group_id")]
    set: Annotated[dict[str, Any], Field(alias="$set")]


def answer(request: Request) -> Reply:
    # The token as the user, and no password.
    assert request.headers["authorization"] == "Basic dG9rZW46"
    if request.path == "/import":
        assert request.query == "strict=1"
        events = TypeAdapter(list[Event]).validate_json(request.body)
        assert 0 < len(events) <= 2_000
        for event in events:
            assert event.properties["time"] > 1_000_000_000_000
            assert re.fullmatch(r"[A-Za-z0-9-]{1,36}", event.properties["$insert_id"])
            assert event.properties["distinct_id"].lower() not in NOBODY
        return Reply(200, {"code": 200, "num_records_imported": len(events), "status": "OK"})
    assert request.query == "verbose=1"
    kind: Any = {"/engage": Set | Union, "/groups": GroupSet}[request.path]
    assert 0 < len(TypeAdapter(list[kind]).validate_json(request.body)) <= 200
    return Reply(200, {"status": 1, "error": None})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor(answer) as running:
        yield running


@pytest.fixture
def destination(vendor: Vendor) -> Iterator[MixpanelDestination]:
    made = MixpanelDestination("token", host=vendor.url + "/", group_key="firm_id")
    yield made
    made.close()


def test_each_call_is_the_updates_that_mixpanel_asks_for(vendor: Vendor, destination: MixpanelDestination) -> None:
    destination.send(one_of_each()[:-1])
    assert vendor.complaints == []
    user = {**AROUND, "distinct_id": "7", "$user_id": "7"}
    assert {request.path: request.json for request in vendor.taken} == {
        "/import": [
            {
                "event": "Vendor Parcel Sent",
                "properties": {
                    "weight": 2.5,
                    "to": None,
                    "$current_url": "https://example.com/a",
                    "$referrer": "https://example.com/",
                    "ip": "192.0.2.1",
                    "$insert_id": f"{ID}1",
                    **user,
                },
            },
            {
                "event": "Vendor Parcel Seen",
                "properties": {
                    "weight": 2.5,
                    "distinct_id": "$device:a-1",
                    "$device_id": "a-1",
                    "$insert_id": "88d511df-e1e6-537d-a5ed-fddf2802c491",
                    **AROUND,
                },
            },
            {
                "event": "$identify",
                "properties": {
                    "$identified_id": "7",
                    "$anon_id": "a-1",
                    "$device_id": "a-1",
                    "$insert_id": f"{ID}4",
                    **user,
                },
            },
            {
                "event": "Viewed Docs Page",
                "properties": {
                    "url": "https://example.com/docs",
                    "name": "Docs",
                    "category": "Help",
                    "$current_url": "https://example.com/docs",
                    "$insert_id": f"{ID}6",
                    **user,
                },
            },
            {
                "event": "Viewed Start Screen",
                "properties": {"width": 320, "name": "Start", "$insert_id": f"{ID}7", **user},
            },
        ],
        "/engage": [
            {"$token": "token", "$distinct_id": "7", "$ip": "0", "$set": {"plan": "free"}},
            {"$token": "token", "$distinct_id": "7", "$ip": "0", "$set": {"plan": "paid"}},
            {"$token": "token", "$distinct_id": "7", "$ip": "0", "$union": {"firm_id": ["3"]}},
        ],
        "/groups": [{"$token": "token", "$group_key": "firm_id", "$group_id": "3", "$set": {"seats": 5}}],
    }


class MixpanelScope(Scope):
    user_id: int


class MixpanelKnown(Identify, MixpanelScope):
    email: str
    firstName: str
    plan: str


def test_traits_have_the_names_that_mixpanel_has_for_them(vendor: Vendor, destination: MixpanelDestination) -> None:
    recorder = Recorder(stamps=FixedStamps())
    recorder.client.identify(
        MixpanelKnown(user_id=7, email="a@example.com", firstName="Ada", plan="free"), context={"ip": "192.0.2.1"}
    )
    destination.send(recorder.envelopes)
    (request,) = vendor.taken
    assert request.json == [
        {
            "$token": "token",
            "$distinct_id": "7",
            "$ip": "192.0.2.1",
            "$set": {"$email": "a@example.com", "$first_name": "Ada", "plan": "free"},
        }
    ]


def test_an_alias_is_rejected(vendor: Vendor, destination: MixpanelDestination) -> None:
    with pytest.raises(Rejected, match="Mixpanel has no call like alias"):
        destination.send(one_of_each()[-1:])
    assert vendor.requests == []


@pytest.mark.parametrize("document", [{"status": 0, "error": "malformed"}, 0, None], ids=str)
def test_an_answer_that_says_no_by_a_status_of_200_rejects(
    vendor: Vendor, destination: MixpanelDestination, document: Any
) -> None:
    vendor.instead = Reply(200, document)
    with pytest.raises(Rejected, match="/engage answered that it took nothing"):
        destination.send(one_of_each()[2:3])
