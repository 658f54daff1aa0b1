"""The same calls through Segment's client and through ours: what is answered, raised and delivered is the same."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment.analytics import Client as Theirs
from segment.analytics import request

from instrument.compat.segment import Client as Ours
from instrument.testing import Collector
from instrument.version import LIBRARY, VERSION
from tests.strategies import texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

pytestmark = pytest.mark.instrument_delivery

KEY = "contract"
CALLS = ("track", "identify", "group", "alias", "page", "screen")


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None
    DEEP = ("a", 1)


class Level(enum.IntEnum):
    HIGH = 3


class Word(str, enum.Enum):
    YES = "yes"


class NumpyFloat(float):
    """As `numpy.float64`, a float of another class."""


class Strange:
    """What no serialisation knows."""


@dataclass
class Both:
    """One client of either kind, and where they send."""

    collector: Collector
    theirs: Any
    ours: Ours

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> tuple[Outcome, Outcome]:
        return self._call(self.theirs, name, args, kwargs), self._call(self.ours, name, args, kwargs)

    def _call(self, client: Any, name: str, args: Any, kwargs: Any) -> Outcome:
        before = len(self.collector.messages)
        try:
            queued, message = getattr(client, name)(*args, **kwargs)
        except Exception as error:
            return Outcome(raised=error)
        client.flush()
        (delivered,) = self.collector.messages[before:]
        return Outcome(queued=queued, message=message, delivered=delivered)


@dataclass
class Outcome:
    """What became of one call."""

    raised: Exception | None = None
    queued: bool | None = None
    message: dict[str, Any] | None = None
    delivered: dict[str, Any] | None = None

    @property
    def error(self) -> type[Exception] | None:
        """The class of the exception, as code would catch it that knows Python's own alone."""
        if self.raised is None:
            return None
        return next(each for each in type(self.raised).__mro__ if each in (AssertionError, RuntimeError, ValueError))

    def comparable(self, *, without: tuple[str, ...] = ()) -> tuple[Any, ...]:
        return self.error, self.queued, _comparable(self.message, without), _comparable(self.delivered, without)


def _comparable(message: dict[str, Any] | None, without: tuple[str, ...]) -> dict[str, Any] | None:
    if message is None:
        return None
    context = {key: value for key, value in message["context"].items() if key != "library"}
    return {**{key: value for key, value in message.items() if key not in without}, "context": context}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Both say of each value that is left out that it is."""
    log = logging.getLogger("segment")
    level = log.level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(level)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("INSTRUMENT_DURABILITY", "memory")
    with Collector() as collector:
        # One that sends in the call needs no waiting for its thread, and delivers the same.
        theirs = Theirs(KEY, host=collector.url, sync_mode=True)
        theirs.flush = lambda: None  # type: ignore[method-assign]
        ours = Ours(KEY, host=collector.url)
        yield Both(collector, theirs, ours)
        ours.shutdown()
        request._session.close()  # type: ignore[attr-defined]


zones: SearchStrategy[Any] = st.builds(timezone, st.builds(timedelta, minutes=st.integers(-840, 840)))
moments: SearchStrategy[datetime] = st.datetimes(
    datetime(1000, 1, 2),  # noqa: DTZ001 - the zones are drawn
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.one_of(st.none(), zones),
)
scalars: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False).map(NumpyFloat),
    st.decimals(allow_nan=False, allow_infinity=False),
    texts,
    texts.map(str.encode),
    texts.map(lambda text: bytearray(text.encode())),
    moments,
    st.dates(),
    st.sampled_from([*Colour, *Level, *Word]),
    # What neither can say, and both leave out.
    st.uuids(),
    st.times(),
    st.timedeltas(),
    st.builds(Strange),
    st.frozensets(st.integers(), max_size=2),
)
keys: SearchStrategy[Any] = texts | st.integers(-9, 9) | st.booleans() | st.none() | st.just(1.5) | st.just(Word.YES)
values: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(st.integers() | texts, max_size=3),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=8,
)
mappings: SearchStrategy[Any] = st.none() | st.dictionaries(texts, values, max_size=4)
wrong: SearchStrategy[Any] = st.sampled_from([7, "text", ["a"], UUID(int=7), date(2026, 1, 2)])
ids: SearchStrategy[Any] = st.one_of(
    st.none(), st.just(""), texts, st.integers(), st.booleans(), st.just(1.5), st.just(Decimal("2.50")), st.uuids()
)
message_ids: SearchStrategy[Any] = (
    st.none() | st.integers() | st.uuids() | st.from_regex(r"[ -!#-\[\]-~]{1,100}", fullmatch=True)
)
seldom_wrong = st.integers(0, 19).flatmap(lambda number: wrong if number == 0 else mappings)
names = st.none() | st.just("") | texts | st.just(7)

PARAMETERS: dict[str, SearchStrategy[Any]] = {
    "user_id": ids,
    "anonymous_id": ids,
    "previous_id": ids,
    "group_id": ids,
    "event": names,
    "name": names,
    "category": names,
    "properties": seldom_wrong,
    "traits": seldom_wrong,
    "context": seldom_wrong,
    "integrations": seldom_wrong,
    "timestamp": st.none() | moments | st.just("2026-01-02"),
    "message_id": message_ids,
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a method and some of its arguments."""
    from inspect import signature

    name = draw(st.sampled_from(CALLS))
    parameters = [each for each in signature(getattr(Theirs, name)).parameters if each != "self"]
    given_ = draw(st.lists(st.sampled_from(parameters), unique=True))
    # Without these most calls would only be wrong.
    needed = {"track": ["user_id", "event"], "group": ["user_id", "group_id"], "alias": ["user_id", "previous_id"]}
    return name, {each: draw(PARAMETERS[each]) for each in {*given_, *needed.get(name, ["user_id"])}}


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=calls())
def test_any_call_is_answered_and_delivered_the_same(both: Both, call: tuple[str, dict[str, Any]]) -> None:
    name, arguments = call
    without = tuple(
        key
        for key, argument in (("messageId", "message_id"), ("timestamp", "timestamp"))
        if arguments.get(argument) is None
    )
    theirs, ours = both.call(name, **arguments)
    assert ours.comparable(without=without) == theirs.comparable(without=without)


