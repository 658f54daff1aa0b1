"""Messages of plain fields are made envelopes of without being made: what is sent is the same, byte for byte."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, PlainSerializer, computed_field, field_validator, model_validator

from instrument import PII, Client, MemoryDestination, Scope, Track, request_scope, tracks, transactions
from instrument.delivery.plain import plain_codec
from instrument.testing import FixedStamps, Recorder
from tests.strategies import json_values, moments, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from instrument import Envelope, Message, SegmentTrack
    from instrument.delivery.envelope import Parts
    from instrument.privacy.redaction import PolicySetting


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Point(BaseModel):
    x: float
    label: bytes = b""


class ShortScope(Scope):
    user_id: int | str | UUID


class ShortNumber(Track, ShortScope):
    value: int


class ShortFloat(Track, ShortScope):
    value: float | None = None


class ShortText(Track, ShortScope, name='100 %b of "all"'):
    value: str = Field(serialization_alias="Value %d", max_length=15)


class ShortChoice(Track, ShortScope):
    value: Literal["a", 1] | Colour


class ShortBytes(Track, ShortScope):
    value: bytes


class ShortMoment(Track, ShortScope):
    value: datetime | date | timedelta


class ShortUnion(Track, ShortScope):
    value: bool | int | float | Decimal | UUID | AnyUrl | str | None


class ShortItems(Track, ShortScope):
    value: list[int] | set[str] | None = None


class ShortDefaults(Track, ShortScope):
    value: int = "no number"  # type: ignore[assignment]
    made: list[int] = Field(default_factory=list)
    ratio: float = float("nan")


class ShortExcluded(Track, ShortScope):
    value: int = Field(exclude=True)


class ShortBounded(Track, ShortScope):
    value: Annotated[int, Field(gt=-5, le=2**70)]


class ShortByAlias(Track, ShortScope):
    value: int = Field(validation_alias="val")


class ShortValidated(Track, ShortScope):
    value: int

    @field_validator("value")
    @classmethod
    def _double(cls, value: int) -> int:
        return value * 2


class ShortWhole(Track, ShortScope):
    value: int

    @model_validator(mode="after")
    def _none_is_seven(self) -> ShortWhole:
        if self.value == 7:
            raise ValueError("seven")
        return self


class ShortSerialized(Track, ShortScope):
    value: Annotated[int, PlainSerializer(lambda value: [value])]


class ShortComputed(Track, ShortScope):
    value: int

    @computed_field
    def twice(self) -> int:
        return self.value * 2


class ShortNested(Track, ShortScope):
    value: Point | list[Point] | None


class ShortMapping(Track, ShortScope):
    value: dict[str, float]


class ShortAny(Track, ShortScope):
    value: Any


class ShortPostInit(Track, ShortScope):
    value: int

    def model_post_init(self, _: object) -> None:
        object.__setattr__(self, "value", self.value + 1)


class ShortHashed(Track, ShortScope):
    value: Annotated[str, PII("email", policy="hash"), Field(max_length=15)]


class ShortMasked(Track, ShortScope):
    value: Annotated[str | None, PII("email", policy="mask")] = Field(None, serialization_alias="Value %d")


class ShortDropped(Track, ShortScope):
    value: Annotated[str, PII("email")] = "nobody"
    ratio: float = 1e300


class ShortNoText(Track, ShortScope):
    value: Annotated[int | bytes | list[int] | datetime, PII("email", policy="hash")]


class ShortMarkedDefault(Track, ShortScope):
    value: Annotated[str, PII("email", policy="hash")] = 5  # type: ignore[assignment]


class ShortMarkedInside(Track, ShortScope):
    value: Annotated[str, PII("email", policy="hash")] | list[Annotated[str, PII("email")]] | None = None


class ShortMarkedTwice(Track, ShortScope):
    value: Annotated[str, PII("name", policy="mask"), PII("email", policy="hash")]


class ShortMarkedBounded(Track, ShortScope):
    value: Annotated[int, PII("email", policy="keep"), Field(le=2**70)]


class ShortMarkedUser(Track):
    user_id: Annotated[int | str | UUID, PII("email", policy="hash")]
    value: Annotated[str, PII("name", policy="mask")] = ""


class ShortMarkedPair(Track, ShortScope):
    value: Annotated[str, PII("email", policy="hash")]
    other: Annotated[str, PII("name", policy="hash")] = "somebody"
    plain: float = 1e16


MARKED: list[type[Track]] = [
    *(ShortHashed, ShortMasked, ShortDropped, ShortNoText, ShortMarkedDefault, ShortMarkedInside, ShortMarkedTwice),
    *(ShortMarkedBounded, ShortMarkedUser, ShortMarkedPair),
]
MESSAGES: list[type[Track]] = [
    *(ShortNumber, ShortFloat, ShortText, ShortChoice, ShortBytes, ShortMoment, ShortUnion, ShortItems, ShortDefaults),
    *(ShortExcluded, ShortBounded, ShortByAlias, ShortValidated, ShortWhole, ShortSerialized, ShortComputed),
    *(ShortNested, ShortMapping, ShortAny, ShortPostInit),
]

ABSENT = object()

anything: st.SearchStrategy[Any] = (
    st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, 7, -5, "red", "a", 1, "1", "7.5", "\ud800", b"\xff", Colour.BLUE])
    | st.floats()
    | texts
    | st.binary(max_size=5)
    | moments
    | st.timedeltas()
    | st.uuids()
    | st.decimals()
    | json_values
    | st.builds(Point, x=st.floats(), label=st.sampled_from([b"", b"ab"]))
    | st.lists(st.builds(Point, x=st.floats()), max_size=3)
    | st.dictionaries(texts, st.floats(), max_size=3)
    | st.just(ABSENT)
)
users: st.SearchStrategy[Any] = st.sampled_from([0, 7, "u", "", " ", 2**64, "\ud800", UUID(int=7), True, 1.0])


class Taking(Recorder):
    """A transport that has no need to see messages."""

    def __init__(self, *, pii: PolicySetting = MappingProxyType({}), pii_key: str | None = None) -> None:
        self.taken: list[bytes] = []
        super().__init__(stamps=FixedStamps(), strict=False, pii=pii, pii_key=pii_key)

    @property
    def take(self) -> Callable[[Parts], None]:  # type: ignore[override]
        return lambda envelope: self.taken.append(envelope[1])

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        self.taken.append(envelope.body)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.__name__)
def test_what_is_sent_is_what_the_message_itself_gives(message: type[Track]) -> None:
    def handler(**given: Any) -> None: ...

    @settings(max_examples=20)
    @given(user=users, value=anything)
    def check(user: object, value: object) -> None:
        taking, seeing = Taking(), Recorder(stamps=FixedStamps(), strict=False)
        with request_scope(user_id=user):
            for client in (taking.client, seeing.client):
                tracks(message, client=client)(handler)(**({} if value is ABSENT else {"value": value}))
        assert taking.taken == [each.body for each in seeing.envelopes]

    check()


@pytest.mark.parametrize("pii_key", ["a key of the tests, of enough characters", None])
@pytest.mark.parametrize("message", MARKED, ids=lambda each: each.__name__)
def test_what_is_sent_of_marked_fields_is_what_the_message_itself_gives(
    message: type[Track], pii_key: str | None
) -> None:
    def handler(**given: Any) -> None: ...

    policies = st.sampled_from(["drop", "mask", "keep", "hash"][: None if pii_key else 3])

    @settings(max_examples=20)
    @given(user=users, value=anything, pii=st.dictionaries(st.sampled_from(["email", "*"]), policies))
    def check(user: object, value: object, pii: Any) -> None:
        taking = Taking(pii=pii, pii_key=pii_key)
        seeing = Recorder(stamps=FixedStamps(), strict=False, pii=pii, pii_key=pii_key)
        with request_scope(user_id=user):
            for client in (taking.client, seeing.client):
                tracks(message, client=client)(handler)(**({} if value is ABSENT else {"value": value}))
        assert taking.taken == [each.body for each in seeing.envelopes]

    check()


class Observing:
    """Has a client see every message, and changes nothing."""

    def context(self) -> Mapping[str, Any]:
        return {}

    def accepted(self, message: Message | SegmentTrack, message_id: str) -> None: ...


def test_each_destination_gets_what_the_message_itself_gives_under_its_policy(tmp_path: Path) -> None:
    def handler(value: str) -> None: ...

    def sent(client: Client, destinations: Sequence[MemoryDestination]) -> list[list[bytes]]:
        for value in ("ada@example.com", "", "é", "\ud800"):
            with request_scope(user_id=7):
                tracks(ShortMarkedPair, client=client)(handler)(value)
        assert client.close()
        return [[each.body for each in destination.envelopes] for destination in destinations]

    received: list[list[list[bytes]]] = []
    for observer in (None, Observing()):
        destinations = [MemoryDestination("audit"), MemoryDestination("board"), MemoryDestination("other")]
        client = Client(
            destinations=destinations,
            durability="memory",
            spool_dir=tmp_path,
            stamps=FixedStamps(),
            pii={"audit": {"*": "keep"}, "board": {"email": "drop"}},
            pii_key="a key of the tests, of enough characters",
        )
        if observer is not None:
            client.observe(observer)
        received.append(sent(client, destinations))

    assert received[0] == received[1]
    assert [len(each) for each in received[0]] == [3, 3, 3]
    assert len({each[0] for each in received[0]}) == 3


@pytest.mark.parametrize(
    ("message", "is_plain"),
    [
        *((each, True) for each in (ShortHashed, ShortMasked, ShortDropped, ShortNoText, ShortMarkedUser)),
        *((each, False) for each in (ShortMarkedInside, ShortMarkedTwice, ShortNested, ShortWhole)),
    ],
)
def test_marks_on_plain_fields_keep_no_message_from_the_short_way(message: type[Track], is_plain: bool) -> None:
    assert (plain_codec(message) is not None) is is_plain


@pytest.mark.parametrize("message", [ShortNumber, ShortNested])
def test_an_envelope_is_handed_over_alone_where_that_is_enough(
    message: type[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another test in this process may have transactions followed, which lasts: then messages are seen.
    monkeypatch.setattr(transactions._followers, "keeps", ())

    class Alone(Taking):
        def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
            raise AssertionError("with its message")

    alone = Alone()

    @tracks(message, client=alone.client)
    def handler(value: Any) -> None: ...

    with request_scope(user_id=7):
        handler(7 if message is ShortNumber else Point(x=1))
    assert len(alone.taken) == 1
