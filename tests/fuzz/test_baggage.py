"""Any header of another service is left out or taken as the field's type, and nothing that was not trusted is."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from instrument import Scope, request_scope
from instrument.integrations.baggage import MOST_BYTES, MOST_MEMBERS, Propagated, extract, inject
from tests.fuzz.fuzzing import any_text, examples


class BaggageFuzzScope(Scope):
    user_id: Annotated[int, Propagated]
    baggage_fuzz_text: Annotated[str, Propagated]
    baggage_fuzz_key: Annotated[UUID, Propagated]
    baggage_fuzz_local: int


TYPES: dict[str, type] = {"user_id": int, "baggage_fuzz_text": str, "baggage_fuzz_key": UUID}

_keys = st.sampled_from([*TYPES, "baggage_fuzz_local", "other"]) | any_text
_values = any_text | st.sampled_from(
    ["7", "%37", "%FF", "%", "%00", "7;p=1", " 7 ", "9" * 5_000, "1e3", "7=8", "%ED%A0%80"]
)
_members = st.tuples(_keys, st.sampled_from(["=", "", " = "]), _values).map("".join)
_headers = st.lists(_members, max_size=8).map(",".join) | any_text
_names = st.sampled_from(["baggage", "Baggage", b"baggage", b"BAGGAGE", "other", 7, None]) | any_text
_requests: st.SearchStrategy[Any] = (
    st.dictionaries(_names, _headers | st.binary(), max_size=4)
    | st.lists(st.tuples(_names, _headers | st.binary() | st.integers()), max_size=4)
    | st.lists(_headers)
    | st.none()
)


@examples(150)
@given(headers=_requests)
def test_any_headers_give_values_of_the_fields_types(headers: Any) -> None:
    for name, value in extract(headers, trust=True).items():
        assert type(value) is TYPES[name]


@examples(60)
@given(headers=_requests, trusted=st.sets(st.sampled_from([*TYPES, "baggage_fuzz_local", "other"])))
def test_nothing_is_taken_that_is_not_trusted(headers: Any, trusted: set[str]) -> None:
    assert extract(headers) == {}
    assert {*extract(headers, trust=trusted)} <= trusted & {*TYPES}


@examples(80)
@given(before=_headers, text=any_text, key=st.uuids(), number=st.integers())
def test_what_is_sent_is_what_comes_whatever_stood_there_before(before: str, text: str, key: UUID, number: int) -> None:
    headers = {"baggage": before}
    with request_scope(user_id=number, baggage_fuzz_text=text, baggage_fuzz_key=key):
        inject(headers)
    if headers["baggage"] == before:  # no room
        return
    assert len(headers["baggage"]) <= MOST_BYTES
    assert headers["baggage"].count(",") < MOST_MEMBERS
    came = extract(headers, trust=True)
    readable = text.encode("utf-8", "replace").decode()
    assert came == {"user_id": number, "baggage_fuzz_text": readable, "baggage_fuzz_key": key}
