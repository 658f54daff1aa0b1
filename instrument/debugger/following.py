"""Following the records of a debugger that listens somewhere: over its restarts, for as long as it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import sleep
from typing import TYPE_CHECKING, Any

import requests
from pydantic import ValidationError
from pydantic_core import from_json

from instrument.debugger.documents import is_object
from instrument.debugger.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST_EVENT = 8 << 20
"""How large one event of the stream may be, in bytes."""
_CONNECT, _SILENCE = 2.0, 40.0
"""Seconds to wait for a connection, and for anything on it: the debugger says every 15 that it is there."""
_ABSENCE = 0.5
"""Seconds after which a debugger that is absent is asked again."""


class NoDebugger(Exception):
    """What listens there is no debugger of ours."""


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    data: Any


@dataclass(slots=True)
class Follower:
    """Follows a debugger.

    Args:
        url: its address.
        wait: called with the problem when it cannot be reached, each time before it is asked again.
    """

    url: str
    wait: Callable[[str], object]
    _run: str | None = None
    _seen: int = 0
    _session: requests.Session = field(default_factory=requests.Session)

    def follow(self, last: int) -> Iterator[Record]:
        """Yield the last records, and then each that comes; it never ends.

        Args:
            last: how many of those that are there already.

        Raises:
            NoDebugger: something else listens there.
        """
        # No proxy of the environment's is asked for this machine.
        self._session.trust_env = False
        while True:
            try:
                yield from self._listed(last) if self._run is None else self._streamed()
            except requests.RequestException as error:  # noqa: PERF203 - each connection may break
                self.wait(type(error).__name__)
                sleep(_ABSENCE)

    def _listed(self, last: int) -> list[Record]:
        answer = self._asked(f"/api/events?limit={last}")
        with answer:
            listed = _object(answer.content)
        self._run, self._seen = str(listed.get("run")), int(listed.get("last", 0))
        return [_record(each) for each in listed.get("events", ())]

    def _streamed(self) -> Iterator[Record]:
        answer = self._asked("/api/stream", {"Last-Event-ID": str(self._seen)}, stream=True)
        with answer:
            for event in _events(answer.iter_content(None)):
                if event.kind == "hello" and event.data.get("run") != self._run:
                    # Another run counts from the beginning: what it has is all new.
                    self._run, self._seen = event.data.get("run"), 0
                    return
                if event.kind == "cleared":
                    self._seen = 0
                if event.kind == "record":
                    record = _record(event.data)
                    self._seen = record.seq
                    yield record
        raise requests.ConnectionError("the stream has ended")

    def _asked(self, path: str, headers: dict[str, str] | None = None, *, stream: bool = False) -> requests.Response:
        answer = self._session.get(self.url + path, headers=headers, stream=stream, timeout=(_CONNECT, _SILENCE))
        if answer.status_code == requests.codes.ok:
            return answer
        answer.close()
        if answer.status_code >= requests.codes.internal_server_error:
            raise requests.ConnectionError(f"it answered {answer.status_code}")
        raise NoDebugger(f"what listens at {self.url} is no debugger: it answered {answer.status_code}")


def _events(chunks: Iterator[bytes]) -> Iterator[_Event]:
    """Parse server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.

    Raises:
        NoDebugger: what comes is none of them.
    """
    waiting = b""
    for chunk in chunks:
        *whole, waiting = (waiting + chunk).split(b"\n\n")
        if len(waiting) > _MOST_EVENT:
            raise NoDebugger("what listens there sends events without an end")
        for each in whole:
            fields = dict(line.split(b": ", 1) for line in each.split(b"\n") if b": " in line)
            if b"data" in fields:
                yield _Event(fields.get(b"event", b"").decode(errors="replace"), _object(fields[b"data"]))


def _object(document: bytes) -> dict[str, Any]:
    try:
        value: object = from_json(document)
    except ValueError:
        value = None
    if not is_object(value):
        raise NoDebugger("what listens there is no debugger: it does not answer in its JSON")
    return value


def _record(value: Any) -> Record:
    try:
        return Record.model_validate(value)
    except ValidationError:
        raise NoDebugger("the debugger is of another version: its records have another form") from None
