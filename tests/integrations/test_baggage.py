"""The request scope between services: written, read, and never trusted unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from instrument import Scope, request_scope
from instrument.integrations.baggage import MOST_BYTES, MOST_MEMBERS, Propagated, extract, inject

if TYPE_CHECKING:
    from instrument.testing import Recorder


class BaggageScope(Scope):
    user_id: str
    baggage_project: Annotated[int, Propagated(), Field(ge=0)]
    baggage_token: Annotated[UUID | None, Propagated()] = None
    baggage_name: Annotated[str | None, Propagated] = None
    baggage_secret: str | None = None


TOKEN = UUID("00000000-0000-4000-8000-000000000007")


def sent(**fields: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    with request_scope(**fields):
        inject(headers)
    return headers


def test_only_fields_marked_as_propagated_are_sent() -> None:
    assert sent(baggage_project=7, baggage_token=TOKEN, baggage_secret="s") == {
        "baggage": f"baggage_project=7,baggage_token={TOKEN}"
    }


def test_without_a_field_to_send_no_header_is_written() -> None:
    assert sent(baggage_secret="s") == {}


def test_what_is_sent_arrives_with_its_types() -> None:
    fields = {"baggage_project": 7, "baggage_token": TOKEN, "baggage_name": 'ä, b;c="d"\\e%\n'}
    assert extract(sent(**fields), trust=True) == fields


def test_nothing_is_taken_that_is_not_trusted() -> None:
    headers = sent(baggage_project=7, baggage_name="a")
    assert extract(headers) == {}
    assert extract(headers, trust=["baggage_name"]) == {"baggage_name": "a"}


def test_a_field_that_is_not_marked_is_not_taken_whoever_sends_it() -> None:
    assert extract({"baggage": "baggage_secret=s,unknown=1"}, trust=True) == {}


def test_what_others_have_put_into_the_header_stays_there() -> None:
    headers = {"Baggage": "trace=a;ttl=1, baggage_project=1"}
    with request_scope(baggage_project=7):
        inject(headers)
    assert headers == {"Baggage": "trace=a;ttl=1,baggage_project=7"}


@pytest.mark.instrument_lenient
def test_what_has_no_room_in_the_header_is_left_out_and_told(
    tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    others = ",".join(f"key{number}=1" for number in range(MOST_MEMBERS))
    headers = {"baggage": others}
    with request_scope(baggage_project=7):
        inject(headers)
    assert headers == {"baggage": others}
    assert "above the limit of 64 members" in caplog.text
    assert sent(baggage_name="x" * MOST_BYTES) == {}


HOSTILE = {
    "no value": ("baggage_project", {}),
    "no number": ("baggage_project=seven", {}),
    "below its minimum": ("baggage_project=-7", {}),
    "percent-encoded": ("baggage_project=%37", {"baggage_project": 7}),
    "half a percent sign": ("baggage_name=a%4", {}),
    "no UTF-8": ("baggage_name=%ff", {}),
    "a quote": ('baggage_name="a"', {}),
    "properties": ("baggage_project = 7 ;ttl=1; x", {"baggage_project": 7}),
    "spaces": (" \tbaggage_project=7\t, baggage_name = b ", {"baggage_project": 7, "baggage_name": "b"}),
    "twice the same": ("baggage_project=7,baggage_project=7", {"baggage_project": 7}),
    "twice different": ("baggage_project=7,baggage_project=8,baggage_name=a", {"baggage_name": "a"}),
    "different and back": ("baggage_project=7,baggage_project=8,baggage_project=7", {}),
    "a malformed one beside a good one": ("=,;,baggage name=1,baggage_project=7", {"baggage_project": 7}),
    "too long": ("baggage_project=7," + "x" * MOST_BYTES, {}),
    "too many": ("a=1," * MOST_MEMBERS + "baggage_project=7", {}),
    "an endless number": ("baggage_project=" + "9" * 5_000, {}),
}


@pytest.mark.parametrize(("header", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_of_a_hostile_header_only_what_is_sound_is_taken(header: str, expected: dict[str, Any]) -> None:
    assert extract({"baggage": header}, trust=True) == expected


def test_headers_may_be_pairs_of_bytes_and_come_repeatedly() -> None:
    pairs = [(b"Baggage", b"baggage_project=7"), (b"host", b"a"), (b"baggage", b"baggage_name=b")]
    assert extract(pairs, trust=True) == {"baggage_project": 7, "baggage_name": "b"}


@given(st.text(max_size=200))
def test_no_header_raises(header: str) -> None:
    extract({"baggage": header}, trust=True)


@given(st.lists(st.tuples(st.sampled_from(["baggage_project", "baggage_name", ""]), st.text(max_size=9))))
def test_no_members_raise_and_what_is_taken_has_its_type(members: list[tuple[str, str]]) -> None:
    found = extract({"baggage": ",".join(f"{name}={value}" for name, value in members)}, trust=True)
    assert {type(value) for name, value in found.items() if name == "baggage_project"} <= {int}


@given(st.text(min_size=1, max_size=50))
def test_any_text_arrives_as_it_was_sent(text: str) -> None:
    headers = sent(baggage_name=text)
    assert headers["baggage"].isascii()
    assert extract(headers, trust=True) == {"baggage_name": text}


@pytest.mark.parametrize("headers", [None, 7, {"baggage": None}, [("baggage",)], {b"baggage": 7}], ids=repr)
def test_what_are_no_headers_hold_nothing(headers: Any) -> None:
    assert extract(headers, trust=True) == {}
