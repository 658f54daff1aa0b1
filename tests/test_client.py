"""The client: takes messages over, answers with receipts, never raises, and never waits for a destination."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
from pydantic import ValidationError

from instrument import (
    Client,
    Limits,
    MemoryDestination,
    Reason,
    Receipt,
    Refusal,
    Rejected,
    Scope,
    Stats,
    Track,
    Unavailable,
    configure,
    default_client,
    tracks,
)
from instrument.client import Options, swap_default_client
from instrument.settings import Settings
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instrument import Envelope

PATIENCE = 10.0
"""Seconds until a test gives up on what should happen at once."""


class ClientScope(Scope):
    user_id: int


class ClientPinged(Track, ClientScope):
    number: int


def ping(number: int = 0) -> ClientPinged:
    return ClientPinged(user_id=7, number=number)


@tracks(ClientPinged)
def handle(user_id: int, number: int) -> str:
    return "handled"


@dataclass
class Destination:
    """A destination of the test's own, that does what it is told."""

    name: str = "tested"
    remote: bool = False
    limits: Limits = field(default_factory=Limits)
    batches: list[list[bytes]] = field(default_factory=list)
    closed: int = 0
    open_: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    errors: list[Exception] = field(default_factory=list)
    reject: Callable[[Envelope], bool] = lambda envelope: False

    def __post_init__(self) -> None:
        self.open_.set()

    def send(self, batch: Sequence[Envelope]) -> None:
        self.entered.set()
        self.open_.wait(PATIENCE)
        if self.errors:
            raise self.errors.pop(0)
        if any(map(self.reject, batch)):
            raise Rejected("the batch has a message that is no good")
        self.batches.append([envelope.body for envelope in batch])

    def forget_connections(self) -> None:
        """There are none."""

    def close(self) -> None:
        self.closed += 1

    @property
    def numbers(self) -> list[int]:
        """The numbers of the pings that were taken, in order."""
        return [_number(body) for batch in self.batches for body in batch]

    def hang(self) -> None:
        self.open_.clear()


def _number(body: bytes) -> int:
    import json

    return int(json.loads(body)["properties"]["number"])


@pytest.fixture
def destination() -> Iterator[Destination]:
    destination = Destination()
    yield destination
    destination.open_.set()


