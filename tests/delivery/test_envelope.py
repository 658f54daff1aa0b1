"""Envelopes: any type of pydantic's as a property, by the JSON that is received."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from pydantic import (
    AliasChoices,
    AliasPath,
    AnyUrl,
    Base64Bytes,
    Base64Str,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    SecretStr,
    ValidationError,
    computed_field,
    create_model,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import TypeAliasType, TypedDict

from instrument import Client, Reason, Refusal, Scope, Track
from instrument.messages import registry
from instrument.testing import FixedStamps, recording
from tests.strategies import json_values, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument.delivery.envelope import Envelope
    from instrument.testing import Recorder

T = TypeVar("T")


class EnvelopeScope(Scope):
    user_id: int


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Address(BaseModel):
    street: str
    floor: int | None = None


class Keyed(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.upper(), populate_by_name=True)

    first: int
    second: int = Field(serialization_alias="2nd")


class Pair(BaseModel, Generic[T]):
    left: T
    right: T


class Tree(BaseModel):
    label: str
    children: list[Tree] = []


class Tags(RootModel[list[str]]):
    pass


class Money(BaseModel):
    model_config = ConfigDict(frozen=True)

    amount: Decimal

    @model_serializer
    def as_text(self) -> str:
        return f"{self.amount} EUR"


class Shape(TypedDict, total=False):
    sides: int
    name: str


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Size:
    width: int
    height: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


NOON = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)
ID = UUID(int=5)

RAW_BYTES: list[tuple[Any, Any, Any]] = [
    (bytes, b"\xff\x00raw", "_wByYXc="),
    (list[bytes], [b"a", b"\xff"], ["YQ==", "_w=="]),
    (bytes | None, b"a", "YQ=="),
]

PROPERTIES: list[tuple[Any, Any, Any]] = [
    (int, 5, 5),
    (int, 2**64 - 1, 2**64 - 1),
    (int, -(2**63), -(2**63)),
    (float, 0.1, 0.1),
    (float, 5, 5.0),
    (bool, True, True),
    (str, 'quote " backslash \\ tab \t é ✓ 🎉 \x00 50%', 'quote " backslash \\ tab \t é ✓ 🎉 \x00 50%'),
    (str | None, None, None),
    (Literal["a", 1, True], 1, 1),
    (Colour, Colour.RED, "red"),
    (Colour, "red", "red"),
    (Level, Level.HIGH, 3),
    (UUID, ID, str(ID)),
    (Decimal, Decimal("1.10"), "1.10"),
    (datetime, NOON, "2026-01-02T12:00:00Z"),
    (date, date(2026, 1, 2), "2026-01-02"),
    (time, time(1, 2, 3), "01:02:03"),
    (timedelta, timedelta(minutes=90), "PT1H30M"),
    (AnyUrl, "https://example.com/a?b=1", "https://example.com/a?b=1"),
    (IPv4Address, "192.0.2.1", "192.0.2.1"),
    (PurePosixPath, PurePosixPath("/a/b"), "/a/b"),
    (Fraction, Fraction(1, 3), "1/3"),
    *RAW_BYTES,
    (Base64Bytes, b"aGk=", "aGk="),
    (Base64Bytes | None, b"aGk=", "aGk="),
    (list[Base64Bytes], [b"aGk="], ["aGk="]),
    (Base64Str, "aGk=", "aGk="),
    (SecretStr, "canary", "**********"),
    (list[int], [1, 2], [1, 2]),
    (tuple[int, str], (1, "a"), [1, "a"]),
    (tuple[int, ...], (1, 2), [1, 2]),
    (set[int], {1}, [1]),
    (frozenset[str], frozenset({"a"}), ["a"]),
    (deque[int], deque([1, 2]), [1, 2]),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, str], {1: "a"}, {"1": "a"}),
    (dict[UUID, int], {ID: 1}, {str(ID): 1}),
    (dict[date, int], {date(2026, 1, 2): 1}, {"2026-01-02": 1}),
    (dict[Colour, int], {Colour.RED: 1}, {"red": 1}),
    (OrderedDict[str, int], OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (defaultdict[str, list[int]], {"a": [1]}, {"a": [1]}),
    (dict[str, Any], {"a": [1, None, {"b": 1.5}]}, {"a": [1, None, {"b": 1.5}]}),
    (Any, {"at": NOON, "id": ID, "of": Colour.RED}, {"at": "2026-01-02T12:00:00Z", "id": str(ID), "of": "red"}),
    (Any, Address(street="Elm"), {"street": "Elm", "floor": None}),
    (Any, [Size(1, 2)], [{"width": 1, "height": 2}]),
    (object, 5, 5),
    (Address, {"street": "Elm"}, {"street": "Elm", "floor": None}),
    (list[Address], [{"street": "Elm", "floor": 2}], [{"street": "Elm", "floor": 2}]),
    (Keyed, Keyed(first=1, second=2), {"FIRST": 1, "2nd": 2}),
    (Pair[int], {"left": 1, "right": 2}, {"left": 1, "right": 2}),
    (
        Tree,
        {"label": "a", "children": [{"label": "b"}]},
        {"label": "a", "children": [{"label": "b", "children": []}]},
    ),
    (Tags, ["a"], ["a"]),
    (Money, {"amount": "1.50"}, "1.50 EUR"),
    (Shape, {"sides": 3}, {"sides": 3}),
    (Point, (1, 2), [1, 2]),
    (Size, Size(1, 2), {"width": 1, "height": 2}),
    (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cat", "lives": 9}, {"kind": "cat", "lives": 9}),
    (Annotated[int, Field(ge=0, le=100)], 5, 5),
    (Annotated[int, PlainSerializer(hex)], 255, "0xff"),
    (Annotated[float, PlainSerializer(lambda value: None)], 1.0, None),
    (int | str, "5", "5"),
    (int | str, 5, 5),
]


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
def tracked() -> Iterator[Recorder]:
    with recording(stamps=FixedStamps()) as recorder:
        yield recorder


def _properties(tracked: Recorder) -> Any:
    (envelope,) = tracked.envelopes
    return _strictly_parsed(envelope.body)["properties"]


def _strictly_parsed(body: bytes) -> Any:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    return json.loads(body.decode(), parse_constant=refuse)


class EnvelopeBase(Track, EnvelopeScope, abstract=True):
    pass


def _event(**fields: Any) -> Any:
    return create_model("EnvelopeSealed", __base__=EnvelopeBase, __module__=__name__, **fields)


class TestATypeAsAProperty:
    @pytest.mark.parametrize(("kind", "value", "received"), PROPERTIES)
    def test_by_its_json(self, tracked: Recorder, kind: Any, value: object, received: object) -> None:
        event = _event(value=(kind, ...))
        assert tracked.client.track(event(user_id=7, value=value))
        assert _properties(tracked) == {"value": received}

    @pytest.mark.parametrize(("kind", "value", "received"), [each for each in PROPERTIES if each not in RAW_BYTES])
    def test_in_a_list_in_a_model(self, tracked: Recorder, kind: Any, value: object, received: object) -> None:
        inner = create_model("Inner", each=(list[kind], ...))
        event = _event(value=(inner, ...))
        assert tracked.client.track(event(user_id=7, value={"each": [value]}))
        assert _properties(tracked) == {"value": {"each": [received]}}

    def test_a_model_of_the_users_own_writes_its_bytes_as_pydantic_does(self, tracked: Recorder) -> None:
        event = _event(value=(create_model("Blob", data=(bytes, ...)), ...))
        assert tracked.client.track(event(user_id=7, value={"data": b"text"}))
        assert _properties(tracked) == {"value": {"data": "text"}}


class TestAliases:
    def test_each_kind_of_alias_gives_its_key(self, tracked: Recorder) -> None:
        class EnvelopeAliased(Track, EnvelopeScope):
            plain: int
            alias: int = Field(alias="fromAlias")
            serialized: int = Field(serialization_alias="forTheWire")
            validated: int = Field(validation_alias="fromTheCaller")
            both: int = Field(validation_alias="in", serialization_alias="out")
            chosen: int = Field(validation_alias=AliasChoices("one", AliasPath("two", 0)))

        event = EnvelopeAliased.model_validate(
            {"user_id": 7, "plain": 1, "fromAlias": 2, "serialized": 3, "fromTheCaller": 4, "in": 5, "two": [6]}
        )
        assert event == EnvelopeAliased.model_validate(
            {"user_id": 7, "plain": 1, "alias": 2, "serialized": 3, "validated": 4, "both": 5, "chosen": 6}
        )
        assert tracked.client.track(event)
        assert _properties(tracked) == {
            "plain": 1,
            "fromAlias": 2,
            "forTheWire": 3,
            "validated": 4,
            "out": 5,
            "chosen": 6,
        }

    def test_the_properties_of_an_event_are_those_that_are_received(self, tracked: Recorder) -> None:
        class EnvelopeMirrored(Track, EnvelopeScope):
            count: int = Field(alias="n")
            at: datetime

        event = EnvelopeMirrored(user_id=7, n=1, at=NOON)
        assert event.properties == {"n": 1, "at": NOON}
        assert tracked.client.track(event)
        assert _properties(tracked) == {"n": 1, "at": "2026-01-02T12:00:00Z"}

    def test_an_excluded_field_is_not_sent(self, tracked: Recorder) -> None:
        class EnvelopeExcluding(Track, EnvelopeScope):
            shown: int
            kept: int = Field(exclude=True)

        assert tracked.client.track(EnvelopeExcluding(user_id=7, shown=1, kept=2))
        assert _properties(tracked) == {"shown": 1}

    def test_a_percent_sign_in_a_key_or_name_is_only_a_character(self, tracked: Recorder) -> None:
        class EnvelopePercent(Track, EnvelopeScope, name="100% %b %%"):
            rate: int = Field(serialization_alias="%d")

        assert tracked.client.track(EnvelopePercent(user_id=7, rate=1))
        assert _properties(tracked) == {"%d": 1}
        assert tracked.envelopes[0].name == "100% %b %%"


class TestDefaults:
    def test_a_default_factory_gives_each_message_its_own(self, tracked: Recorder) -> None:
        class EnvelopeFilled(Track, EnvelopeScope):
            tags: list[str] = Field(default_factory=lambda: ["new"])
            first_tag: str = Field(default_factory=lambda data: data["tags"][0])

        one, other = EnvelopeFilled(user_id=7), EnvelopeFilled(user_id=7, tags=["old"])
        assert one.tags is not EnvelopeFilled(user_id=7).tags
        assert tracked.client.track(one)
        assert tracked.client.track(other)
        assert [_strictly_parsed(each.body)["properties"] for each in tracked.envelopes] == [
            {"tags": ["new"], "first_tag": "new"},
            {"tags": ["old"], "first_tag": "old"},
        ]


class TestTheUsersOwnCode:
    def test_validators_run(self, tracked: Recorder) -> None:
        class EnvelopeValidated(Track, EnvelopeScope):
            region: str
            zone: str = ""

            @field_validator("region")
            @classmethod
            def lower(cls, value: str) -> str:
                return value.lower()

            @model_validator(mode="after")
            def zone_in_region(self) -> EnvelopeValidated:
                if not self.zone.startswith(self.region):
                    raise ValueError("another region's zone")
                return self

        assert tracked.client.track(EnvelopeValidated(user_id=7, region="EU", zone="eu-1"))
        assert _properties(tracked) == {"region": "eu", "zone": "eu-1"}
        with pytest.raises(ValidationError, match="another region's zone"):
            EnvelopeValidated(user_id=7, region="EU", zone="us-1")

    def test_a_computed_field_is_a_property(self, tracked: Recorder) -> None:
        class EnvelopeComputed(Track, EnvelopeScope):
            net: Decimal
            rate: Decimal

            @computed_field(alias="grossTotal")
            def gross(self) -> Decimal:
                return self.net * (1 + self.rate)

        event = EnvelopeComputed(user_id=7, net=Decimal(10), rate=Decimal("0.2"))
        assert event.properties == {"net": Decimal(10), "rate": Decimal("0.2"), "grossTotal": Decimal("12.0")}
        assert tracked.client.track(event)
        assert _properties(tracked) == {"net": "10", "rate": "0.2", "grossTotal": "12.0"}

    def test_a_field_serializer_makes_the_property(self, tracked: Recorder) -> None:
        class EnvelopeSerialized(Track, EnvelopeScope):
            email: str

            @field_serializer("email")
            def domain(self, email: str) -> str:
                return email.partition("@")[2]

        assert tracked.client.track(EnvelopeSerialized(user_id=7, email="a@b.example"))
        assert _properties(tracked) == {"email": "b.example"}

    def test_a_model_serializer_makes_the_properties(self, tracked: Recorder) -> None:
        class EnvelopeRewritten(Track, EnvelopeScope):
            a: int

            @model_serializer(mode="wrap")
            def doubled(self, handler: Callable[[EnvelopeRewritten], dict[str, int]]) -> dict[str, int]:
                return {**handler(self), "doubled": self.a * 2}

        assert tracked.client.track(EnvelopeRewritten(user_id=7, a=1))
        assert _properties(tracked) == {"a": 1, "doubled": 2}

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 2**64, -(2**63) - 1])
    @pytest.mark.parametrize("way", ["computed", "field serializer", "model serializer"])
    def test_it_cannot_send_a_number_that_json_cannot_say(self, way: str, number: float) -> None:
        with recording(strict=False) as tracked:
            receipt = tracked.client.track(_made(way, number))
        assert isinstance(receipt.error, Refusal)
        assert receipt.error.reason is Reason.NOT_SERIALIZABLE
        assert tracked.envelopes == []


def _made(way: str, number: float) -> Track:
    class EnvelopeByField(Track, EnvelopeScope):
        a: float = 0.0

        @field_serializer("a")
        def serialized(self, value: float) -> Any:
            return number

    class EnvelopeByModel(Track, EnvelopeScope):
        a: float = 0.0

        @model_serializer
        def serialized(self) -> dict[str, Any]:
            return {"a": number}

    class EnvelopeByComputing(Track, EnvelopeScope):
        a: int = 0

        @computed_field  # type: ignore[prop-decorator]
        @property
        def computed(self) -> Any:
            return number

    made: dict[str, Track] = {
        "computed": EnvelopeByComputing(user_id=7),
        "field serializer": EnvelopeByField(user_id=7),
        "model serializer": EnvelopeByModel(user_id=7),
    }
    return made[way]


class TestTheLimit:
    LIMIT = 32 * 1024

    @pytest.fixture
    def client(self) -> Iterator[Client]:
        with recording(strict=False, stamps=FixedStamps()) as recorder:
            yield recorder.client

    @pytest.fixture
    def room(self, client: Client) -> int:
        """How many bytes a text may have in the property of an envelope that is as small as can be."""
        sealed: list[Envelope] = []
        with recording(stamps=FixedStamps()) as recorder:
            recorder.client.track(_event(text=(str, ...))(user_id=7, text=""))
            sealed += recorder.envelopes
        return self.LIMIT - len(sealed[0].body)

    def test_a_message_of_exactly_32_kib_is_accepted(self, client: Client, room: int) -> None:
        assert client.track(_event(text=(str, ...))(user_id=7, text="x" * room))

    def test_one_byte_more_is_refused(self, client: Client, room: int) -> None:
        receipt = client.track(_event(text=(str, ...))(user_id=7, text="x" * (room + 1)))
        assert isinstance(receipt.error, Refusal)
        assert receipt.error.reason is Reason.TOO_LARGE
        assert str(receipt.error) == "Envelope Sealed: it takes 32,769 bytes, above the limit of 32,768"

    def test_bytes_are_counted_and_not_characters(self, client: Client, room: int) -> None:
        event = _event(text=(str, ...))
        assert client.track(event(user_id=7, text="é" * (room // 2)))
        assert not client.track(event(user_id=7, text="é" * (room // 2 + 1)))

    def test_the_context_counts_too(self, client: Client, room: int) -> None:
        event = _event(text=(str, ...))
        assert not client.track(event(user_id=7, text="x" * room), context={"ip": "192.0.2.1"})


class TestOverAnyValue:
    @given(json_values)
    def test_a_value_of_json_is_received_as_it_was(self, value: object) -> None:
        with recording() as tracked:
            assert tracked.client.track(AnyHeld(user_id=7, value=value))
        assert _properties(tracked) == {"value": value}

    @given(json_values)
    def test_a_declared_and_an_undeclared_message_have_one_form(self, value: object) -> None:
        message = AnyHeld(user_id=7, value=value)
        with recording(stamps=FixedStamps()) as declared:
            declared.client.track(message)
        with recording(stamps=FixedStamps()) as undeclared:
            undeclared.client.track(Untyped(message.user_id, message.event, message.properties))
        assert declared.envelopes == undeclared.envelopes

    @given(texts, texts)
    def test_any_text_is_a_key_and_a_value(self, key: str, value: str) -> None:
        with recording() as tracked:
            assert tracked.client.track(AnyHeld(user_id=7, value={key: value}))
        assert _properties(tracked) == {"value": {key: value}}


class AnyHeld(Track, EnvelopeScope):
    value: Any


@dataclass(frozen=True)
class Untyped:
    user_id: int
    event: str
    properties: dict[str, Any]


def test_an_envelope_tells_what_it_holds_without_being_parsed(tracked: Recorder) -> None:
    tracked.client.track(AnyHeld(user_id=7, value=1))
    (envelope,) = tracked.envelopes
    assert (envelope.message_id, envelope.type, envelope.name) == (
        "00000000-0000-7000-8000-000000000001",
        "track",
        "Any Held",
    )
    assert envelope.body.startswith(b'{"type":"track","event":"Any Held","userId":"7","properties":{"value":1},')


class TestTheMessageId:
    @pytest.mark.parametrize("message_id", ["a", "x" * 100, "order-17/é ✓", "0"])
    def test_an_id_from_outside_is_kept(self, tracked: Recorder, message_id: str) -> None:
        receipt = tracked.client.track(AnyHeld(user_id=7, value=1), message_id=message_id)
        assert receipt.message_id == message_id
        assert _strictly_parsed(tracked.envelopes[0].body)["messageId"] == message_id

    @pytest.mark.parametrize(
        "message_id", ["", "x" * 101, 'quo"te', "back\\slash", "new\nline", "\x00", "half \ud800", 17, b"bytes"]
    )
    def test_an_id_that_would_break_the_json_is_refused(self, message_id: Any) -> None:
        with recording(strict=False) as tracked:
            receipt = tracked.client.track(AnyHeld(user_id=7, value=1), message_id=message_id)
        assert str(receipt.error) == (
            "message_id is text of 1 to 100 characters, none of them a quote, a backslash or a control"
        )
        assert tracked.envelopes == []


class TestWhatGoesWithAMessage:
    @pytest.mark.parametrize("value", [float("nan"), b"bytes", object(), "\ud800", {1.5: 1}, 2**64])
    @pytest.mark.parametrize("part", ["context", "integrations"])
    def test_it_is_held_to_the_same_rules(self, part: str, value: object) -> None:
        with recording(strict=False) as tracked:
            receipt = tracked.client.track(AnyHeld(user_id=7, value=1), **{part: {"key": value}})  # type: ignore[arg-type]
        assert isinstance(receipt.error, Refusal)
        assert receipt.error.reason is Reason.NOT_SERIALIZABLE
        assert tracked.envelopes == []

    def test_the_callers_dictionaries_are_left_alone(self, tracked: Recorder) -> None:
        context, integrations = {"ip": "192.0.2.1"}, {"All": True}
        assert tracked.client.track(AnyHeld(user_id=7, value=1), context=context, integrations=integrations)
        assert (context, integrations) == ({"ip": "192.0.2.1"}, {"All": True})


class RecursivePart(BaseModel):
    name: str
    parts: list[RecursivePart] = []
    weight: Any = None


class RecursiveBuilt(Track, EnvelopeScope):
    seal: bytes
    whole: RecursivePart


def test_bytes_beside_a_model_that_refers_to_itself_are_base64(tracked: Recorder) -> None:
    whole = RecursivePart(name="wheel", parts=[RecursivePart(name="spoke")])
    tracked.client.track(RecursiveBuilt(user_id=7, seal=b"\xff\x00", whole=whole))
    assert _properties(tracked)["seal"] == "_wA="


def test_a_number_that_is_not_finite_in_a_model_that_refers_to_itself_is_refused(tracked: Recorder) -> None:
    whole = RecursivePart(name="wheel", parts=[RecursivePart(name="spoke", weight=float("nan"))])
    with pytest.raises(Refusal, match="not finite"):
        tracked.client.track(RecursiveBuilt(user_id=7, seal=b"", whole=whole))


Label = TypeAliasType("Label", str)
Count = TypeAliasType("Count", int)
Branches = TypeAliasType("Branches", "list[Branches] | str")


class AliasesUsed(Track, EnvelopeScope):
    label: Label
    counts: list[Count] = []
    tree: Branches = Field(default="leaf")


@pytest.mark.parametrize("values", [{"label": b"bytes"}, {"label": "", "counts": [2**64]}, {"label": "", "tree": b"b"}])
def test_what_no_json_says_is_refused_behind_an_alias_of_a_type_too(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AliasesUsed(user_id=7, **values)


def test_aliases_of_types_are_sent_as_what_they_stand_for(tracked: Recorder) -> None:
    values: dict[str, Any] = {"label": "red", "counts": [1, 2**64 - 1], "tree": [["a"], "b"]}
    tracked.client.track(AliasesUsed(user_id=7, **values))
    assert _properties(tracked) == values
