"""What the surface of `segment.analytics` does with our delivery below it."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import instrument.compat.segment as analytics
from instrument import Rejected
from instrument.compat.segment import Client
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(__file__).parent / "programs" / "old_code.py"
ROOT = Path(__file__).parents[2]

delivering = pytest.mark.instrument_delivery


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("INSTRUMENT_FLUSH_TIMEOUT", "10")
    return monkeypatch


@pytest.fixture
def make() -> Iterator[Callable[..., Client]]:
    """Make clients, which are closed after the test."""
    made: list[Client] = []

    def client(**options: Any) -> Client:
        made.append(Client("key", **options))
        return made[-1]

    yield client
    for each in made:
        each.join()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The module's settings, which are put back, and its client, which is made anew."""
    monkeypatch.setattr(analytics, "default_client", None)
    yield monkeypatch
    if isinstance(analytics.default_client, Client):
        analytics.default_client.join()


def events(collector: Collector) -> list[str]:
    return [each["event"] for each in collector.messages]


def run(collector: Collector, what: str, status: int = 0) -> None:
    environment = {**os.environ, "COLLECTOR": collector.url}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), what],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr


@delivering
def test_the_settings_of_the_module_are_read_by_the_first_call(
    module: pytest.MonkeyPatch, collector: Collector
) -> None:
    module.setattr(analytics, "write_key", "first")
    module.setattr(analytics, "host", collector.url)
    module.setattr(analytics, "gzip", True)
    analytics.identify("u-7", {"plan": "free"})
    module.setattr(analytics, "write_key", "second")
    analytics.track("u-7", "Parcel Sent")
    analytics.page("u-7", "Docs", "Start")
    analytics.screen("u-7", "Docs", "Start")
    analytics.group("u-7", "g-1", {"size": 3})
    analytics.alias("u-6", "u-7")
    analytics.flush()
    assert [each["type"] for each in collector.messages] == ["identify", "track", "page", "screen", "group", "alias"]
    assert {each.write_key for each in collector.requests} == {"first"}
    assert {each.headers["content-encoding"] for each in collector.requests} == {"gzip"}


def test_without_a_write_key_the_first_call_says_so(module: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="write_key must have the type str, got: NoneType"):
        analytics.track("u-7", "Parcel Sent")
    module.setattr(analytics, "write_key", "late")
    assert analytics.default_client is None


def test_a_client_of_a_test_may_stand_in_for_the_default_one(module: pytest.MonkeyPatch) -> None:
    class Double:
        calls: list[tuple[Any, ...]] = []

        def track(self, *args: Any) -> None:
            self.calls.append(args)

    module.setattr(analytics, "default_client", Double())
    analytics.track("u-7", "Parcel Sent")
    assert Double.calls == [("u-7", "Parcel Sent")]


def test_without_sending_calls_are_checked_and_answered_and_nothing_is_made(
    make: Callable[..., Client], tmp_path: Path
) -> None:
    client = make(send=False)
    queued, message = client.track("u-7", "Parcel Sent", {"weight": 3}, message_id="m-1")
    assert (queued, message["userId"], message["properties"], message["messageId"]) == (
        True,
        "u-7",
        {"weight": 3},
        "m-1",
    )
    with pytest.raises(AssertionError):
        client.track("u-7")
    client.flush()
    client.shutdown()
    assert not (tmp_path / "spool").exists()


@delivering
def test_sending_may_be_switched_off_later(make: Callable[..., Client], collector: Collector) -> None:
    client = make(host=collector.url)
    client.send = False
    assert client.track("u-7", "Parcel Sent")[0]
    client.send = True
    assert client.track("u-7", "Parcel Lost")[0]
    client.flush()
    assert events(collector) == ["Parcel Lost"]