@pytest.fixture(params=["memory", "batched", "sync"])
def durability(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def make(tmp_path: Path, destination: Destination) -> Iterator[Callable[..., Client]]:
    """Make clients that are closed, and their threads ended, when the test is over."""
    clients: list[Client] = []

    def make(*destinations: Any, **options: Any) -> Client:
        given = {"durability": "memory", "spool_dir": tmp_path / "spool", **options}
        clients.append(Client(destinations=destinations or [destination], **given))
        return clients[-1]

    yield make
    destination.open_.set()
    for client in clients:
        client.close(PATIENCE)
    wait_until(lambda: not [each for each in threading.enumerate() if each.name == f"instrument-{destination.name}"])


class TestWithoutAKey:
    @pytest.fixture(autouse=True)
    def _no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SEGMENT_CLIENT_KEY", raising=False)

    def test_it_is_disabled_and_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        client = Client()
        receipts = [client.track(ping()) for _ in range(3)]
        assert not client.enabled
        assert not any(receipts)
        text = "there is no write key; set SEGMENT_CLIENT_KEY, or call instrument.configure(write_key=…)"
        assert {str(receipt.error) for receipt in receipts} == {f"the client is disabled: {text}"}
        assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
            ("WARNING", f"No events are sent: {text}.")
        ]

    @pytest.mark.parametrize("key", ["", "  ", "\n"])
    def test_an_empty_key_is_none(self, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
        monkeypatch.setenv("SEGMENT_CLIENT_KEY", key)
        for client in (Client(), Client(write_key=key)):
            assert "there is no write key" in str(client.track(ping()).error)

    def test_a_handler_runs_as_ever_and_says_the_same_once(
        self, unconfigured: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert [handle(7, 1), handle(7, 2)] == ["handled", "handled"]
        assert len(caplog.records) == 1

    def test_it_counts_nothing_and_starts_nothing(self, tmp_path: Path) -> None:
        threads = set(threading.enumerate())
        client = Client(spool_dir=tmp_path / "spool")
        client.track(ping())
        assert (client.flush(), client.close()) == (True, True)
        assert client.stats() == Stats()
        assert set(threading.enumerate()) <= threads
        assert not (tmp_path / "spool").exists()

    def test_a_destination_of_ones_own_needs_none(self, make: Callable[..., Client]) -> None:
        assert make().enabled


class TestTheSwitch:
    def test_off_wins_over_a_destination(self, destination: Destination, caplog: pytest.LogCaptureFixture) -> None:
        client = Client(destinations=[destination], enabled=False)
        receipt = client.track(ping())
        assert str(receipt.error) == "the client is disabled: the setting `enabled` is off"
        assert caplog.messages == ["No events are sent: the setting `enabled` is off."]
        assert destination.batches == []

    def test_on_is_not_enough_without_anywhere_to_send_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SEGMENT_CLIENT_KEY", raising=False)
        assert not Client(enabled=True).enabled

    def test_by_the_environment(self, monkeypatch: pytest.MonkeyPatch, destination: Destination) -> None:
        monkeypatch.setenv("INSTRUMENT_ENABLED", "false")
        assert not Client(destinations=[destination]).enabled
        assert Client(destinations=[destination], enabled=True).enabled

    def test_a_test_run_sends_nothing_anywhere(self, destination: Destination) -> None:
        destination.remote = True
        assert not Client(write_key="key").enabled
        receipt = Client(destinations=[destination]).track(ping())
        assert str(receipt.error) == (
            "the client is disabled: tests are running; "
            "mark a test with @pytest.mark.instrument_delivery to send from it"
        )

    def test_in_strict_and_debug_mode_messages_are_checked_all_the_same(self) -> None:
        for options in ({"strict": True}, {"debug": True}):
            client = Client(enabled=False, **options)  # type: ignore[arg-type]
            receipt = client.track(ping())
            assert isinstance(receipt.error, Refusal)
            assert receipt.error.reason is Reason.DISABLED
        with pytest.raises(Refusal):
            Client(enabled=False, strict=True).page(ping())  # type: ignore[arg-type]


class TestReceipts:
    def test_of_what_was_accepted(self, make: Callable[..., Client]) -> None:
        receipt = make().track(ping())
        assert receipt
        assert receipt.error is None
        assert receipt.message_id is not None
        assert len(receipt.message_id) == 36

    def test_of_what_was_not(self) -> None:
        error = Refusal(Reason.INVALID, "text")
        assert not Receipt(None, error)
        assert Receipt(None, error) == Receipt(None, error)

    def test_have_the_id_that_is_received(self, make: Callable[..., Client], destination: Destination) -> None:
        client = make()
        receipts = [client.track(ping(number)) for number in range(3)]
        assert client.flush(PATIENCE)
        received = [body for batch in destination.batches for body in batch]
        for receipt, body in zip(receipts, received, strict=True):
            assert f'"messageId":"{receipt.message_id}"'.encode() in body


class TestDelivery:
    def test_what_is_accepted_is_delivered_in_order_and_counted(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        client = make(durability=durability)
        assert all(client.track(ping(number)) for number in range(100))
        assert client.flush(PATIENCE)
        assert destination.numbers == list(range(100))
        stats = client.stats()
        assert (stats.accepted, stats.delivered, stats.queued) == (100, {"tested": 100}, 0)
        assert (stats.refused, stats.dead, stats.retried) == ({}, {}, 0)

    def test_close_delivers_what_waits(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        client = make(durability=durability)
        assert client.track(ping(1))
        assert client.close(PATIENCE)
        assert (destination.numbers, destination.closed) == ([1], 1)

    def test_batches_keep_the_limits_of_the_destination(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        destination.limits = Limits(count=10, size=1_000)
        client = make(durability=durability)
        for number in range(50):
            client.track(ping(number))
        assert client.flush(PATIENCE)
        assert destination.numbers == list(range(50))
        assert all(len(batch) <= 10 and sum(len(body) + 1 for body in batch) <= 1_000 for batch in destination.batches)

    def test_messages_of_many_threads_are_each_delivered_once(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        client = make(durability=durability)
        barrier = threading.Barrier(8, timeout=PATIENCE)

        def send(first: int) -> bool:
            barrier.wait()
            return all(client.track(ping(first + number)) for number in range(25))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(send, range(0, 200, 25)))
        assert client.flush(PATIENCE)
        assert sorted(destination.numbers) == list(range(200))
        for first in range(0, 200, 25):
            own = [number for number in destination.numbers if first <= number < first + 25]
            assert own == sorted(own)

    def test_several_destinations_all_get_it(self, make: Callable[..., Client], destination: Destination) -> None:
        memory = MemoryDestination()
        client = make(destination, memory)
        client.track(ping(1))
        assert client.flush(PATIENCE)
        assert destination.numbers == [1]
        assert [message["properties"] for message in memory.messages] == [{"number": 1}]
        assert client.stats().delivered == {"tested": 1, "memory": 1}

    def test_one_that_hangs_holds_back_no_other(self, make: Callable[..., Client], destination: Destination) -> None:
        destination.hang()
        memory = MemoryDestination()
        client = make(destination, memory)
        client.track(ping(1))
        wait_until(lambda: memory.messages)
        assert destination.batches == []

    def test_several_clients_are_strangers(self, make: Callable[..., Client], destination: Destination) -> None:
        memory = MemoryDestination()
        one, other = make(destination), make(memory)
        one.track(ping(1))
        other.track(ping(2))
        other.track(object())  # type: ignore[arg-type]
        assert one.close(PATIENCE)
        assert other.track(ping(3))
        assert other.flush(PATIENCE)
        assert destination.numbers == [1]
        assert [message["properties"]["number"] for message in memory.messages] == [2, 3]
        assert (one.stats().accepted, other.stats().accepted) == (1, 2)
        assert (one.stats().refused, other.stats().refused) == ({}, {"invalid": 1})


class TestADestinationThatHangs:
    def test_keeps_no_caller_waiting(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        destination.hang()
        client = make(durability=durability)
        assert client.track(ping(0))
        assert client.flush(0) is False
        assert all(client.track(ping(number)) for number in range(1, 50))
        assert client.stats().queued == 50
        destination.open_.set()
        assert client.flush(PATIENCE)
        assert destination.numbers == list(range(50))
        assert client.stats().queued == 0

    def test_flush_gives_up_in_time_and_says_so(self, make: Callable[..., Client], destination: Destination) -> None:
        destination.hang()
        client = make(flush_timeout=0.01)
        client.track(ping(1))
        assert client.flush() is False
        assert client.flush(0.01) is False
        destination.open_.set()
        assert client.flush(PATIENCE) is True
        assert destination.numbers == [1]

    def test_close_gives_up_in_time_and_says_so(self, make: Callable[..., Client], destination: Destination) -> None:
        destination.hang()
        client = make(flush_timeout=0.01)
        client.track(ping(1))
        assert client.close() is False
        assert client.close() is False

    def test_flush_with_nothing_to_wait_for_is_done(self, make: Callable[..., Client]) -> None:
        assert make().flush(0) is True

    def test_its_queue_is_bounded(self, make: Callable[..., Client], destination: Destination) -> None:
        destination.hang()
        client = make(spool_max_bytes=2_000)
        receipts = [client.track(ping(number)) for number in range(50)]
        accepted = [receipt for receipt in receipts if receipt]
        refused = [receipt.error for receipt in receipts if not receipt]
        assert accepted
        assert {error.reason for error in refused if isinstance(error, Refusal)} == {Reason.QUEUE_FULL}
        assert client.stats().refused == {"queue_full": len(refused)}
        destination.open_.set()
        assert client.flush(PATIENCE)
        assert len(destination.numbers) == len(accepted)
        assert client.track(ping(50))


class TestADestinationThatFails:
    @pytest.mark.parametrize(
        "error", [Unavailable("busy", retry_after=0), Unavailable("away"), OSError("reset"), RuntimeError("a bug")]
    )
    def test_is_tried_again(self, make: Callable[..., Client], destination: Destination, error: Exception) -> None:
        destination.errors = [error]
        client = make()
        client.track(ping(1))
        assert client.flush(PATIENCE)
        assert destination.numbers == [1]
        assert client.stats().retried == 1

    def test_gets_its_messages_in_order_all_the_same(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        destination.limits = Limits(count=7)
        destination.errors = [Unavailable("busy", retry_after=0) for _ in range(5)]
        client = make(durability=durability)
        for number in range(40):
            client.track(ping(number))
            if number == 20:
                destination.entered.wait(PATIENCE)
        assert client.flush(PATIENCE)
        assert destination.numbers == list(range(40))
        assert client.stats().retried == 5

    def test_is_told_of_once_for_a_row_of_failures(
        self, make: Callable[..., Client], destination: Destination, caplog: pytest.LogCaptureFixture
    ) -> None:
        destination.errors = [Unavailable("the server is busy", retry_after=0) for _ in range(3)]
        client = make()
        client.track(ping(1))
        assert client.flush(PATIENCE)
        (said,) = [message for message in caplog.messages if "the server is busy" in message]
        assert said.startswith("tested: ")


class TestAMessageThatIsRejected:
    def test_costs_its_neighbours_nothing(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        dropped: list[tuple[int, str]] = []
        destination.reject = lambda envelope: _number(envelope.body) in (3, 11)
        destination.hang()
        client = make(
            durability=durability, on_drop=lambda envelope, reason: dropped.append((_number(envelope.body), reason))
        )
        for number in range(16):
            client.track(ping(number))
        destination.open_.set()
        assert client.flush(PATIENCE)
        assert destination.numbers == [number for number in range(16) if number not in (3, 11)]
        reason = "the batch has a message that is no good"
        assert dropped == [(3, reason), (11, reason)]
        stats = client.stats()
        assert (stats.delivered, stats.dead, stats.queued) == ({"tested": 14}, {reason: 2}, 0)

    def test_goes_no_further_when_the_hook_raises(
        self, make: Callable[..., Client], destination: Destination, caplog: pytest.LogCaptureFixture
    ) -> None:
        def on_drop(envelope: Envelope, reason: str) -> None:
            raise ValueError("canary")

        destination.reject = lambda envelope: _number(envelope.body) == 1
        client = make(on_drop=on_drop)
        client.track(ping(1))
        client.track(ping(2))
        assert client.flush(PATIENCE)
        assert destination.numbers == [2]
        assert "on_drop raised ValueError" in caplog.text
        assert "canary" not in caplog.text


class TestClosing:
    def test_again_changes_nothing(self, make: Callable[..., Client], destination: Destination) -> None:
        client = make()
        client.track(ping(1))
        assert [client.close(PATIENCE), client.close(PATIENCE), client.close(0)] == [True, True, True]
        assert destination.closed == 1

    def test_before_anything_was_sent(self, make: Callable[..., Client], destination: Destination) -> None:
        client = make()
        assert client.close() is True
        assert not client.track(ping())

    def test_refuses_what_comes_later(self, make: Callable[..., Client], destination: Destination) -> None:
        client = make()
        client.track(ping(1))
        client.close(PATIENCE)
        receipt = client.track(ping(2))
        assert isinstance(receipt.error, Refusal)
        assert (receipt.error.reason, str(receipt.error)) == (Reason.CLOSED, "the client is closed")
        assert destination.numbers == [1]
        assert client.stats().refused == {"closed": 1}
        assert client.flush(PATIENCE) is True

    def test_by_several_threads_at_once(self, make: Callable[..., Client], destination: Destination) -> None:
        client = make()
        client.track(ping(1))
        barrier = threading.Barrier(4, timeout=PATIENCE)

        def close(_: int) -> bool:
            barrier.wait()
            return client.close(PATIENCE)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(close, range(4))) == [True] * 4
        assert (destination.numbers, destination.closed) == ([1], 1)

    def test_while_others_send_loses_nothing_that_was_accepted(
        self, make: Callable[..., Client], destination: Destination, durability: str
    ) -> None:
        client = make(durability=durability)
        started = threading.Event()
        accepted: list[int] = []

        def send(first: int) -> None:
            for number in range(first, first + 200):
                if not client.track(ping(number)):
                    return
                accepted.append(number)
                started.set()

        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(send, first) for first in range(0, 800, 200)]
            started.wait(PATIENCE)
            assert client.close(PATIENCE)
            for each in sent:
                each.result(PATIENCE)
        assert sorted(destination.numbers) == sorted(accepted)
        assert client.stats().delivered == {"tested": len(accepted)}


class TestTheDefaultClient:
    def test_is_made_at_first_use_with_the_settings_of_the_environment(
        self, unconfigured: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SEGMENT_CLIENT_KEY", "key")
        monkeypatch.setenv("INSTRUMENT_FLUSH_TIMEOUT", "0.5")
        client = default_client()
        assert default_client() is client
        assert (client.settings.write_key, client.settings.flush_timeout) == ("key", 0.5)

    def test_is_one_for_all_threads(self, unconfigured: None) -> None:
        barrier = threading.Barrier(8, timeout=PATIENCE)

        def first_use(_: int) -> Client:
            barrier.wait()
            return default_client()

        with ThreadPoolExecutor(8) as pool:
            assert len(set(map(id, pool.map(first_use, range(8))))) == 1

    def test_is_replaced_and_closed_by_configure(self, unconfigured: None, tmp_path: Path) -> None:
        first, second = Destination("first"), Destination("second")
        one = configure(destinations=[first], durability="memory", spool_dir=tmp_path)
        assert handle(7, 1) == "handled"
        other = configure(destinations=[second], durability="memory", spool_dir=tmp_path)
        assert handle(7, 2) == "handled"
        assert default_client() is other
        assert (first.numbers, first.closed) == ([1], 1)
        assert not one.track(ping(3))
        assert other.close(PATIENCE)
        assert second.numbers == [2]

    def test_is_left_alone_by_a_configuration_that_does_not_fit(self, unconfigured: None) -> None:
        before = configure(enabled=False)
        with pytest.raises(ValidationError):
            configure(flush_timeout=-1)
        assert default_client() is before

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("INSTRUMENT_TIMEOUT", "canary"),
            ("INSTRUMENT_FLUSH_TIMEOUT", "-1"),
            ("INSTRUMENT_LATE", "canary"),
            ("INSTRUMENT_STRICT", "canary"),
            ("INSTRUMENT_PROXIES", "canary"),
            ("INSTRUMENT_DESTINATIONS", "canary"),
            ("INSTRUMENT_ON_ERROR", "canary"),
        ],
    )
    def test_is_off_where_the_environment_holds_what_does_not_fit(
        self,
        unconfigured: None,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        name: str,
        value: str,
    ) -> None:
        monkeypatch.setenv("SEGMENT_CLIENT_KEY", "key")
        monkeypatch.setenv(name, value)
        assert [handle(7, 1), handle(7, 2)] == ["handled", "handled"]
        assert not default_client().enabled
        assert not default_client().track(ping())
        error, *warnings = caplog.records
        assert error.levelno == logging.ERROR
        assert error.getMessage().startswith("No events are sent: a setting in the environment does not fit")
        assert name.removeprefix("INSTRUMENT_").lower() in error.getMessage()
        assert [record.getMessage() for record in warnings] == ["No events are sent: the setting `enabled` is off."]
        assert "canary" not in caplog.text

    def test_can_be_swapped_and_put_back(self, unconfigured: None) -> None:
        mine, other = Client(enabled=False), Client(enabled=False)
        assert swap_default_client(mine) is None
        assert swap_default_client(other) is mine
        assert default_client() is other


_AT_EXIT = """
import sys
from instrument import JsonLinesDestination, Scope, Track, configure, default_client

class ExitScope(Scope):
    user_id: int

class ExitSeen(Track, ExitScope):
    number: int

configure(destinations=[JsonLinesDestination(sys.argv[1])], durability=sys.argv[2], spool_dir=sys.argv[3])
for number in range(200):
    assert default_client().track(ExitSeen(user_id=7, number=number))
{ending}
"""


class TestAtExit:
    @pytest.mark.parametrize("durability", ["memory", "batched", "sync"])
    def test_what_was_accepted_is_delivered(self, tmp_path: Path, durability: str) -> None:
        self._run(tmp_path, durability, "")
        assert self._delivered(tmp_path) == list(range(200))

    @pytest.mark.parametrize("ending", ["sys.exit(3)", "raise KeyError('uncaught')"])
    def test_also_when_the_process_ends_by_an_exception(self, tmp_path: Path, ending: str) -> None:
        self._run(tmp_path, "memory", ending)
        assert self._delivered(tmp_path) == list(range(200))

    @staticmethod
    def _run(tmp_path: Path, durability: str, ending: str) -> None:
        script = _AT_EXIT.format(ending=ending)
        arguments = [str(tmp_path / "out.jsonl"), durability, str(tmp_path / "spool")]
        subprocess.run([sys.executable, "-c", script, *arguments], check=not ending, capture_output=True, timeout=60)

    @staticmethod
    def _delivered(tmp_path: Path) -> list[int]:
        return [_number(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]


class TestSettingsOfAClient:
    def test_the_typed_arguments_are_the_fields_of_the_settings(self) -> None:
        assert set(Options.__annotations__) == set(Settings.model_fields)

    def test_an_argument_that_does_not_exist(self) -> None:
        with pytest.raises(ValidationError, match=r"flush_timeouts\n  Extra inputs are not permitted"):
            Client(flush_timeouts=1)  # type: ignore[call-arg]

    def test_an_argument_that_does_not_fit_tells_no_value(self) -> None:
        with pytest.raises(ValidationError) as raised:
            Client(timeout="canary")  # type: ignore[arg-type]
        assert "timeout" in str(raised.value)
        assert "canary" not in str(raised.value)

    def test_a_client_shows_no_secret(self) -> None:
        client = Client(write_key="canary", oauth_client_key="canary", enabled=False)
        assert "canary" not in repr(client) + repr(client.settings) + str(client.settings)


def test_what_may_go_with_a_message_is_typed() -> None:
    from instrument.client import Extras

    assert set(Extras.__annotations__) == {"timestamp", "message_id", "context", "integrations", "transactional"}
    assert set(get_type_hints(Receipt)) == {"message_id", "error", "held"}


class TestOwnDestinations:
    def test_a_client_that_sends_nothing_to_segment_shares_no_directory_with_those_of_the_key(
        self, tmp_path: Path
    ) -> None:
        def directories(**options: Any) -> set[Path]:
            before = set(tmp_path.iterdir())
            client = Client(write_key="key", spool_dir=tmp_path, durability="sync", **options)
            client.track(ping())
            assert client.close(10)
            return set(tmp_path.iterdir()) - before

        class AsSegment(MemoryDestination):
            name = "segment"

        of_the_key = directories(destinations=[AsSegment("segment")])
        assert directories(destinations=[AsSegment("segment")]) == set()
        assert directories(destinations=[MemoryDestination()]).isdisjoint(of_the_key) is True
        assert len(set(tmp_path.iterdir())) == 2

    def test_two_destinations_of_one_name_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="two destinations have the name 'memory'"):
            Client(destinations=[MemoryDestination(), MemoryDestination()])

    def test_a_key_with_no_destination_sends_nothing(self) -> None:
        client = Client(write_key="key", destinations=[])
        assert not client.enabled
        assert client.flush()


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 10**400])
def test_there_is_no_time_too_long_to_wait(
    make: Callable[..., Client], destination: Destination, timeout: float
) -> None:
    client = make()
    client.track(ping(1))
    assert client.flush(timeout)
    client.track(ping(2))
    assert client.close(timeout)
    assert destination.numbers == [1, 2]


def test_what_is_no_time_waits_for_nothing(make: Callable[..., Client], destination: Destination) -> None:
    destination.hang()
    client = make()
    client.track(ping(1))
    assert [client.flush(each) for each in (float("nan"), -1.0)] == [False, False]
    destination.open_.set()


_FORKS_WHILE_THE_DEFAULT_CLIENT_IS_CHANGED = """
import os, signal, threading
from instrument import client, default_client

held, over = threading.Event(), threading.Event()

def hold():
    with client._default.lock:
        held.set()
        over.wait(60)

threading.Thread(target=hold, daemon=True).start()
held.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(30)
    default_client()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
"""


def test_a_child_that_is_forked_while_the_default_client_is_changed_has_one() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORKS_WHILE_THE_DEFAULT_CLIENT_IS_CHANGED],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == "7\n"
