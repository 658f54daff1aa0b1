"""The debugger's own API, asked over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from instrument.debugger.server import Debugger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def debugger() -> Iterator[Debugger]:
    with Debugger(port=0) as debugger:
        yield debugger


def send(debugger: Debugger, *messages: dict[str, Any], key: str = "a-write-key") -> None:
    body = {"batch": list(messages), "writeKey": key}
    assert requests.post(f"{debugger.url}/v1/batch", json=body, timeout=10).json() == {"success": True}


def events(debugger: Debugger, **query: int) -> Any:
    return requests.get(f"{debugger.url}/api/events", params=query, timeout=10).json()


def test_a_message_becomes_a_record(debugger: Debugger) -> None:
    envelope = {"type": "track", "event": "Report Opened", "userId": "7", "messageId": "m1", "properties": {"pages": 3}}
    send(debugger, envelope)
    listed = events(debugger)
    (record,) = listed["events"]
    assert record.pop("received_at").endswith("Z")
    assert record == {
        "seq": 1,
        "type": "track",
        "name": "Report Opened",
        "user": "7",
        "message_id": "m1",
        "write_key_hint": "-key",
        "envelope": envelope,
        "status": "unknown",
        "violations": [],
        "duplicate_of": None,
        "late": False,
        "provenance": None,
        "handler": None,
        "request": None,
        "scope": {},
        "reason": None,
        "assertion": None,
    }
    assert (listed["last"], listed["forgotten"]) == (1, 0)


def test_records_are_listed_from_the_one_that_is_known_on(debugger: Debugger) -> None:
    send(debugger, *({"type": "identify", "userId": str(number)} for number in range(5)))
    assert [each["seq"] for each in events(debugger, limit=2)["events"]] == [4, 5]
    assert [each["seq"] for each in events(debugger, after=1, limit=2)["events"]] == [2, 3]
    assert events(debugger, after=5)["events"] == []


def test_what_is_exported_can_be_imported(debugger: Debugger) -> None:
    send(debugger, {"type": "identify", "userId": "7"}, {"type": "identify", "userId": "8"})
    exported = requests.get(f"{debugger.url}/api/export", timeout=10)
    assert exported.headers["Content-Disposition"] == 'attachment; filename="events.jsonl"'
    assert [json.loads(line) for line in exported.text.splitlines()] == [
        {"type": "identify", "userId": "7"},
        {"type": "identify", "userId": "8"},
    ]
    lines = exported.text + "\n[1]\nno JSON\n"
    answer = requests.post(f"{debugger.url}/api/import", data=lines, timeout=10).json()
    assert answer == {
        "imported": 2,
        "rejected": [
            {"line": 4, "reason": "it is no object"},
            {"line": 5, "reason": "malformed JSON at character 0"},
        ],
    }
    assert events(debugger)["last"] == 4


def test_clearing_forgets_every_record_and_goes_on_counting(debugger: Debugger) -> None:
    send(debugger, {"type": "identify", "userId": "7", "messageId": "m"})
    assert requests.post(f"{debugger.url}/api/clear", timeout=10).ok
    assert events(debugger)["events"] == []
    send(debugger, {"type": "identify", "userId": "7", "messageId": "m"})
    (record,) = events(debugger)["events"]
    assert (record["seq"], record["duplicate_of"]) == (2, None)
