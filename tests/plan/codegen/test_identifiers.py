"""Names of classes and fields for what may be any text."""

from __future__ import annotations

import warnings
from types import new_class

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from instrument import Group, Page, Scope, Track
from instrument.messages import registry
from instrument.plan.codegen.identifiers import can_be_class, can_be_field, class_identifier, field_identifier, unique
from tests.strategies import texts

_names = texts | st.sampled_from(
    ["class", "event", "Name", "category", "json", "copy", "user_id", "model_dump_all", "_x", "dt", "ﬁle", "İ"]
)


class IdentifierScope(Scope):
    user_id: int


@given(_names)
def test_every_text_has_a_class_name(text: str) -> None:
    name = class_identifier(text, otherwise="Event")
    assert can_be_class(name)


@pytest.mark.parametrize("key", ["Name", "category", "Traits", "properties", "event"])
def test_a_field_of_a_scope_has_no_name_that_a_message_of_any_call_needs(key: str) -> None:
    assert field_identifier(key) == f"{key.lower()}_"


@given(_names)
def test_every_key_has_a_field_name_that_messages_and_scopes_can_have(key: str) -> None:
    name = field_identifier(key)
    namespace = {"__annotations__": {name: int}, name: Field(serialization_alias=key), "__module__": __name__}
    with registry.isolated(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for base in (Track, Page, Group):
            new_class("Tried", (base, IdentifierScope), exec_body=lambda body: body.update(namespace))
        new_class("TriedScope", (Scope,), exec_body=lambda body: body.update(namespace))
    assert can_be_field(name)


@given(st.lists(_names.map(field_identifier), max_size=20))
def test_names_that_collide_are_told_apart(names: list[str]) -> None:
    taken: set[str] = set()
    found = [unique(name, taken) for name in names]
    assert len(set(found)) == len(found)
    assert all(name.isidentifier() for name in found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Order Completed", "OrderCompleted"),
        ("order-completed", "OrderCompleted"),
        ("ORDER_COMPLETED", "ORDERCOMPLETED"),
        ("AWS Account ID Inputted", "AWSAccountIDInputted"),
        ('say "hi"\nthere', "SayHiThere"),
        ("🎉", "Event"),
        ("🎉 party", "Party"),
        ("42 things", "Event42Things"),
        ("Track", "TrackEvent"),
        ("None", "NoneEvent"),
        ("Žádost podána", "ŽádostPodána"),
        ("登录", "登录"),
        ("", "Event"),
        ("x" * 200, "X" + "x" * 59),
    ],
)
def test_class_names_are_readable(text: str, name: str) -> None:
    assert class_identifier(text, otherwise="Event") == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("proj_id", "proj_id"),
        ("firstName", "first_name"),
        ("Product ID", "product_id"),
        ("UTMSource", "utm_source"),
        ("$amount", "amount"),
        ("a.b-c", "a_b_c"),
        ("0000---terrible-name~!3", "field_0000_terrible_name_3"),
        ("class", "class_"),
        ("event", "event_"),
        ("properties", "properties_"),
        ("json", "json_"),
        ("copy", "copy_"),
        ("model_fields", "model_fields_"),
        ("model_dump_all", "field_model_dump_all"),
        ("user_id", "user_id_"),
        ("userId", "user_id_"),
        ("list", "list_"),
        ("date", "date"),
        ("id", "id"),
        ("type", "type"),
        ("🎉", "field"),
        ("", "field"),
    ],
)
def test_field_names_are_readable(key: str, name: str) -> None:
    assert field_identifier(key) == name
