"""Whatever a message holds, its record is valid JSON; and whatever is sent, it takes no more than its share."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.debugger.catalog import Catalog
from instrument.debugger.history import History
from instrument.debugger.intake import Intake
from tests.debugger.declared import DECLARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.debugger.asked import Asked

CATALOG = Catalog(DECLARED)


def strictly(document: bytes) -> Any:
    """Parse JSON as a browser does."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(document.decode("utf-8"), parse_constant=refuse)


def take(debugger: Asked, body: bytes) -> dict[str, Any]:
    """Send the body of one track; return its record."""
    assert debugger.post("/v1/track", data=body).json() == {"success": True}
    (record,) = strictly(debugger.get("/api/events").content)["events"]
    exported = debugger.get("/api/export").content
    assert strictly(exported) == record["envelope"]
    found: dict[str, Any] = record
    return found


@pytest.mark.parametrize(
    ("value", "shown", "reason"),
    [
        (b"NaN", "NaN", "a number is not finite, which JSON cannot say"),
        (b"-Infinity", "-Infinity", "a number is not finite, which JSON cannot say"),
        (b'"\\ud800x"', "\\ud800x", "a text has a lone surrogate, which UTF-8 cannot say"),
    ],
)
def test_what_json_cannot_say_is_spelled_out_and_a_violation(
    debugger: Asked, value: bytes, shown: str, reason: str
) -> None:
    record = take(debugger, b'{"userId": "7", "event": "Odd", "properties": {"list": [0, %b]}}' % value)
    assert record["envelope"]["properties"] == {"list": [0, shown]}
    assert record["violations"] == [{"path": "properties.list.1", "reason": reason}]


@pytest.mark.parametrize(
    "value",
    [
        b"1e999",
        b"9" * 4_000,
        b"[" * 150 + b"]" * 150,
        b'"\xff\xfe"',
        b'"\\u0000\\u001b[2J\\u202e"',
        b'{"": {"": null}}',
    ],
    ids=["beyond a double", "4,000 digits", "150 deep", "no UTF-8", "controls", "empty keys"],
)
def test_what_is_merely_odd_is_shown(debugger: Asked, value: bytes) -> None:
    record = take(debugger, b'{"userId": "7", "event": "Odd", "properties": {"odd": %b}}' % value)
    assert "odd" in record["envelope"]["properties"]


def test_a_number_beyond_a_double_is_shown_as_what_it_becomes(debugger: Asked) -> None:
    record = take(debugger, b'{"userId": "7", "event": "Odd", "properties": {"odd": [1e999, -1e999]}}')
    assert record["envelope"]["properties"] == {"odd": ["Infinity", "-Infinity"]}


def test_what_python_reads_and_is_deep_is_cut(debugger: Asked) -> None:
    record = take(debugger, b'{"userId": "7", "event": "Odd", "properties": %b}' % (b'{"a":' * 400 + b"1" + b"}" * 400))
    assert record["violations"] == [{"path": "properties.a.a", "reason": "it is nested more than 100 deep"}]


@pytest.mark.parametrize(
    "key", ["event", "userId", "messageId", "type", "writeKey", "context", "integrations", "traits", "timestamp"]
)
@pytest.mark.parametrize("value", [1, None, ["x"], {"instrument": "x"}, "x" * 5_000])
def test_any_key_may_hold_anything(closed: Asked, key: str, value: object) -> None:
    message = {"type": "track", "userId": "7", "event": "Odd", key: value}
    assert closed.post("/v1/batch", json={"batch": [message]}).json() == {"success": True}
    record = strictly(closed.get("/api/events?limit=1").content)["events"][-1]
    assert isinstance(record["message_id"], str)
    assert len(record["message_id"]) <= 200


@pytest.fixture(scope="module")
def closed() -> Any:
    from instrument.debugger.server import Debugger
    from tests.debugger.asked import Asked

    with Debugger(CATALOG, port=0) as debugger:
        yield Asked(debugger.url)


def test_a_text_of_a_megabyte_is_shortened_wherever_it_stands(debugger: Asked) -> None:
    huge = "x" * (1 << 20)
    body = json.dumps({"userId": huge, "event": huge, "properties": {"note": huge}}).encode()
    record = take(debugger, body)
    assert len(json.dumps(record)) < 10_000
    assert [each["reason"] for each in record["violations"]] == [
        "it takes 3,145,792 bytes, above Segment's limit of 32,768"
    ]


