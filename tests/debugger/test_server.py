"""The debugger's own API, asked over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.debugger.asked import Asked


def test_a_message_becomes_a_record(debugger: Asked) -> None:
    envelope = {"type": "track", "event": "Report Opened", "userId": "7", "messageId": "m1", "properties": {"pages": 3}}
    debugger.send(envelope)
    listed = debugger.get("/api/events").json()
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
        "reason": "nothing is declared: start the debugger with --package",
        "assertion": None,
    }
    assert (listed["last"], listed["forgotten"]) == (1, 0)


def test_records_are_listed_from_the_one_that_is_known_on(debugger: Asked) -> None:
    debugger.send(*({"type": "identify", "userId": str(number)} for number in range(5)))
    assert [each["seq"] for each in debugger.records(limit=2)] == [4, 5]
    assert [each["seq"] for each in debugger.records(after=1, limit=2)] == [2, 3]
    assert debugger.records(after=5) == []


def test_what_is_exported_can_be_imported(debugger: Asked) -> None:
    debugger.send({"type": "identify", "userId": "7"}, {"type": "identify", "userId": "8"})
    exported = debugger.get("/api/export")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="events.jsonl"'
    assert [json.loads(line) for line in exported.text.splitlines()] == [
        {"type": "identify", "userId": "7"},
        {"type": "identify", "userId": "8"},
    ]
    lines = exported.text + "\n[1]\nno JSON\n"
    answer = debugger.post("/api/import", data=lines).json()
    assert answer == {
        "imported": 2,
        "rejected": [
            {"line": 4, "reason": "it is no object"},
            {"line": 5, "reason": "malformed JSON at character 0"},
        ],
    }
    assert debugger.get("/api/events").json()["last"] == 4


def test_clearing_forgets_every_record_and_goes_on_counting(debugger: Asked) -> None:
    debugger.send({"type": "identify", "userId": "7", "messageId": "m"})
    assert debugger.post("/api/clear").ok
    assert debugger.records() == []
    debugger.send({"type": "identify", "userId": "7", "messageId": "m"})
    (record,) = debugger.records()
    assert (record["seq"], record["duplicate_of"]) == (2, None)
