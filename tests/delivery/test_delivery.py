"""From an accepted message to the destination that has it, over a real collector and real files."""

from __future__ import annotations

import os
import stat
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, Held, Limits, Reason, Refusal, Rejected, Scope, Track, Unavailable
from instrument.delivery.dead_letters import FILE_NAME, DeadLetters
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instrument import Envelope

pytestmark = pytest.mark.instrument_delivery

DURABILITIES = ["memory", "batched", "sync"]


class DeliveryScope(Scope):
    user_id: int


class DeliveryCounted(Track, DeliveryScope):
    number: int


class DeliveryPoisoned(Track, DeliveryScope):
    """What the collector is told to take no batch with."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def made(collector: Collector, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Make clients of the collector, which are closed at the end."""
    clients: list[Client] = []

    def make(**options: Any) -> Client:
        defaults: dict[str, Any] = {"write_key": "test", "host": collector.url, "spool_dir": tmp_path}
        client = Client(**(defaults | options))
        clients.append(client)
        return client

    yield make
    collector.release()
    for client in clients:
        client.close(0.1)


class Scripted:
    """A destination that answers as its script says, and takes everything when the script is over."""

    remote = False

    def __init__(self, name: str, script: Sequence[Exception] = (), limits: Limits | None = None) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self._script = list(script)

    def send(self, batch: Sequence[Envelope]) -> None:
        self.open.wait()
        if self._script:
            raise self._script.pop(0)
        self.batches.append([envelope.message_id for envelope in batch])

    def forget_connections(self) -> None: ...

    def close(self) -> None:
        self.open.set()

    @property
    def taken(self) -> list[str]:
        return [each for batch in self.batches for each in batch]


def emit(client: Client, numbers: range) -> list[str]:
    """Send messages, of which each must be accepted; return their ids."""
    receipts = [client.track(DeliveryCounted(user_id=7, number=number)) for number in numbers]
    assert all(receipts), [receipt.error for receipt in receipts if not receipt][:1]
    return [str(receipt.message_id) for receipt in receipts]


def numbers(collector: Collector) -> list[int]:
    return [message["properties"]["number"] for message in collector.messages]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_what_is_accepted_arrives_once_and_in_order(
    made: Callable[..., Client], collector: Collector, durability: str
) -> None:
    client = made(durability=durability)
    ids = emit(client, range(3_000))
    assert client.flush(30)
    assert [message["messageId"] for message in collector.messages] == ids
    stats = client.stats()
    assert (stats.accepted, stats.delivered, stats.queued, stats.dead) == (3_000, {"segment": 3_000}, 0, {})


@pytest.mark.parametrize("durability", DURABILITIES)
def test_an_outage_only_delays(made: Callable[..., Client], collector: Collector, durability: str) -> None:
    client = made(durability=durability)
    collector.behave("status", status=500, times=2)
    emit(client, range(10))
    assert client.flush(30)
    assert numbers(collector) == list(range(10))
    assert client.stats().retried == 2


def test_a_server_that_asks_for_a_pause_gets_it(made: Callable[..., Client], collector: Collector) -> None:
    client = made()
    collector.behave("status", status=429, retry_after=1, times=1)
    emit(client, range(10))
    assert client.flush(30)
    first, second, *_ = collector.requests
    assert (second.at - first.at).total_seconds() >= 1
    assert numbers(collector) == list(range(10))