def test_many_small_values_are_left_out_where_they_are_too_many(debugger: Asked) -> None:
    body = json.dumps(
        {"userId": "7", "event": "Odd", "properties": {str(number): "y" * 100 for number in range(30_000)}}
    )
    record = take(debugger, body.encode())
    assert record["envelope"] == {"userId": "7", "event": "Odd", "type": "track"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {}, 400, "malformed JSON"),
        (b"[1]", {}, 400, "it is no object"),
        (b'{"batch": 1}', {}, 400, "there is no list of messages under `batch`"),
        (b'{"batch": [1]}', {}, 400, "there is no list of messages under `batch`"),
        (b"[" * 1_000_000, {}, 400, "the JSON is nested too deep"),
        (b'{"batch": %b}' % (b"9" * 5_000), {}, 400, "malformed JSON"),
        (b'{"batch": [%b]}' % b",".join([b"{}"] * 2_501), {}, 413, "2,501 messages"),
        (b" " * ((4 << 20) + 1), {}, 413, "the body takes more than 4,194,304 bytes"),
        (gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}, 400, "the body is no whole gzip"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "the body is no gzip"),
        (b"{}", {"Content-Encoding": "br"}, 415, "neither gzip nor identity"),
    ],
    ids=[
        *("no JSON", "no object", "no batch", "no messages", "deep", "digits", "2,501 messages", "large"),
        *("half a gzip", "no gzip", "another encoding"),
    ],
)
def test_what_cannot_be_read_is_refused_and_says_why(
    debugger: Asked, body: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    answer = debugger.post("/v1/batch", data=body, headers=headers)
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert message in answer.json()["message"]
    assert debugger.records() == []


def test_a_bomb_is_refused_and_says_why(debugger: Asked) -> None:
    bomb = gzip.compress(b" " * (100 << 20), compresslevel=1)
    answer = debugger.post("/v1/batch", data=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["success"]) == (413, False)
    assert "more than 4,194,304 bytes" in answer.json()["message"]
    assert debugger.records() == []


def test_the_history_is_bounded_by_records(start: Callable[..., Asked]) -> None:
    debugger = start(history=History(most_records=10))
    debugger.send(*({"type": "identify", "userId": str(number)} for number in range(25)))
    listed = debugger.get("/api/events").json()
    assert [each["seq"] for each in listed["events"]] == list(range(16, 26))
    assert (listed["last"], listed["forgotten"]) == (25, 15)


def test_the_history_is_bounded_by_bytes(start: Callable[..., Asked]) -> None:
    debugger = start(history=History(most_bytes=100_000))
    for number in range(10):
        debugger.send({"type": "identify", "userId": str(number), "traits": {"note": "x" * 30_000}})
    assert [each["user"] for each in debugger.records()] == ["7", "8", "9"]


KEYS = st.sampled_from(
    [
        "type",
        "event",
        "name",
        "userId",
        "anonymousId",
        "messageId",
        "context",
        "properties",
        "traits",
        "writeKey",
        "shop",
    ]
)
TEXTS = st.text(alphabet='a\u00e9"\\\x00\x1b\x9b\n\u2028\u202e\ud800\udfff\U0001f600', max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS | TEXTS, inner), max_leaves=20)
NOTES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("late", "provenance", "handler", "place", "request", "fate"), VALUES)
)
ENVELOPES = st.dictionaries(KEYS, VALUES) | st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "identify", "page"]),
        "event": st.sampled_from([each.__name__ for each in DECLARED] + ["Checked Order", "Checked Parcel"]),
        "userId": VALUES,
        "properties": st.dictionaries(st.sampled_from(["shop", "amount", "note", "lines", "extra", "tags"]), VALUES),
        "context": st.fixed_dictionaries({"instrument": NOTES}),
    }
)


@settings(max_examples=40)
@given(ENVELOPES)
def test_the_record_of_any_message_is_valid_json(envelope: dict[str, Any]) -> None:
    from instrument.debugger.documents import parse

    document = parse(json.dumps(envelope).encode())
    cleaned, violations = document.clean(document.as_object())
    history = History()
    Intake(history, CATALOG).take(cleaned, violations=violations)
    (kept,) = history.newest(1)
    assert b"\n" not in kept.body
    record = strictly(kept.body)
    assert record["seq"] == 1
    assert record["status"] in ("valid", "invalid", "unknown", "refused", "dropped")
    json.dumps(record, ensure_ascii=False).encode("utf-8")
