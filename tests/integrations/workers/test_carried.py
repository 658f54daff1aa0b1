"""The request scope as text: whatever comes in, it is read without raising, and only fields of a scope are taken."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.carried import packed, unpacked

if TYPE_CHECKING:
    from instrument.testing import Recorder

TENANT = UUID("12345678-1234-5678-1234-567812345678")


class Plan(Enum):
    FREE = "free"


class CarriedScope(Scope):
    user_id: int
    tenant_id: UUID
    plan: Plan


class CarriedArrived(Track, CarriedScope): ...


@tracks(CarriedArrived)
def arrive() -> None: ...


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_without_a_scope_there_is_no_text() -> None:
    assert packed() is None
    with request_scope():
        assert packed() is None


def test_values_that_json_has_no_word_for_arrive_as_what_their_fields_take(tracked: Recorder) -> None:
    with request_scope(user_id=7, tenant_id=TENANT, plan=Plan.FREE):
        text = packed()
    assert text == f'{{"user_id":7,"tenant_id":"{TENANT}","plan":"free"}}'
    with request_scope.fresh(**unpacked(text)):
        arrive()
    assert tracked.events == [CarriedArrived(user_id=7, tenant_id=TENANT, plan=Plan.FREE)]


@settings(deadline=None)
@given(value=json_values)
def test_what_is_sent_is_what_arrives_and_the_text_is_ascii(value: Any) -> None:
    with request_scope.fresh(user_id=7, plan=value):
        text = packed()
    assert text is not None
    assert text.isascii()
    assert unpacked(text) == {"user_id": 7} | ({} if value is None else {"plan": value})


@settings(deadline=None)
@given(junk=json_values | st.binary() | st.text().map(str.encode) | st.builds(object))
def test_what_is_no_scope_has_no_fields_and_never_raises(junk: Any) -> None:
    fields = unpacked(junk)
    assert fields.keys() <= {"user_id", "tenant_id", "plan"}


def test_fields_that_no_scope_has_are_left_out() -> None:
    assert unpacked('{"user_id": 7, "carried_stranger": 1}') == {"user_id": 7}


def test_a_text_that_is_nested_too_deep_has_no_fields() -> None:
    assert unpacked("[" * 100_000) == {}


@pytest.mark.instrument_lenient
def test_a_value_without_a_json_form_stays_behind_and_is_reported_without_it(
    tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    class Secretive:
        def __repr__(self) -> str:
            return "a secret"

    with request_scope(user_id=7, plan=Secretive()):
        assert packed() == '{"user_id":7}'
    assert "field 'plan' (Secretive) has no JSON form" in caplog.text
    assert "a secret" not in caplog.text
