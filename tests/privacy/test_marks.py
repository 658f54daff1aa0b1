"""Marks of personal data, as a class declares them."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError, computed_field

from instrument import PII, DeclarationError, Identify, Scope
from instrument.privacy.marks import mark_of, marks_of


class MarkedOwner(Scope):
    user_id: int
    marked_owner: Annotated[int, PII("owner", policy="hash")]


class MarkedAddress(BaseModel):
    street: Annotated[str, PII("address")]
    country: str


class MarkedPerson(BaseModel):
    name: Annotated[str | None, PII("name", policy="mask")] = None
    addresses: list[MarkedAddress] = []
    parent: MarkedPerson | None = None


class MarkedBounds(Identify, MarkedOwner):
    after: Annotated[str, PII("email"), Field(max_length=3)] = ""
    before: Annotated[str, Field(max_length=3), PII("email")] = ""
    number: Annotated[int, PII("number"), Field(le=5)] = 0
    default: Annotated[str, PII("email")] = Field("", max_length=3)


class MarkedAccountOpened(Identify, MarkedOwner):
    emails: list[Annotated[str, PII("email", policy="hash")]]
    people: dict[str, MarkedPerson]
    plan: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def first_email(self) -> Annotated[str, PII("email")]:
        return self.emails[0]


def test_marks_are_found_in_scopes_lists_mappings_nested_models_and_computed_fields() -> None:
    assert marks_of(MarkedAccountOpened) == {
        ("marked_owner",): PII("owner", "hash"),
        ("emails",): PII("email", "hash"),
        ("people", "name"): PII("name", "mask"),
        ("people", "addresses", "street"): PII("address", "drop"),
        ("first_email",): PII("email", "drop"),
    }


def test_the_mark_of_a_field_itself_can_be_read() -> None:
    assert mark_of(MarkedPerson.model_fields["name"]) == PII("name", policy="mask")
    assert mark_of(MarkedPerson.model_fields["addresses"]) is None


def test_a_repr_shows_categories_in_place_of_values() -> None:
    message = MarkedAccountOpened(
        user_id=7, marked_owner=8, emails=["ada@example.com"], people={"a": MarkedPerson(name="Ada")}, plan="free"
    )

    assert repr(message) == (
        "MarkedAccountOpened(user_id=7, marked_owner=<owner>, emails=<email>, people=<name, address>, plan='free', "
        "first_email=<email>)"
    )
    assert "Ada" not in str(message)
    assert "ada@example.com" not in f"{message}"


def test_what_a_model_says_of_itself_to_its_own_application_is_not_changed() -> None:
    address = MarkedAddress(street="Main Street 1", country="NO")

    assert address.model_dump() == {"street": "Main Street 1", "country": "NO"}
    assert address.model_dump_json() == '{"street":"Main Street 1","country":"NO"}'
    assert MarkedAddress.model_json_schema(mode="serialization")["properties"]["street"] == {
        "title": "Street",
        "type": "string",
    }


@pytest.mark.parametrize("category", ["", "e mail", "*"])
def test_a_category_is_a_name(category: str) -> None:
    with pytest.raises(DeclarationError, match="a category is a name"):
        PII(category)


def test_an_unknown_policy_is_refused_where_it_is_written() -> None:
    with pytest.raises(DeclarationError, match="'encrypt' is no policy, but drop, mask, hash, keep are"):
        PII("email", policy="encrypt")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"), [("after", "long"), ("before", "long"), ("number", 6), ("default", "long")]
)
def test_a_mark_takes_no_bound_off_its_field_wherever_that_is_written(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        MarkedBounds.model_validate({"user_id": 7, "marked_owner": 8, field: value})
