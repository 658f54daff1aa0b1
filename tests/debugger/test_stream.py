"""The stream of server-sent events."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from instrument.debugger import api
from instrument.debugger.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.debugger.asked import Asked


@contextmanager
def stream(debugger: Asked, query: str = "", **headers: str) -> Generator[Iterator[dict[str, str]]]:
    """Follow the stream: its events as their fields, comments among them under an empty name."""
    with requests.get(f"{debugger.url}/api/stream{query}", headers=headers, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield _events(answer)


def _events(answer: requests.Response) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        else:
            yield fields
            fields = {}


def identify(user: int, note: str = "") -> dict[str, Any]:
    return {"type": "identify", "userId": str(user), "traits": {"note": note}}


def test_it_says_hello_and_then_each_record_as_it_comes(debugger: Asked) -> None:
    debugger.send(identify(1))
    with stream(debugger) as events:
        hello = next(events)
        assert hello["event"] == "hello"
        assert json.loads(hello["data"]) == {"run": debugger.get("/api/events").json()["run"], "last": 1}
        debugger.send(identify(2))
        event = next(events)
    assert (event["id"], event["event"]) == ("2", "record")
    assert json.loads(event["data"]) == debugger.records()[-1]


@pytest.mark.parametrize(("query", "headers"), [("", {"Last-Event-ID": "1"}), ("?after=1", {})])
def test_it_goes_on_where_a_reader_was(debugger: Asked, query: str, headers: dict[str, str]) -> None:
    debugger.send(identify(1), identify(2), identify(3))
    with stream(debugger, query, **headers) as events:
        assert next(events)["event"] == "hello"
        assert [next(events)["id"], next(events)["id"]] == ["2", "3"]


def test_a_reader_of_an_earlier_run_is_told_to_begin_anew(debugger: Asked) -> None:
    debugger.send(identify(1))
    with stream(debugger, **{"Last-Event-ID": "500"}) as events:
        assert [next(events)["event"] for _ in range(3)] == ["hello", "cleared", "record"]


def test_it_says_when_everything_was_forgotten(debugger: Asked) -> None:
    with stream(debugger) as events:
        assert next(events)["event"] == "hello"
        assert debugger.post("/api/clear").ok
        assert next(events)["event"] == "cleared"
        debugger.send(identify(1))
        assert next(events)["event"] == "record"


def test_it_shows_that_it_lives(start: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_HEARTBEAT", 0.02)
    with stream(start()) as events:
        assert next(events)["event"] == "hello"
        assert next(events) == {"": "still here"}


def test_a_slow_reader_misses_what_was_forgotten_and_holds_up_nobody(start: Callable[..., Asked]) -> None:
    history = History(most_records=50)
    debugger = start(history=history)
    with stream(debugger) as events:
        assert next(events)["event"] == "hello"
        # More than the buffers of both sides hold.
        for number in range(40):
            debugger.send(*(identify(number, "x" * 30_000) for _ in range(25)))
        seen = [int(next(events)["id"])]
        while seen[-1] < 1_000:
            seen.append(int(next(events)["id"]))
    assert seen == sorted(set(seen))
    assert len(seen) < 1_000
    assert history.forgotten == 950


def test_so_many_readers_and_no_more(debugger: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST_STREAMS", 2)
    with stream(debugger) as one, stream(debugger) as other:
        assert next(one)["event"] == next(other)["event"] == "hello"
        assert debugger.get("/api/stream").status_code == 503
