"""Forwarding from a stream to a destination: each message at least once, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from instrument import Envelope, Limits, MemoryDestination, Unavailable
from instrument.delivery.attempts import GaveUp, Patience
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.destinations.nats import NatsDestination
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.delivery.forward import Forwarder
from instrument.delivery.forwarding import Forwarded
from instrument.delivery.retry import Backoff
from instrument.testing.collector import Collector
from tests.delivery.envelopes import envelope, envelopes
from tests.delivery.nats_servers import NatsServer, consumer_info, publish, stream_info
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from instrument import Destination

pytestmark = pytest.mark.instrument_delivery

QUICK = Backoff(first=0.02, most=0.05)


class Gate(MemoryDestination):
    """Takes nothing while it is shut, and tells how often it was asked."""

    def __init__(self, *, is_open: bool = False, count: int = 1_000) -> None:
        super().__init__()
        self.limits = Limits(count=count)
        self.asked = 0
        self._open = threading.Event()
        if is_open:
            self._open.set()

    def open(self) -> None:
        self._open.set()

    def send(self, batch: Sequence[Envelope]) -> None:
        self.asked += 1
        if not self._open.is_set():
            raise Unavailable("it is shut")
        super().send(batch)


class Running:
    """A forwarder on a thread of its own."""

    def __init__(self, forwarder: Forwarder) -> None:
        self.forwarder = forwarder
        self._thread = threading.Thread(target=forwarder.run)
        self._thread.start()

    def stop(self) -> Forwarded:
        self.close()
        assert not self._thread.is_alive()
        return self.forwarder.forwarded

    def close(self) -> None:
        self.forwarder.stop()
        self._thread.join(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    return str(request.function.__name__).upper()


@pytest.fixture
def fill(server: NatsServer, stream: str) -> Callable[[Iterable[int]], None]:
    """Publish envelopes to the stream of the test."""
    return lambda numbers: filled(server, stream, numbers)


def filled(server: NatsServer, stream: str, numbers: Iterable[int]) -> None:
    with closing(NatsDestination(server.url, stream, stream.lower())) as destination:
        destination.send(envelopes(numbers))


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path / "letters")


@pytest.fixture
def run() -> Iterator[Callable[[Forwarder], Running]]:
    """Run forwarders, and stop them at the end."""
    with ExitStack() as stack:
        yield lambda forwarder: stack.enter_context(closing(Running(forwarder)))


@pytest.fixture
def forwarder(server: NatsServer, stream: str, letters: DeadLetters) -> Callable[..., Forwarder]:
    def make(destination: Destination, *, ack_wait: float = 30.0, seconds: float | None = None) -> Forwarder:
        patience = Patience(seconds, backoff=QUICK)
        return Forwarder(destination, letters, server.url, stream=stream, ack_wait=ack_wait, patience=patience)

    return make


def numbers(destination: MemoryDestination) -> list[int]:
    return [message["properties"]["number"] for message in destination.messages]


def test_every_message_reaches_the_destination_in_order_and_leaves_the_stream(
    server: NatsServer, stream: str, fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder]
) -> None:
    for number in range(10):
        fill([number])
    memory = MemoryDestination()
    forwarded = forwarder(memory).run(until_empty=True)
    assert forwarded == Forwarded(delivered=10)
    assert memory.envelopes == envelopes(range(10))
    assert stream_info(server.url, stream).state.messages == 0


def test_batches_are_no_larger_than_the_destination_takes(
    fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder]
) -> None:
    class Small(MemoryDestination):
        def __init__(self) -> None:
            super().__init__()
            self.limits = Limits(count=100, size=2 * len(envelope(1).body) + 2)
            self.sizes: list[int] = []

        def send(self, batch: Sequence[Envelope]) -> None:
            self.sizes.append(len(batch))
            super().send(batch)

    fill(range(7))
    small = Small()
    forwarder(small).run(until_empty=True)
    assert (sorted(numbers(small)), small.sizes) == (list(range(7)), [2, 2, 2, 1])


def test_a_message_that_segment_refuses_goes_to_the_dead_letters_and_costs_no_other(
    server: NatsServer,
    stream: str,
    fill: Callable[[Iterable[int]], None],
    letters: DeadLetters,
    forwarder: Callable[..., Forwarder],
) -> None:
    fill(range(5))
    publish(server.url, stream.lower(), [envelope(5, event="poison").body])
    fill(range(6, 10))
    with Collector() as collector:
        collector.behave("poison", marker="poison")
        destination = SegmentDestination("key", host=collector.url)
        forwarded = forwarder(destination).run(until_empty=True)
        destination.close()
        received = [message["messageId"] for message in collector.messages]
    assert forwarded == Forwarded(delivered=9, dead=1)
    assert sorted(received) == [f"message-{number}" for number in range(10) if number != 5]
    assert [(each.destination, each.envelope) for each in letters.letters()] == [
        ("segment", envelope(5, event="poison"))
    ]
    assert stream_info(server.url, stream).state.messages == 0


def test_what_is_no_message_of_ours_goes_to_the_dead_letters(
    server: NatsServer,
    stream: str,
    fill: Callable[[Iterable[int]], None],
    letters: DeadLetters,
    forwarder: Callable[..., Forwarder],
) -> None:
    fill([1])
    strange = [b"\xff\x00", b"[1]", b'{"messageId":7,"type":"track"}', b'{"messageId":"1","type":"track","x":NaN}']
    publish(server.url, stream.lower(), strange)
    memory = MemoryDestination()
    assert forwarder(memory).run(until_empty=True) == Forwarded(delivered=1, dead=4)
    assert [each.envelope.body for each in letters.letters()] == strange
    assert {each.reason for each in letters.letters()} == {
        "it is no message of this package, but for a JSON object with a messageId and a type"
    }


def test_the_line_breaks_of_a_strangers_json_tear_no_line(
    server: NatsServer, stream: str, fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder]
) -> None:
    fill([1])
    publish(server.url, stream.lower(), [b'{\n "messageId": "1",\n "type": "track"\n}'])
    memory = MemoryDestination()
    forwarder(memory).run(until_empty=True)
    assert memory.envelopes[1] == Envelope("1", b'{"messageId":"1","type":"track"}')


def test_a_dead_letter_that_cannot_be_kept_stays_in_the_stream(
    server: NatsServer,
    stream: str,
    letters: DeadLetters,
    forwarder: Callable[..., Forwarder],
    run: Callable[[Forwarder], Running],
) -> None:
    filled(server, stream, [1])
    publish(server.url, stream.lower(), [b"no envelope"])
    letters.path.parent.write_text("a file where the directory should be")
    memory = MemoryDestination()
    running = run(forwarder(memory))
    wait_until(lambda: numbers(memory) == [1])
    assert running.stop() == Forwarded(delivered=1)
    assert stream_info(server.url, stream).state.messages == 1


def test_several_forwarders_share_the_work(
    fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder], run: Callable[[Forwarder], Running]
) -> None:
    fill(range(300))
    gates = [Gate(is_open=True, count=20) for _ in range(3)]
    running = [run(forwarder(each)) for each in gates]
    wait_until(lambda: sum(len(each.envelopes) for each in gates) >= 300)
    done = [each.stop() for each in running]
    assert sorted(number for each in gates for number in numbers(each)) == list(range(300))
    assert sum(each.repeated for each in done) == 0


def test_messages_in_hand_are_given_to_nobody_else_while_the_destination_is_tried_again(
    server: NatsServer,
    stream: str,
    fill: Callable[[Iterable[int]], None],
    forwarder: Callable[..., Forwarder],
    run: Callable[[Forwarder], Running],
) -> None:
    fill(range(5))
    shut, other = Gate(), MemoryDestination()
    holding = run(forwarder(shut, ack_wait=0.3))
    wait_until(lambda: shut.asked > 0)
    waiting = run(forwarder(other))
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1.0)  # more than three times as long as it may take
    info = consumer_info(server.url, stream)
    assert info is not None
    assert (info.num_ack_pending, info.num_redelivered, other.messages) == (5, 0, [])
    shut.open()
    wait_until(lambda: numbers(shut) == list(range(5)))
    assert waiting.stop() == Forwarded()
    assert holding.stop().delivered == 5


def test_a_forwarder_that_is_stopped_gives_back_what_it_has_at_once(
    fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder], run: Callable[[Forwarder], Running]
) -> None:
    fill(range(5))
    shut, other = Gate(), MemoryDestination()
    stopped = run(forwarder(shut, ack_wait=300.0))
    wait_until(lambda: shut.asked > 1)
    assert stopped.stop().delivered == 0
    assert forwarder(other).run(until_empty=True) == Forwarded(delivered=5, repeated=5)
    assert sorted(numbers(other)) == list(range(5))


def test_patience_that_runs_out_ends_it_and_leaves_the_messages(
    server: NatsServer, stream: str, fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder]
) -> None:
    fill(range(5))
    with pytest.raises(GaveUp, match=r"it is shut; nothing was taken for 0.1 seconds"):
        forwarder(Gate(), seconds=0.1).run()
    assert stream_info(server.url, stream).state.messages == 5


def test_a_stream_that_nobody_has_made_yet_is_waited_for(
    fill: Callable[[Iterable[int]], None],
    forwarder: Callable[..., Forwarder],
    stream: str,
    caplog: pytest.LogCaptureFixture,
    run: Callable[[Forwarder], Running],
) -> None:
    memory = MemoryDestination()
    running = run(forwarder(memory))
    wait_until(lambda: f"there is no stream {stream} yet; the first NatsDestination makes it" in caplog.text)
    fill([1])
    wait_until(lambda: numbers(memory) == [1])
    running.stop()


@pytest.mark.parametrize("names", [{"stream": "a b"}, {"consumer": ""}, {"consumer": "a.b"}])
def test_a_name_that_no_server_takes_is_refused(letters: DeadLetters, names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a name has at least one character, no space, and none of"):
        Forwarder(MemoryDestination(), letters, **names)  # type: ignore[arg-type]


def test_nothing_is_forwarded_while_a_test_run_forbids_it(
    forwarder: Callable[..., Forwarder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUMENT_NO_NETWORK", "pytest")
    with pytest.raises(GaveUp, match="forwarding is switched off, since tests are running"):
        forwarder(MemoryDestination()).run()


def test_an_existing_consumer_is_used_with_its_own_settings(
    server: NatsServer, stream: str, fill: Callable[[Iterable[int]], None], forwarder: Callable[..., Forwarder]
) -> None:
    for number, ack_wait in enumerate((11.0, 22.0)):
        fill([number])
        assert forwarder(MemoryDestination(), ack_wait=ack_wait).run(until_empty=True) == Forwarded(delivered=1)
    info = consumer_info(server.url, stream)
    assert info is not None
    assert (info.config.ack_wait, info.config.max_deliver) == (11.0, -1)


def test_a_server_that_is_restarted_is_forwarded_from_again(tmp_path: Path) -> None:
    memory = MemoryDestination()
    with NatsServer(tmp_path / "nats") as server:
        filled(server, "instrument", range(5))
        forwarder = Forwarder(memory, DeadLetters(tmp_path), server.url, timeout=0.5, patience=Patience(backoff=QUICK))
        with closing(Running(forwarder)):
            wait_until(lambda: len(memory.envelopes) == 5)
            server.kill()
            server.start()
            filled(server, "instrument", range(5, 10))
            wait_until(lambda: len({each.message_id for each in memory.envelopes}) == 10)


def test_a_forwarder_that_is_killed_loses_nothing_and_repeats_by_the_same_ids(
    server: NatsServer,
    stream: str,
    fill: Callable[[Iterable[int]], None],
    forwarder: Callable[..., Forwarder],
    tmp_path: Path,
) -> None:
    fill(range(20))
    with Collector() as collector:
        collector.behave("lose answer")
        with forward(server, stream, collector, tmp_path) as process:
            collector.wait_for_requests(1, 60)
            process.kill()  # Segment has the batch, and the forwarder does not know
        fill(range(20, 30))
        collector.behave("segment")
        destination = SegmentDestination("key", host=collector.url)
        forwarded = forwarder(destination).run(until_empty=True)
        destination.close()
        received = [message["messageId"] for message in collector.messages]
    assert forwarded == Forwarded(delivered=30, repeated=20)
    assert sorted(received) == sorted(
        [f"message-{number}" for number in range(30)] + [f"message-{number}" for number in range(20)]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_batch_in_hand(
    server: NatsServer, stream: str, tmp_path: Path, number: signal.Signals
) -> None:
    stream += number.name
    filled(server, stream, range(5))
    with Collector() as collector:
        collector.behave("slow", delay=0.3)
        with forward(server, stream, collector, tmp_path) as process:
            wait_until(lambda: (info := consumer_info(server.url, stream)) is not None and info.num_ack_pending == 5)
            process.send_signal(number)
            output, _ = process.communicate(timeout=20)
        received = [message["messageId"] for message in collector.messages]
    assert process.returncode == 0
    assert json.loads(output) == {"delivered": 5, "dead": 0, "repeated": 0, "retried": 0, "problem": None}
    assert sorted(received) == [f"message-{each}" for each in range(5)]
    assert stream_info(server.url, stream).state.messages == 0


@contextmanager
def forward(
    server: NatsServer, stream: str, collector: Collector, spool_dir: Path
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "instrument.cli", "forward", "--json", "--ack-wait", "1"]
    options = ["--server", server.url, "--stream", stream, "--host", collector.url, "--spool-dir", str(spool_dir)]
    environment = {**os.environ, "SEGMENT_CLIENT_KEY": "key"}
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