def test_in_a_test_run_calls_are_answered_as_without_sending(
    make: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    assert [client.track("u-7", "Parcel Sent")[0] for _ in range(2)] == [True, True]
    assert client.stats().accepted == 0
    assert [each.getMessage() for each in caplog.records] == [
        "No events are sent: tests are running; mark a test with @pytest.mark.instrument_delivery to send from it."
    ]


@delivering
def test_on_error_is_told_of_each_message_that_is_lost(make: Callable[..., Client], collector: Collector) -> None:
    told: list[tuple[Exception, list[dict[str, Any]]]] = []
    collector.behave("poison", marker="Parcel Burnt")
    client = make(host=collector.url, on_error=lambda error, batch: told.append((error, batch)))
    _, poison = client.track("u-7", "Parcel Burnt", {"weight": 3})
    client.track("u-7", "Parcel Sent")
    client.flush()
    ((error, batch),) = told
    assert type(error) is Rejected
    assert f"{collector.url}/v1/batch answered 400" in str(error)
    assert batch == [poison]
    assert events(collector) == ["Parcel Sent"]


@delivering
def test_on_error_may_raise(make: Callable[..., Client], collector: Collector) -> None:
    def on_error(error: Exception, batch: list[dict[str, Any]]) -> None:
        raise RuntimeError(str(batch)) from error

    collector.behave("poison", marker="Parcel Burnt")
    client = make(host=collector.url, on_error=on_error)
    client.track("u-7", "Parcel Burnt")
    client.track("u-7", "Parcel Sent")
    client.flush()
    assert events(collector) == ["Parcel Sent"]


@delivering
def test_on_error_hears_nothing_of_what_can_be_delivered_later(
    make: Callable[..., Client], collector: Collector, environment: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    environment.setenv("INSTRUMENT_FLUSH_TIMEOUT", "0.1")
    collector.behave("status", status=503)
    client = make(host=collector.url, on_error=lambda *each: told.append(each), max_retries=0)
    client.track("u-7", "Parcel Sent")
    client.flush()
    assert (told, events(collector)) == ([], [])
    collector.behave()
    collector.wait_for(1)
    assert events(collector) == ["Parcel Sent"]


@delivering
def test_in_synchronous_mode_a_call_returns_when_its_message_is_delivered(
    make: Callable[..., Client], collector: Collector
) -> None:
    client = make(host=collector.url, sync_mode=True)
    for name in ("Parcel Packed", "Parcel Sent"):
        assert client.track("u-7", name)[0]
        assert events(collector)[-1] == name
    client.shutdown()


@delivering
def test_in_synchronous_mode_an_outage_raises_nothing_and_loses_nothing(collector: Collector) -> None:
    collector.behave("status", status=503)
    run(collector, "is killed", status=9)
    assert collector.messages == []
    collector.behave()
    next_process = Client("old", host=collector.url)
    next_process.track("u-7", "Parcel Sent", message_id="next")
    collector.wait_for(2)
    next_process.join()
    assert collector.counts == {"killed": 1, "next": 1}


@delivering
def test_the_end_of_a_process_delivers_what_is_queued(collector: Collector) -> None:
    run(collector, "exits")
    assert collector.counts == {"exit-0": 1, "exit-1": 1, "exit-2": 1}


@delivering
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_what_a_parent_and_its_children_send_arrives_once(collector: Collector) -> None:
    run(collector, "forks")
    names = ["parent-before", "child-0", "child-1", "child-2", "parent-after"]
    assert collector.counts == dict.fromkeys(names, 1)


@delivering
def test_a_full_queue_is_answered(
    make: Callable[..., Client], collector: Collector, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("INSTRUMENT_FLUSH_TIMEOUT", "0.1")
    collector.behave("status", status=503)
    client = make(host=collector.url, max_queue_size=1)
    answers = [client.track("u-7", "Parcel Sent", {"pad": "x" * 20_000})[0] for _ in range(3)]
    assert answers == [True, False, False]
    assert client.stats().refused == {"queue_full": 2}


@delivering
def test_a_queue_without_a_bound_takes_all(make: Callable[..., Client], collector: Collector) -> None:
    client = make(host=collector.url, max_queue_size=0)
    assert all(client.track("u-7", "Parcel Sent", {"pad": "x" * 20_000})[0] for _ in range(20))
    client.flush()
    assert len(events(collector)) == 20


@delivering
def test_after_the_end_nothing_is_queued(make: Callable[..., Client], collector: Collector) -> None:
    client = make(host=collector.url)
    client.track("u-7", "Parcel Sent")
    client.shutdown()
    assert not client.track("u-7", "Parcel Lost")[0]
    client.shutdown()
    assert events(collector) == ["Parcel Sent"]
    assert client.stats().refused == {"closed": 1}


@delivering
def test_the_messages_count_as_undeclared(make: Callable[..., Client], collector: Collector) -> None:
    client = make(host=collector.url)
    client.track("u-7", "Parcel Sent")
    client.flush()
    stats = client.stats()
    assert (stats.accepted, stats.undeclared, stats.delivered) == (1, 1, {"segment": 1})


@delivering
def test_debugging_shows_each_call_without_its_values(make: Callable[..., Client], collector: Collector) -> None:
    shown = io.StringIO()
    client = make(host=collector.url, debug=True, log_handler=logging.StreamHandler(shown))
    client.track("u-7", "Parcel Sent", {"weight": 3, "thing": object()})
    client.flush()
    assert shown.getvalue() == (
        f"track, sent at {__file__}:{_line_of('thing')}: a value of type object has no JSON form, and is left out.\n"
        "queued: track\n"
    )


def test_debugging_shows_on_standard_error_without_a_handler(make: Callable[..., Client]) -> None:
    make(debug=True, send=False)
    (handler,) = [each for each in logging.getLogger("segment").handlers if type(each) is logging.StreamHandler]
    assert handler.stream is sys.stderr
    assert Client.log.level == logging.DEBUG


def _line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if f'"{text}": object()' in line)
