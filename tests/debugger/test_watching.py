"""What an application in debug mode shows to the debugger."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, Destination, MemoryDestination, Rejected, Scope, Track, request_scope, tracks
from instrument.testing import FixedStamps
from instrument.transactions import deferring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instrument import Envelope
    from tests.debugger.asked import Asked

pytestmark = pytest.mark.instrument_delivery


class WatchedScope(Scope):
    user_id: int


class WatchedDone(Track, WatchedScope):
    size: int


class Refusing(MemoryDestination):
    """A destination that never takes anything."""

    def send(self, batch: Sequence[Envelope]) -> None:
        raise Rejected("it is of no use here")


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Make a client in debug mode, closed after the test."""
    made: list[Client] = []

    def client_of(port: int, *destinations: Destination, **options: Any) -> Client:
        client = Client(
            debug=True,
            debug_port=port,
            destinations=list(destinations) or None,
            spool_dir=tmp_path,
            durability="memory",
            stamps=FixedStamps(),
            **options,
        )
        made.append(client)
        return client

    yield client_of
    for client in made:
        client.close()


def test_a_message_is_shown_with_its_handler_its_provenance_and_its_request(
    debugger: Asked, client_of: Callable[..., Client]
) -> None:
    memory = MemoryDestination()
    client = client_of(debugger.port, memory)

    @tracks(WatchedDone, client=client)
    def handle(size: int) -> None: ...

    with request_scope(user_id=7):
        handle(3)
        handle(4)
    with request_scope(user_id=8):
        handle(5)
    client.flush()
    first, second, third = debugger.wait_for(3)
    assert first["envelope"]["properties"] == {"size": 3}
    assert first["provenance"] == {"user_id": "request scope 'user_id'", "size": "argument 'size'"}
    assert first["handler"] == {
        "name": f"{__name__}:{handle.__qualname__}",
        "file": __file__,
        "line": handle.__code__.co_firstlineno,
    }
    assert first["request"] == second["request"] != third["request"]
    assert [each["message_id"] for each in (first, second, third)] == [each["messageId"] for each in memory.messages]


def test_frames_inside_of_a_request_are_of_it(debugger: Asked, client_of: Callable[..., Client]) -> None:
    client = client_of(debugger.port)
    with request_scope(user_id=7):
        with request_scope(user_id=8):
            client.track(WatchedDone(user_id=8, size=1))
        client.track(WatchedDone(user_id=7, size=1))
    client.track(WatchedDone(user_id=7, size=1))
    inner, outer, outside = debugger.wait_for(3)
    assert inner["request"] == outer["request"] != outside["request"] is None


def test_a_message_that_is_sent_without_a_handler_tells_the_line(
    debugger: Asked, client_of: Callable[..., Client]
) -> None:
    client_of(debugger.port).track(WatchedDone(user_id=7, size=1))
    (record,) = debugger.wait_for(1)
    assert record["handler"]["name"] == "client.track"
    assert record["handler"]["file"] == __file__