def test_what_is_not_given_has_the_same_form(both: Both) -> None:
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    for outcome in both.call("track", "u-7", "Parcel Sent"):
        assert outcome.delivered is not None
        assert str(UUID(outcome.delivered["messageId"])) == outcome.delivered["messageId"]
        sent = outcome.delivered["timestamp"]
        assert datetime.fromisoformat(sent).isoformat(timespec="milliseconds") == sent
        assert before <= datetime.fromisoformat(sent) <= datetime.now(timezone.utc)
        assert sent.endswith("+00:00")


@pytest.mark.parametrize("ago", [0, 1, 60])
def test_a_time_without_a_zone_is_local_if_it_is_now_and_utc_otherwise(both: Both, ago: int) -> None:
    moment = datetime.now() - timedelta(seconds=ago)  # noqa: DTZ005 - that is what is tested
    theirs, ours = both.call("track", "u-7", "Parcel Sent", timestamp=moment, message_id="1")
    assert ours.comparable() == theirs.comparable()


def test_the_arguments_may_stand_in_their_places(both: Both) -> None:
    moment = datetime(2014, 9, 3, tzinfo=timezone.utc)
    arguments = ("u", "Parcel Sent", {"a": 1}, {"ip": "192.0.2.1"}, moment, "anonymous", {"Amplitude": True}, "m-1")
    theirs, ours = both.call("track", *arguments)
    assert ours.comparable() == theirs.comparable()
    assert ours.delivered == {
        "type": "track",
        "event": "Parcel Sent",
        "userId": "u",
        "anonymousId": "anonymous",
        "properties": {"a": 1},
        "messageId": "m-1",
        "timestamp": "2014-09-03T00:00:00.000+00:00",
        "context": {"ip": "192.0.2.1", "library": {"name": LIBRARY, "version": VERSION}},
        "integrations": {"Amplitude": True},
    }


@pytest.mark.parametrize("pad", [33_000, 100_000])
def test_a_message_above_the_limit_raises_the_same(both: Both, pad: int) -> None:
    theirs, ours = both.call("track", "u", "Parcel Sent", {"pad": "x" * pad})
    assert (theirs.error, ours.error) == (RuntimeError, RuntimeError)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"write_key": None},
        {"write_key": 7},
        {"write_key": "key", "max_total_backoff_duration": -1},
        {"write_key": "key", "max_total_backoff_duration": None},
        {"write_key": "key", "max_rate_limit_duration": -1},
        {"write_key": "key", "max_rate_limit_duration": None},
    ],
    ids=str,
)
def test_a_client_that_cannot_be_made_raises_the_same(options: dict[str, Any]) -> None:
    raised: list[type[Exception]] = []
    for kind in (Theirs, Ours):
        with pytest.raises((AssertionError, ValueError)) as caught:
            kind(**options)
        raised += [each for each in (AssertionError, ValueError) if isinstance(caught.value, each)]
    assert len(raised) == 2
    assert raised[0] is raised[1]