def test_a_wrong_key_holds_everything_and_says_so(
    made: Callable[..., Client], collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    client = made()
    collector.behave("status", status=401)
    emit(client, range(10))
    assert not client.flush(0.5)
    assert client.stats().queued == 10
    assert "check the write key (SEGMENT_CLIENT_KEY)" in caplog.text
    collector.behave("segment")
    assert client.flush(60)
    assert numbers(collector) == list(range(10))


@pytest.mark.parametrize("durability", ["batched", "sync"])
def test_one_poison_among_many_is_the_only_dead_letter(
    made: Callable[..., Client], collector: Collector, tmp_path: Path, durability: str
) -> None:
    dropped: list[tuple[str, str]] = []
    client = made(durability=durability, on_drop=lambda envelope, reason: dropped.append((envelope.message_id, reason)))
    collector.behave("poison", marker="Delivery Poisoned")
    ids = emit(client, range(50))
    poison = client.track(DeliveryPoisoned(user_id=7))
    ids += emit(client, range(51, 100))
    assert client.flush(30)
    assert [message["messageId"] for message in collector.messages] == ids
    (letters,) = [DeadLetters(path.parent).letters() for path in tmp_path.glob(f"*/{FILE_NAME}")]
    assert [letter.envelope.message_id for letter in letters] == [poison.message_id]
    assert "answered 400" in letters[0].reason
    assert dropped == [(poison.message_id, letters[0].reason)]
    assert client.stats().dead == {letters[0].reason: 1}


def test_an_answer_that_is_lost_repeats_with_the_same_ids(made: Callable[..., Client], collector: Collector) -> None:
    client = made()
    collector.behave("lose answer", times=1)
    ids = emit(client, range(10))
    assert client.flush(30)
    assert set(collector.counts) == set(ids)
    assert all(count == 2 for count in collector.counts.values())


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_host_that_never_answers_blocks_neither_flush_nor_close(
    made: Callable[..., Client], collector: Collector, durability: str
) -> None:
    client = made(durability=durability)
    collector.behave("hang")
    emit(client, range(10))
    begin = monotonic()
    assert not client.flush(0.2)
    assert not client.close(0.2)
    assert monotonic() - begin < 5


def test_what_is_left_at_the_end_is_sent_by_the_next_process(made: Callable[..., Client], collector: Collector) -> None:
    first = made()
    collector.behave("status", status=500)
    ids = emit(first, range(20))
    assert not first.close(0.2)
    collector.behave("segment")
    second = made()
    more = emit(second, range(20, 30))
    assert second.flush(30)
    collector.wait_for(30, 30)
    assert set(collector.counts) == {*ids, *more}


def test_one_destination_being_down_holds_back_no_other(made: Callable[..., Client], tmp_path: Path) -> None:
    up, down = Scripted("up"), Scripted("down")
    down.open.clear()
    client = made(write_key=None, destinations=[up, down])
    ids = emit(client, range(100))
    assert not client.flush(0.5)
    assert up.taken == ids
    assert client.stats().queued == 100
    down.open.set()
    assert client.flush(30)
    assert down.taken == ids
    assert tmp_path.exists()


def test_each_destination_goes_on_where_it_was_after_a_restart(made: Callable[..., Client]) -> None:
    up, down = Scripted("up"), Scripted("down", [Unavailable("away")] * 1_000)
    first = made(write_key=None, destinations=[up, down])
    ids = emit(first, range(20))
    assert not first.close(1)
    assert up.taken == ids
    up_again, down_again = Scripted("up"), Scripted("down")
    second = made(write_key=None, destinations=[up_again, down_again])
    more = emit(second, range(20, 21))
    assert second.flush(30)
    deadline = monotonic() + 30
    while len(down_again.taken) < 21 and monotonic() < deadline:
        second.flush(0.1)
    assert set(down_again.taken) == {*ids, *more}
    assert up_again.taken == more


def test_whatever_a_destination_raises_is_tried_again(made: Callable[..., Client]) -> None:
    destination = Scripted("odd", [OSError("disk"), Held("held"), Unavailable("soon", 0.01), KeyError("bug")])
    client = made(write_key=None, destinations=[destination])
    ids = emit(client, range(5))
    assert client.flush(30)
    assert destination.taken == ids


def test_a_batch_keeps_to_the_limits_of_its_destination(made: Callable[..., Client]) -> None:
    destination = Scripted("narrow", limits=Limits(count=7))
    client = made(write_key=None, destinations=[destination])
    ids = emit(client, range(50))
    assert client.flush(30)
    assert destination.taken == ids
    assert max(map(len, destination.batches)) <= 7


@pytest.mark.parametrize("durability", DURABILITIES)
def test_past_the_bound_new_messages_are_refused_and_no_old_one_is_lost(
    made: Callable[..., Client], durability: str
) -> None:
    destination = Scripted("slow")
    destination.open.clear()
    client = made(write_key=None, destinations=[destination], durability=durability, spool_max_bytes=4_000)
    receipts = [client.track(DeliveryCounted(user_id=7, number=number)) for number in range(30)]
    refused = [receipt.error for receipt in receipts if not receipt]
    assert 0 < len(refused) < 30
    assert {error.reason for error in refused if isinstance(error, Refusal)} == {Reason.QUEUE_FULL}
    assert client.stats().refused == {"queue_full": len(refused)}
    destination.open.set()
    assert client.flush(30)
    assert destination.taken == [receipt.message_id for receipt in receipts if receipt]
    assert client.track(DeliveryCounted(user_id=7, number=31))


def test_a_rejected_message_is_dead_also_where_nothing_is_kept_on_disk(made: Callable[..., Client]) -> None:
    destination = Scripted("strict", [Rejected("no")])
    dropped: list[str] = []
    client = made(
        write_key=None,
        destinations=[destination],
        durability="memory",
        on_drop=lambda envelope, _: dropped.append(envelope.message_id),
    )
    ids = emit(client, range(1))
    assert client.flush(30)
    assert dropped == ids
    assert client.stats().dead == {"no": 1}


def test_in_memory_what_is_not_delivered_at_the_end_is_told(made: Callable[..., Client]) -> None:
    destination = Scripted("away", [Unavailable("away")] * 1_000)
    dropped: list[str] = []
    client = made(
        write_key=None,
        destinations=[destination],
        durability="memory",
        on_drop=lambda envelope, _: dropped.append(envelope.message_id),
    )
    ids = emit(client, range(5))
    assert not client.close(0.3)
    assert dropped == ids


def test_the_files_are_for_their_owner_only(made: Callable[..., Client], tmp_path: Path) -> None:
    destination = Scripted("slow")
    destination.open.clear()
    client = made(write_key=None, destinations=[destination])
    emit(client, range(3))
    client.flush(0.1)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".spool" for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_said_once(
    made: Callable[..., Client], collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o500)
    client = made(spool_dir=tmp_path / "spool")
    emit(client, range(10))
    assert client.flush(30)
    assert numbers(collector) == list(range(10))
    assert caplog.text.count("kept in memory only") == 1


def test_a_spool_that_is_a_file_falls_back_to_memory(
    made: Callable[..., Client], collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("in the way")
    client = made(spool_dir=tmp_path / "spool")
    emit(client, range(10))
    assert client.flush(30)
    assert numbers(collector) == list(range(10))
    assert caplog.text.count("kept in memory only") == 1


def test_many_threads_share_the_commits_of_sync(made: Callable[..., Client], collector: Collector) -> None:
    client = made(durability="sync")
    threads = [
        threading.Thread(target=emit, args=(client, range(start, start + 200))) for start in range(0, 1_600, 200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(30)
    assert sorted(numbers(collector)) == list(range(1_600))


def test_nothing_runs_before_the_first_message(made: Callable[..., Client], tmp_path: Path) -> None:
    before = threading.active_count()
    client = made()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert client.flush(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_sends_its_own_and_nothing_of_its_parent(
    made: Callable[..., Client], collector: Collector
) -> None:
    client = made()
    parents = emit(client, range(10))
    child = os.fork()
    if child == 0:
        try:
            emit(client, range(10, 20))
            delivered = client.close(20)
        finally:
            os._exit(0 if delivered else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    parents += emit(client, range(20, 30))
    assert client.flush(30)
    collector.wait_for(30, 30)
    assert sorted(numbers(collector)) == list(range(30))
    assert set(parents) < set(collector.counts)