def test_without_a_write_key_everything_is_accepted_shown_and_said_once(
    debugger: Asked, client_of: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(debugger.port)
    assert client.track(WatchedDone(user_id=7, size=1))
    assert client.track(WatchedDone(user_id=7, size=2))
    assert client.flush()
    assert [each["user"] for each in debugger.wait_for(2)] == ["7", "7"]
    assert [each.message for each in caplog.records] == [
        "Events are shown to the local debugger, and sent nowhere: there is no write key."
    ]
    assert client.stats().accepted == 2


def test_of_the_write_key_four_characters_are_told(debugger: Asked, client_of: Callable[..., Client]) -> None:
    client = client_of(debugger.port, MemoryDestination(), write_key="a-secret-key")
    client.track(WatchedDone(user_id=7, size=1))
    (record,) = debugger.wait_for(1)
    assert record["write_key_hint"] == "-key"
    assert "secret" not in str(record)


@pytest.mark.instrument_lenient
def test_a_refusal_is_shown_with_its_reason_and_without_values(
    debugger: Asked, client_of: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "instrument")
    client = client_of(debugger.port, MemoryDestination())

    @tracks(WatchedDone, client=client)
    def handle(size: Any) -> None: ...

    with request_scope(user_id=7):
        handle("a secret")
    (record,) = debugger.wait_for(1)
    assert (record["status"], record["type"], record["name"]) == ("refused", "track", "Watched Done")
    assert record["reason"].startswith("invalid: WatchedDone: field 'size': Input should be a valid integer")
    assert record["handler"]["name"].endswith("handle")
    assert record["request"] is not None
    assert record["violations"] == []
    assert "secret" not in str(record)


def test_what_will_never_be_delivered_is_shown_again_with_the_reason(
    debugger: Asked, client_of: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "instrument")
    dropped: list[str] = []
    client = client_of(debugger.port, Refusing(), on_drop=lambda envelope, reason: dropped.append(reason))
    client.track(WatchedDone(user_id=7, size=1))
    client.flush()
    sent, lost = debugger.wait_for(2)
    assert (sent["status"], lost["status"]) == ("unknown", "dropped")
    assert sent["message_id"] == lost["message_id"]
    assert (lost["reason"], lost["duplicate_of"]) == ("it is of no use here", None)
    assert dropped == ["it is of no use here"]


def test_what_is_rolled_back_is_shown_as_dropped(debugger: Asked, client_of: Callable[..., Client]) -> None:
    client = client_of(debugger.port, MemoryDestination())
    with suppress(ZeroDivisionError), deferring():
        assert client.track(WatchedDone(user_id=7, size=1)).held
        raise ZeroDivisionError
    client.flush()
    (record,) = debugger.wait_for(1)
    assert (record["status"], record["reason"]) == ("dropped", "its transaction was rolled back")
    assert record["envelope"]["properties"] == {"size": 1}


def test_nothing_waits_where_no_debugger_listens(client_of: Callable[..., Client]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    memory = MemoryDestination()
    client = client_of(port, memory)
    for number in range(100):
        assert client.track(WatchedDone(user_id=7, size=number))
    assert client.close()
    assert len(memory.messages) == 100


def test_a_debugger_that_never_answers_holds_back_nothing(client_of: Callable[..., Client]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        memory = MemoryDestination()
        client = client_of(deaf.getsockname()[1], memory)
        assert client.track(WatchedDone(user_id=7, size=1))
        assert client.close()
    assert len(memory.messages) == 1


def test_a_debugger_that_is_started_again_is_shown_what_comes_then(
    start: Callable[..., Asked], client_of: Callable[..., Client]
) -> None:
    from instrument.debugger.server import Debugger

    with Debugger(port=0) as first:
        port = int(first.url.rpartition(":")[2])
        client = client_of(port)
        client.track(WatchedDone(user_id=7, size=1))
        client.flush()
        assert first.history.last == 1
    again = start(port=port)
    client.track(WatchedDone(user_id=7, size=2))
    client.flush()
    assert again.wait_for(1)[0]["envelope"]["properties"] == {"size": 2}


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUMENT_NO_NETWORK", "a test")


@pytest.mark.usefixtures("_no_network")
def test_tests_show_nothing(debugger: Asked, client_of: Callable[..., Client]) -> None:
    memory = MemoryDestination()
    client = client_of(debugger.port, memory)
    client.track(WatchedDone(user_id=7, size=1))
    client.close()
    assert len(memory.messages) == 1
    assert debugger.records() == []
    assert not client_of(debugger.port).enabled


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_is_shown_by_a_connection_of_its_own(debugger: Asked, tmp_path: Path) -> None:
    program = f"""
        import os
        from instrument import Client, Scope, Track
        class ForkedScope(Scope):
            user_id: int
        class ForkedDone(Track, ForkedScope): ...
        client = Client(debug=True, debug_port={debugger.port})
        client.track(ForkedDone(user_id=1))
        client.flush()
        child = os.fork()
        if child == 0:
            client.track(ForkedDone(user_id=2))
            client.close()
            os._exit(0)
        os.waitpid(child, 0)
        client.track(ForkedDone(user_id=3))
        client.close()
    """
    environment = {name: value for name, value in os.environ.items() if name != "SEGMENT_CLIENT_KEY"}
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-c", dedent(program)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "INSTRUMENT_SPOOL_DIR": str(tmp_path)},
    )
    assert "ResourceWarning" not in ran.stderr
    assert [each["user"] for each in debugger.wait_for(3)] == ["1", "2", "3"]


def test_one_variable_of_the_environment_is_all_the_set_up(debugger: Asked, tmp_path: Path) -> None:
    program = """
        from instrument import Scope, Track, request_scope, tracks
        class ProgramScope(Scope):
            user_id: int
        class ProgramRan(Track, ProgramScope):
            times: int
        @tracks(ProgramRan)
        def run(times: int) -> None: ...
        with request_scope(user_id=7):
            run(3)
    """
    environment = {name: value for name, value in os.environ.items() if name != "SEGMENT_CLIENT_KEY"}
    debug = {
        "INSTRUMENT_DEBUG": "1",
        "INSTRUMENT_DEBUG_PORT": str(debugger.port),
        "INSTRUMENT_SPOOL_DIR": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", dedent(program)], check=True, timeout=60, env={**environment, **debug})
    (record,) = debugger.wait_for(1)
    assert (record["name"], record["user"]) == ("Program Ran", "7")
    assert list(tmp_path.iterdir()) == []