# What differs: docs/migrating.md has a row for each of these.


class NumpyInteger:
    """As `numpy.int64`: an integer by registration, which `json` does not know."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


__import__("numbers").Integral.register(NumpyInteger)


@pytest.mark.parametrize(
    ("properties", "delivered"),
    [
        ({"n": NumpyInteger(3)}, {"n": 3}),
        ({"n": Fraction(1, 2)}, {"n": 0.5}),
        ({"n": 1, "c": 1j}, {"n": 1}),
        ({"n": 1, "b": b"\xff"}, {"n": 1}),
        ({"n": 1, (1, 2): 3}, {"n": 1}),
        ({"n": 1, "d": Decimal("sNaN")}, {"n": 1}),
        ({"n": 1, "f": Fraction(10**400)}, {"n": 1}),
        ({"n": 1, "d": 10**5_000}, {"n": 1}),
        ({"n": 1, 10**5_000: 2}, {"n": 1}),
    ],
    ids=["integer", "fraction", "complex", "bytes", "key", "signal", "large", "endless", "endless key"],
)
def test_what_raises_there_costs_at_most_its_property_here(
    both: Both, properties: dict[Any, Any], delivered: dict[str, Any]
) -> None:
    theirs, ours = both.call("track", "u", "Parcel Sent", properties)
    assert isinstance(theirs.raised, (TypeError, ValueError, OverflowError))
    assert (ours.raised, ours.queued) == (None, True)
    assert ours.delivered is not None
    assert ours.delivered["properties"] == delivered


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")], ids=str)
def test_what_spoils_a_batch_there_costs_its_property_here(both: Both, number: Any) -> None:
    with pytest.raises(request.APIError):
        both.theirs.track("u", "Parcel Sent", {"n": number})
    outcome = both._call(both.ours, "track", ("u", "Parcel Sent", {"n": number, "m": 1}), {})
    assert outcome.delivered is not None
    assert outcome.delivered["properties"] == {"m": 1}


def test_half_of_a_surrogate_pair_is_a_question_mark_here(both: Both) -> None:
    outcome = both._call(both.ours, "track", ("u", "Parcel \ud800 Sent", {"a": "\udfff"}), {})
    assert outcome.delivered is not None
    assert (outcome.delivered["event"], outcome.delivered["properties"]) == ("Parcel ? Sent", {"a": "?"})


def test_what_raises_and_cannot_be_cut_out_is_not_queued_here(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    with pytest.raises(RecursionError):
        both.theirs.track("u", "Parcel Sent", circle)
    assert not both.ours.track("u", "Parcel Sent", circle)[0]
    assert both.ours.stats().refused == {"not_serializable": 1}
    assert "track, sent at" in caplog.text


def test_the_caller_keeps_its_own_context_here(both: Both) -> None:
    context: dict[str, Any] = {"ip": "192.0.2.1"}
    both.ours.track("u", "Parcel Sent", context=context)
    assert context == {"ip": "192.0.2.1"}
    both.theirs.track("u", "Parcel Sent", context=context)
    assert context["library"]["name"] == "analytics-python"


def test_the_size_is_that_of_what_is_sent_here(both: Both) -> None:
    properties = {str(number): "ü" for number in range(2_000)}
    with pytest.raises(RuntimeError):
        both.theirs.track("u", "Parcel Sent", properties)
    assert both.ours.track("u", "Parcel Sent", properties)[0]


def test_an_error_of_an_argument_tells_no_value_here(both: Both) -> None:
    theirs, ours = both.call("track", "u", "Parcel Sent", ["secret"])
    assert "secret" in str(theirs.raised)
    assert str(ours.raised) == "properties must have the type dict, got: list"


@pytest.mark.parametrize("message_id", ["", "x" * 101, 'quo"ted'], ids=["empty", "long", "quoted"])
def test_an_id_that_no_receiver_takes_is_not_queued_here(both: Both, message_id: str) -> None:
    assert not both.ours.track("u", "Parcel Sent", message_id=message_id)[0]
    assert both.ours.stats().refused == {"invalid": 1}
