"""Bad input: in strict mode a clear error, in production a falsy receipt, one log line, a count, and no harm."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AfterValidator, AnyUrl, AwareDatetime, BaseModel, Field, StringConstraints, create_model
from pydantic_core import PydanticCustomError

from instrument import Reason, Refusal, Scope, Track, tracks
from instrument.messages import registry
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from instrument.testing import Recorder

CANARY = "canary"
"""Stands in every bad value, and must stand in nothing that is told of it."""


class FaultScope(Scope):
    user_id: int


class FaultyHeld(Track, FaultScope):
    value: Any


class Holder(BaseModel):
    value: Any = None
    note: str = CANARY


class Chain(BaseModel):
    next: Chain | None = None
    note: str = CANARY


@dataclass
class Box:
    value: Any
    note: str = CANARY


class Unspeakable:
    """Has no JSON form, and raises whatever way one looks at it."""

    def __str__(self) -> str:
        raise ValueError(CANARY)

    __repr__ = __format__ = __str__  # type: ignore[assignment]


class Unreadable(dict[str, Any]):
    def values(self) -> Any:
        raise OSError(CANARY)


def _circular_list() -> list[Any]:
    circle: list[Any] = [CANARY]
    circle.append(circle)
    return circle


def _circular_dict() -> dict[str, Any]:
    circle: dict[str, Any] = {CANARY: 1}
    circle["again"] = [circle]
    return circle


def _circular_model() -> Holder:
    holder = Holder()
    holder.value = [holder]
    return holder


def _nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = CANARY
    for _ in range(depth):
        value = wrap(value)
    return value


def _chained(depth: int) -> Chain:
    chain = Chain()
    for _ in range(depth):
        chain = Chain.model_construct(next=chain)
    return chain


def _shared(levels: int) -> list[Any]:
    """A structure of few objects that unfolds to 2**levels values."""
    value: list[Any] = [CANARY]
    for _ in range(levels):
        value = [value, value]
    return value


FINITE = "field 'value': a number is not finite, which JSON cannot say"
BYTES = "field 'value': bytes have no JSON form; decode or base64-encode them"
KEY = "field 'value': a mapping has a key that is no text"
DEEP = "field 'value': circular, or nested more than 200 deep"
CHAIN = "field 'value': it is circular, or nested too deep"
SURROGATE = "Faulty Held: a text has a lone surrogate, which UTF-8 cannot say"
LONG = "an integer is beyond 64 bits, and would lose digits; send it as text"
MANY = "field 'value': it holds more values than fit into 32,768 bytes, the limit"
UNSAYABLE = Reason.NOT_SERIALIZABLE

# What a field of any type may hold, so that pydantic has nothing to say, and why it is not sent.
BAD_VALUES: dict[str, tuple[Callable[[], Any], Reason, str]] = {
    "NaN": (lambda: math.nan, UNSAYABLE, FINITE),
    "infinity": (lambda: math.inf, UNSAYABLE, FINITE),
    "minus infinity": (lambda: -math.inf, UNSAYABLE, FINITE),
    "NaN in a dict": (lambda: {CANARY: math.nan}, UNSAYABLE, FINITE),
    "NaN in a list": (lambda: [CANARY, [math.nan]], UNSAYABLE, FINITE),
    "infinity in a model": (lambda: Holder(value=math.inf), UNSAYABLE, FINITE),
    "NaN in a list in a model": (lambda: [Holder(value={CANARY: math.nan})], UNSAYABLE, FINITE),
    "NaN in a dataclass": (lambda: Box(math.nan), UNSAYABLE, FINITE),
    "bytes": (lambda: b"canary", UNSAYABLE, BYTES),
    "a bytearray": (lambda: bytearray(b"canary"), UNSAYABLE, BYTES),
    "a memoryview": (lambda: memoryview(b"canary"), UNSAYABLE, BYTES),
    "bytes in a dict": (lambda: {CANARY: b"canary"}, UNSAYABLE, BYTES),
    "bytes in a tuple": (lambda: (CANARY, b"canary"), UNSAYABLE, BYTES),
    "bytes in a dataclass": (lambda: Box(b"canary"), UNSAYABLE, BYTES),
    "a key of bytes": (lambda: {b"canary": 1}, UNSAYABLE, KEY),
    "a key of None": (lambda: {None: CANARY}, UNSAYABLE, KEY),
    "a key that is a tuple": (lambda: {(CANARY,): 1}, UNSAYABLE, KEY),
    "a key that is NaN": (lambda: {math.nan: CANARY}, UNSAYABLE, KEY),
    "a key that has no text": (lambda: {Unspeakable(): CANARY}, UNSAYABLE, KEY),
    "half a character": (lambda: "canary \ud800", UNSAYABLE, SURROGATE),
    "half a character in a list": (lambda: ["canary \udfff"], UNSAYABLE, SURROGATE),
    "half a character in a key": (lambda: {"canary \ud800": 1}, UNSAYABLE, SURROGATE),
    "half a character in a model": (lambda: Holder(value="canary \ud800"), UNSAYABLE, SURROGATE),
    "an integer above 64 bits": (lambda: 2**64, UNSAYABLE, LONG),
    "an integer below 64 bits": (lambda: -(2**63) - 1, UNSAYABLE, LONG),
    "a very long integer": (lambda: 10**5000, UNSAYABLE, LONG),
    "a long integer in a dict": (lambda: {CANARY: [2**64]}, UNSAYABLE, LONG),
    "a long integer in a model": (lambda: Holder(value=-(2**70)), UNSAYABLE, LONG),
    "an object without JSON": (
        Unspeakable,
        UNSAYABLE,
        f"Faulty Held: a value of {Unspeakable} has no JSON form",
    ),
    "an object without JSON in a list": (
        lambda: [CANARY, Unspeakable()],
        UNSAYABLE,
        f"Faulty Held: a value of {Unspeakable} has no JSON form",
    ),
    "a list in itself": (_circular_list, UNSAYABLE, DEEP),
    "a dict in itself": (_circular_dict, UNSAYABLE, DEEP),
    "a model in itself": (_circular_model, UNSAYABLE, DEEP),
    "lists nested 2,000 deep": (lambda: _nested(2_000, lambda inner: [inner]), UNSAYABLE, DEEP),
    "dicts nested 2,000 deep": (lambda: _nested(2_000, lambda inner: {"in": inner}), UNSAYABLE, DEEP),
    "models nested 2,000 deep": (lambda: _chained(2_000), UNSAYABLE, CHAIN),
    "parts that unfold to a billion": (lambda: _shared(30), Reason.TOO_LARGE, MANY),
    "a list of 100,000": (lambda: [CANARY] * 100_000, Reason.TOO_LARGE, MANY),
    "a text of 40 KB": (
        lambda: CANARY * 6_667,
        Reason.TOO_LARGE,
        "Faulty Held: it takes 40,259 bytes, above the limit of 32,768",
    ),
    "a mapping that cannot be read": (
        lambda: Unreadable(a=CANARY),
        UNSAYABLE,
        "Faulty Held: it has no JSON form (OSError)",
    ),
}


@pytest.fixture(params=BAD_VALUES)
def bad(request: pytest.FixtureRequest) -> tuple[Any, Reason, str]:
    make, reason, text = BAD_VALUES[request.param]
    return make(), reason, text


@dataclass
class Told:
    """What a production client told of its errors."""

    recorder: Recorder
    errors: list[BaseException] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    @property
    def refused(self) -> Mapping[str, int]:
        return self.recorder.client.stats().refused

    def texts(self) -> str:
        return "\n".join([*map(str, self.errors), *self.places])


@pytest.fixture
def told() -> Iterator[Told]:
    found: list[Told] = []

    def on_error(error: BaseException, where: str) -> None:
        found[0].errors.append(error)
        found[0].places.append(where)

    with recording(strict=False, on_error=on_error) as recorder:
        found.append(Told(recorder))
        yield found[0]


class TestAValueThatCannotBeSaid:
    """In a field of any type, where only the envelope can find it."""

    def test_through_the_client_in_production(
        self, told: Told, bad: tuple[Any, Reason, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        value, reason, text = bad
        message = FaultyHeld.model_construct(user_id=7, value=value)
        receipts = [told.recorder.client.track(message) for _ in range(2)]
        assert not any(receipts)
        assert {receipt.message_id for receipt in receipts} == {None}
        for receipt in receipts:
            assert isinstance(receipt.error, Refusal)
            assert (receipt.error.reason, str(receipt.error)) == (reason, text)
        assert told.errors == [receipt.error for receipt in receipts]
        assert told.refused == {reason.value: 2}
        assert told.recorder.envelopes == []
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("instrument", logging.ERROR)
        assert record.getMessage().endswith(f": {text} (logged once for this place; counted from now on)")
        assert CANARY not in caplog.text + told.texts() + repr(receipts)

    def test_through_the_client_in_strict_mode(self, tracked: Recorder, bad: tuple[Any, Reason, str]) -> None:
        value, reason, text = bad
        with pytest.raises(Refusal) as raised:
            tracked.client.track(FaultyHeld.model_construct(user_id=7, value=value))
        assert (raised.value.reason, str(raised.value)) == (reason, text)
        assert tracked.client.stats().refused == {reason.value: 1}

    def test_through_a_handler_in_production(
        self, told: Told, bad: tuple[Any, Reason, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        value, reason, text = bad
        for _ in range(2):
            assert _handle(7, value) == "handled"
        assert [str(error) for error in told.errors] == [text, text]
        assert told.refused == {reason.value: 2}
        assert told.recorder.envelopes == []
        assert len(caplog.records) == 1
        assert CANARY not in caplog.text + told.texts()

    def test_through_a_handler_in_strict_mode(self, tracked: Recorder, bad: tuple[Any, Reason, str]) -> None:
        value, reason, text = bad
        with pytest.raises(Refusal) as raised:
            _handle(7, value)
        assert (raised.value.reason, str(raised.value)) == (reason, text)

    def test_in_the_properties_of_an_undeclared_track(self, told: Told, bad: tuple[Any, Reason, str]) -> None:
        value, reason, _ = bad
        receipt = told.recorder.client.track(Raw(properties={"value": value}))
        assert isinstance(receipt.error, Refusal)
        assert receipt.error.reason is reason
        assert told.recorder.envelopes == []
        assert CANARY not in told.texts() + repr(receipt)

    def test_in_the_context(self, told: Told, bad: tuple[Any, Reason, str]) -> None:
        value, _, _ = bad
        receipt = told.recorder.client.track(FaultyHeld(user_id=7, value=1), context={"value": value})
        assert isinstance(receipt.error, Refusal)
        assert told.recorder.envelopes == []
        assert CANARY not in told.texts() + repr(receipt)


@tracks(FaultyHeld)
def _handle(user_id: int, value: object) -> str:
    return "handled"


@dataclass
class Raw:
    user_id: Any = 7
    event: Any = "Raw Fault"
    properties: Any = field(default_factory=dict)


class TestWhatPasses:
    @pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0, 1.7976931348623157e308, 5e-324])
    def test_numbers_at_the_bounds(self, tracked: Recorder, number: float) -> None:
        assert tracked.client.track(FaultyHeld(user_id=7, value=number))
        assert tracked.client.track(FaultyHeld(user_id=7, value=[{"deep": number}]))

    def test_digits_in_a_text(self, tracked: Recorder) -> None:
        assert tracked.client.track(FaultyHeld(user_id=7, value=str(2**200) + " NaN -Infinity"))

    def test_a_nesting_of_200(self, tracked: Recorder) -> None:
        assert tracked.client.track(FaultyHeld(user_id=7, value=_nested(200, lambda inner: [inner])))

    def test_one_object_in_two_places(self, tracked: Recorder) -> None:
        shared = {"a": 1}
        assert tracked.client.track(FaultyHeld(user_id=7, value=[shared, shared]))


def _refuse_with_value(value: object) -> object:
    raise ValueError(f"{value} is not welcome")


def _refuse_with_custom_error(value: object) -> object:
    raise PydanticCustomError("unwelcome", "{value} is not welcome", {"value": value})


def _refuse_by_assertion(value: object) -> object:
    raise AssertionError(f"{value} is not welcome")


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Street(BaseModel):
    number: int
    tags: dict[str, int] = {}


class Colour(Enum):
    RED = "red"


REFUSED = "its validator refused the value"
WELCOME_64 = "Input should be less than or equal to 18446744073709551615"

# A type, a value that does not fit it, and what is told; the value is never told.
MISFITS: dict[str, tuple[Any, Any, str]] = {
    "an int": (int, CANARY, "field 'value': Input should be a valid integer, unable to parse string as an integer"),
    "an int of NaN": (int, math.nan, "field 'value': Input should be a finite number"),
    "a float of NaN": (float, math.nan, "field 'value': Input should be a finite number"),
    "a float of infinity": (float, math.inf, "field 'value': Input should be a finite number"),
    "floats": (list[float], [1.0, -math.inf], "field 'value': Input should be a finite number"),
    "a decimal": (Decimal, Decimal("NaN"), "field 'value': Input should be a finite number"),
    "an int above 64 bits": (int, 2**64, f"field 'value': {WELCOME_64}"),
    "an int below 64 bits": (
        int,
        -(2**63) - 1,
        "field 'value': Input should be greater than or equal to -9223372036854775808",
    ),
    "ints by name": (dict[str, int], {CANARY: 2**64}, f"field 'value': {WELCOME_64}"),
    "a text of bytes": (str, b"canary", "field 'value': Input should be a valid string"),
    "texts of bytes": (list[str], [b"canary"], "field 'value': Input should be a valid string"),
    "a pattern": (
        Annotated[str, StringConstraints(pattern=r"^\d+$")],
        CANARY,
        r"field 'value': String should match pattern '^\d+$'",
    ),
    "a literal": (Literal["a", "b"], CANARY, "field 'value': Input should be 'a' or 'b'"),
    "an enum": (Colour, CANARY, "field 'value': Input should be 'red'"),
    "a UUID": (UUID, CANARY, "field 'value': Input should be a valid UUID"),
    "a date and time": (datetime, CANARY, "field 'value': Input should be a valid datetime or date"),
    "a time": (time, CANARY, "field 'value': Input should be in a valid time format"),
    "a time with a zone": (AwareDatetime, datetime(2026, 1, 1), "field 'value': Input should have timezone info"),  # noqa: DTZ001
    "a URL": (AnyUrl, CANARY, "field 'value': Input should be a valid URL"),
    "a model": (
        Street,
        {"number": CANARY},
        "field 'value.number': Input should be a valid integer, unable to parse string as an integer",
    ),
    "a model without a field": (Street, {"tags": {CANARY: 1}}, "field 'value.number': Field required"),
    "a mapping in a model": (
        Street,
        {"number": 1, "tags": {CANARY: CANARY}},
        "field 'value.tags': Input should be a valid integer, unable to parse string as an integer",
    ),
    "a tagged union": (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        {"kind": CANARY},
        "field 'value': 'kind' should be one of 'cat', 'dog'",
    ),
    "an own validator": (Annotated[str, AfterValidator(_refuse_with_value)], CANARY, f"field 'value': {REFUSED}"),
    "an own error": (Annotated[str, AfterValidator(_refuse_with_custom_error)], CANARY, f"field 'value': {REFUSED}"),
    "an own assertion": (Annotated[str, AfterValidator(_refuse_by_assertion)], CANARY, f"field 'value': {REFUSED}"),
}


class MisfitBase(Track, FaultScope, abstract=True):
    pass


@pytest.fixture(params=MISFITS)
def misfit(request: pytest.FixtureRequest) -> Iterator[tuple[Callable[[int, Any], str], Any, str]]:
    """Give a decorated handler, an argument that does not fit its event, and what is told of it."""
    kind, value, text = MISFITS[request.param]
    with registry.isolated():
        event: Any = create_model("FaultyTyped", __base__=MisfitBase, __module__=__name__, value=(kind, ...))

        @tracks(event)
        def handle(user_id: int, value: Any) -> str:
            return "handled"

        yield handle, value, f"FaultyTyped: {text}"


class TestAnArgumentThatDoesNotFit:
    def test_in_production(
        self,
        told: Told,
        misfit: tuple[Callable[[int, Any], str], Any, str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        handle, value, text = misfit
        for _ in range(2):
            assert handle(7, value) == "handled"
        assert [str(error) for error in told.errors] == [text, text]
        assert told.refused == {"invalid": 2}
        assert len(caplog.records) == 1
        assert caplog.messages[0].endswith(f"{text} (logged once for this place; counted from now on)")
        assert CANARY not in caplog.text + told.texts()

    def test_in_strict_mode(self, tracked: Recorder, misfit: tuple[Callable[[int, Any], str], Any, str]) -> None:
        handle, value, text = misfit
        with pytest.raises(Refusal) as raised:
            handle(7, value)
        assert (raised.value.reason, str(raised.value)) == (Reason.INVALID, text)


class FaultyWritten(Track, FaultScope):
    text: str
    texts: list[str] = []


class TestHalfACharacter:
    """Pydantic takes it for text, and UTF-8 cannot say it."""

    TEXT = "Faulty Written: a text has a lone surrogate, which UTF-8 cannot say"

    @pytest.mark.parametrize("fields", [{"text": "canary \ud800"}, {"text": "", "texts": ["canary \udfff"]}])
    def test_in_a_field_of_text(self, told: Told, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]) -> None:
        @tracks(FaultyWritten)
        def handle(user_id: int, **fields: Any) -> str:
            return "handled"

        receipt = told.recorder.client.track(FaultyWritten(user_id=7, **fields))
        assert str(receipt.error) == self.TEXT
        assert handle(7, **fields) == "handled"
        assert [str(error) for error in told.errors] == [self.TEXT, self.TEXT]
        assert told.refused == {"not_serializable": 2}
        assert CANARY not in caplog.text

    def test_in_an_id(self, told: Told, caplog: pytest.LogCaptureFixture) -> None:
        receipt = told.recorder.client.track(FaultyNobody(user_id="canary \ud800"))
        assert str(receipt.error) == "Faulty Nobody: a text has a lone surrogate, which UTF-8 cannot say"
        assert CANARY not in caplog.text


class FaultyAnyone(Track):
    user_id: str | int | None
    anonymous_id: str | int = "cookie"


class FaultyNobody(Track):
    user_id: str | int | None = 0
    value: int = 0


class TestAnIdentityThatIsNone:
    @pytest.mark.parametrize(
        ("user_id", "text"),
        [
            ("", "field 'user_id': an id is empty"),
            (" \t", "field 'user_id': an id is empty"),
            (None, "Faulty Nobody: it has neither a user_id nor an anonymous_id"),
        ],
    )
    def test_is_refused_by_the_client_and_through_a_handler(
        self, told: Told, caplog: pytest.LogCaptureFixture, user_id: Any, text: str
    ) -> None:
        @tracks(FaultyNobody)
        def handle(user_id: str | None) -> str:
            return "handled"

        receipt = told.recorder.client.track(FaultyNobody(user_id=user_id))
        assert isinstance(receipt.error, Refusal)
        assert (receipt.error.reason, str(receipt.error)) == (Reason.NO_IDENTITY, text)
        assert handle(user_id) == "handled"
        assert [str(error) for error in told.errors] == [text, text]
        assert told.refused == {"no_identity": 2}
        assert len(caplog.records) == 2

    @pytest.mark.parametrize("user_id", ["", None])
    def test_is_an_error_in_strict_mode(self, tracked: Recorder, user_id: Any) -> None:
        with pytest.raises(Refusal) as raised:
            tracked.client.track(FaultyNobody(user_id=user_id))
        assert raised.value.reason is Reason.NO_IDENTITY

    def test_one_that_is_nowhere_is_unresolved(self, told: Told, caplog: pytest.LogCaptureFixture) -> None:
        @tracks(FaultyHeld)
        def handle(value: object) -> str:
            return "handled"

        assert [handle(CANARY), handle(CANARY)] == ["handled", "handled"]
        text = (
            "FaultyHeld: field 'user_id': Field required; for 'user_id' were tried: request scope 'user_id', "
            "argument 'user_id' (the handler has no such parameter)"
        )
        assert [str(error) for error in told.errors] == [text, text]
        assert told.refused == {"unresolved": 2}
        assert len(caplog.records) == 1
        assert CANARY not in caplog.text

    def test_an_anonymous_id_is_enough(self, tracked: Recorder) -> None:
        assert tracked.client.track(FaultyAnyone(user_id=None))


class Failing:
    """An undeclared track that raises when its attributes are read."""

    def __init__(self, *failing: str) -> None:
        self._failing = failing

    def _read(self, name: str, value: object) -> Any:
        if name in self._failing:
            raise ValueError(CANARY)
        return value

    @property
    def user_id(self) -> Any:
        return self._read("user_id", 7)

    @property
    def event(self) -> Any:
        return self._read("event", "Failing")

    @property
    def properties(self) -> Any:
        return self._read("properties", {})


class TestAnObjectThatRaises:
    @pytest.mark.parametrize("name", ["user_id", "event", "properties"])
    def test_in_production(self, told: Told, caplog: pytest.LogCaptureFixture, name: str) -> None:
        receipts = [told.recorder.client.track(Failing(name)) for _ in range(2)]
        for receipt in receipts:
            assert isinstance(receipt.error, Refusal)
            assert (receipt.error.reason, str(receipt.error)) == (
                Reason.SOURCE_FAILED,
                "Failing: reading it raised ValueError",
            )
            assert isinstance(receipt.error.__cause__, ValueError)
        assert told.refused == {"source_failed": 2}
        assert len(caplog.records) == 1
        assert CANARY not in caplog.text + told.texts() + repr(receipts)

    def test_in_strict_mode(self, tracked: Recorder) -> None:
        with pytest.raises(Refusal, match=r"^Failing: reading it raised ValueError$"):
            tracked.client.track(Failing("event"))

    def test_a_property_of_an_object_that_is_no_track(self, told: Told) -> None:
        receipt = told.recorder.client.track(object())  # type: ignore[arg-type]
        assert str(receipt.error) == "client.track takes an instance of a declared Track, not object"


class TestTheHook:
    def test_is_told_each_error_and_its_place(self, told: Told) -> None:
        told.recorder.client.track(FaultyHeld(user_id=7, value=math.nan))
        _handle(7, math.nan)
        assert [str(error) for error in told.errors] == [FINITE, FINITE]
        by_client, by_handler = told.places
        assert by_client.startswith(f"FaultyHeld, sent at {__file__}:")
        assert by_handler == f"{__name__}:_handle ({__file__}:{_line_of_handle()}), success FaultyHeld"

    def test_that_raises_goes_no_further_and_is_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        def on_error(error: BaseException, where: str) -> None:
            raise OSError(CANARY)

        with recording(strict=False, on_error=on_error) as tracked:
            for _ in range(2):
                assert not tracked.client.track(FaultyHeld(user_id=7, value=math.nan))
                assert _handle(7, math.nan) == "handled"
        assert tracked.client.stats().refused == {"not_serializable": 4}
        hooks = [message for message in caplog.messages if message.startswith("on_error, called for ")]
        assert len(hooks) == 2
        assert all("OSError" in message for message in hooks)
        assert CANARY not in caplog.text

    def test_is_not_called_in_strict_mode(self) -> None:
        errors: list[object] = []
        with (
            recording(on_error=lambda error, _: errors.append(error)) as tracked,
            pytest.raises(Refusal),
        ):
            tracked.client.track(FaultyHeld(user_id=7, value=math.nan))
        assert errors == []


def _line_of_handle() -> int:
    from instrument.decorators import instrumentation_of

    found = instrumentation_of(_handle)
    assert found is not None
    return found.handler.place.line


def test_the_log_is_bounded_though_the_places_are_not(caplog: pytest.LogCaptureFixture) -> None:
    from instrument.faults import Faults

    faults = Faults()
    for number in range(1_500):
        faults.report(Refusal(Reason.INVALID, "text"), f"place {number}")
    assert len(caplog.records) == 1_000
    assert faults.refused == {"invalid": 1_500}


def test_a_time_of_no_use_is_refused(told: Told) -> None:
    for wrong in ("2026-01-01", 5):
        receipt = told.recorder.client.track(FaultyHeld(user_id=7, value=1), timestamp=wrong)  # type: ignore[arg-type]
        assert isinstance(receipt.error, Refusal)
    assert told.recorder.client.track(FaultyHeld(user_id=7, value=1), timestamp=datetime.now(timezone.utc))
