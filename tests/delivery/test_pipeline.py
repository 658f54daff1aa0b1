from __future__ import annotations

import itertools
import logging
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from instrument import Envelope, Held, Limits, Rejected, Unavailable
from instrument.delivery import lane, reader
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.ledger import Ledger, Stats
from instrument.delivery.pages import PAGE_SIZE
from instrument.delivery.pipeline import Pipeline, Plan
from instrument.delivery.retry import Backoff
from instrument.delivery.spool import database_and_log
from instrument.errors import Reason, Refusal
from tests.delivery.envelopes import envelope
from tests.delivery.scripted import PATIENCE, Scripted, ids
from tests.delivery.spools import left_by_dead_process, stretch
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from instrument.delivery.pipeline import Durability

DURABILITIES: list[Durability] = ["memory", "batched", "sync"]
ON_DISK: list[Durability] = ["batched", "sync"]
MOST_IN_A_PAGE = PAGE_SIZE // 5_000
NOBODY = cast("Any", None)
"""What an envelope was made of, which is of no interest here."""


class Opened:
    """A pipeline, and what became of its envelopes."""

    def __init__(
        self, directory: Path, destinations: Sequence[Scripted], durability: Durability, max_bytes: int
    ) -> None:
        self.dropped: list[tuple[str, str]] = []
        self.directory = directory
        self.ledger = Ledger()
        self.pipeline = Pipeline(
            Plan(destinations, durability, directory, max_bytes=max_bytes, on_drop=self._drop, flush_timeout=0.5),
            self.ledger,
        )

    def put(self, numbers: Iterable[int], *, pad: int = 0) -> list[str]:
        """Put envelopes, and return the ids of those that were accepted."""
        accepted: list[str] = []
        for number in numbers:
            try:
                self.pipeline.put(envelope(number, pad=pad), NOBODY)
            except Refusal:
                continue
            accepted.append(f"message-{number}")
        return accepted

    def refusal(self, number: int = 0) -> Reason:
        with pytest.raises(Refusal) as refused:
            self.pipeline.put(envelope(number), NOBODY)
        return refused.value.reason

    def flush(self) -> bool:
        return self.pipeline.flush(PATIENCE)

    def close(self, timeout: float = PATIENCE) -> bool:
        return self.pipeline.close(timeout)

    @property
    def stats(self) -> Stats:
        pipeline = self.pipeline
        return self.ledger.stats(accepted=pipeline.accepted, refused={}, queued=pipeline.queued, lag=pipeline.lag)

    @property
    def spooled(self) -> int:
        return self.ledger.stats(accepted=0, refused={}, queued=0, lag=0.0).spooled

    @property
    def letters(self) -> list[tuple[str, str]]:
        return [(each.envelope.message_id, each.reason) for each in DeadLetters(self.directory).letters()]

    @property
    def spools(self) -> list[Path]:
        return sorted(self.directory.glob("*.spool"))

    def _drop(self, dropped: Envelope, reason: str) -> None:
        self.dropped.append((dropped.message_id, reason))


class Open(Protocol):
    def __call__(
        self, *destinations: Scripted, durability: Durability = "batched", max_bytes: int = 1 << 28, at: str = "source"
    ) -> Opened: ...


@pytest.fixture
def open_pipeline(tmp_path: Path) -> Iterator[Open]:
    opened: list[tuple[Opened, Sequence[Scripted]]] = []

    def make(
        *destinations: Scripted, durability: Durability = "batched", max_bytes: int = 1 << 28, at: str = "source"
    ) -> Opened:
        opened.append((Opened(tmp_path / at, destinations, durability, max_bytes), destinations))
        return opened[-1][0]

    yield make
    for each, destinations in opened:
        for destination in destinations:
            destination.let_go()
        each.close(0.0)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "wait", lambda *_: 0.01)


@pytest.fixture
def destination() -> Scripted:
    return Scripted()


def threads_of_ours() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("instrument-")}


@pytest.fixture
def no_turn_for_other_threads() -> Iterator[None]:
    """Leave the interpreter to others only where a thread lets go of it by itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10 * PATIENCE)
    yield
    sys.setswitchinterval(interval)


# What is accepted is delivered.


@pytest.mark.parametrize("durability", DURABILITIES)
def test_everything_is_delivered_in_order(open_pipeline: Open, destination: Scripted, durability: Durability) -> None:
    opened = open_pipeline(destination, durability=durability)
    assert opened.put(range(300)) == ids(range(300))
    assert opened.flush()
    assert destination.ids == ids(range(300))


@pytest.mark.usefixtures("no_turn_for_other_threads")
def test_callers_who_never_pause_commit_what_they_put(open_pipeline: Open, destination: Scripted) -> None:
    opened = open_pipeline(destination)
    deadline = monotonic() + PATIENCE
    numbers = itertools.count()
    while opened.spooled < 100:
        assert monotonic() < deadline
        opened.put([next(numbers)])
    assert opened.flush()
    assert destination.ids == ids(range(next(numbers)))


@pytest.mark.parametrize("durability", DURABILITIES)
def test_messages_of_many_threads_are_all_delivered_each_threads_in_order(
    open_pipeline: Open, destination: Scripted, durability: Durability
) -> None:
    opened = open_pipeline(destination, durability=durability)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda thread: opened.put(range(thread * 100, thread * 100 + 100)), range(8)))
    assert opened.flush()
    taken = [int(each.removeprefix("message-")) for each in destination.ids]
    assert sorted(taken) == list(range(800))
    for thread in range(8):
        of_thread = [each for each in taken if each // 100 == thread]
        assert of_thread == sorted(of_thread)


def test_batches_keep_within_the_limits_of_the_destination(open_pipeline: Open) -> None:
    destination = Scripted(limits=Limits(count=7, size=2_000))
    opened = open_pipeline(destination)
    opened.put(range(100), pad=100)
    assert opened.flush()
    sizes = {each.message_id: len(each.body) + 1 for each in destination.taken}
    assert all(len(batch) <= 7 and sum(sizes[each] for each in batch) <= 2_000 for batch in destination.batches)
    assert destination.ids == ids(range(100))


def test_more_than_is_kept_in_memory_comes_back_from_the_disk_in_order(
    open_pipeline: Open, destination: Scripted
) -> None:
    opened = open_pipeline(destination)
    destination.hang()
    opened.put(range(1_500), pad=5_000)
    destination.let_go()
    assert opened.flush()
    assert destination.ids == ids(range(1_500))


def test_a_flush_waits_for_no_batch_to_grow(
    open_pipeline: Open, destination: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_LINGER", 10 * PATIENCE)
    monkeypatch.setattr(reader, "_MOST_IN_MEMORY", 1)
    opened = open_pipeline(destination)
    destination.hang()
    opened.put([0])
    opened.pipeline.flush(0.0)
    destination.wait_for_batches(1)
    opened.put(range(1, 11))  # on the disk only, since the first is in the memory
    opened.pipeline.flush(0.0)
    destination.let_one_go()
    destination.wait_for_batches(2)
    opened.put(range(11, 21))  # in the memory, which is empty by now
    wait_until(lambda: opened.spooled == 21)
    opened.put(range(21, 31))  # on the disk again, whence they fill up the same batch
    wait_until(lambda: opened.spooled == 31)
    destination.let_go()
    assert opened.flush()
    assert destination.batches == [tuple(ids(each)) for each in ([0], range(1, 11), range(11, 31))]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_the_spool_is_gone_after_a_close_that_delivered_everything(
    open_pipeline: Open, destination: Scripted, durability: Durability
) -> None:
    opened = open_pipeline(destination, durability=durability)
    opened.put(range(10))
    assert opened.close()
    assert opened.spools == []
    assert destination.closed == 1


def test_nothing_runs_and_no_file_is_made_before_the_first_message(open_pipeline: Open, destination: Scripted) -> None:
    before = threads_of_ours()  # of other tests, whose destinations hang
    opened = open_pipeline(destination)
    assert opened.flush()
    assert threads_of_ours() <= before
    assert not opened.directory.exists()
    assert opened.close()


def test_after_a_close_no_thread_is_left(open_pipeline: Open, destination: Scripted) -> None:
    before = threads_of_ours()
    opened = open_pipeline(destination)
    opened.put(range(3))
    assert not threads_of_ours() <= before
    opened.close()
    wait_until(lambda: threads_of_ours() <= before)


def test_a_closed_pipeline_takes_nothing(open_pipeline: Open, destination: Scripted) -> None:
    opened = open_pipeline(destination)
    opened.put([1])
    opened.close()
    assert opened.refusal() is Reason.CLOSED
    never_used = open_pipeline(destination)
    never_used.close()
    assert never_used.refusal() is Reason.CLOSED


# Failures.


@pytest.mark.parametrize(
    "failure", [Unavailable("down"), ValueError("secret"), TimeoutError(), SystemExit(1), KeyboardInterrupt()]
)
def test_whatever_a_destination_raises_the_batch_is_sent_again(
    open_pipeline: Open, destination: Scripted, failure: BaseException
) -> None:
    opened = open_pipeline(destination)
    destination.answer(failure, failure)
    opened.put(range(3))
    assert destination.wait_for(3) == ids(range(3))
    assert opened.stats.retried == 2
    assert opened.dropped == []


def test_a_repeated_batch_is_the_same(open_pipeline: Open, destination: Scripted) -> None:
    destination.answer(Unavailable("down"))
    opened = open_pipeline(destination)
    opened.put(range(3))
    destination.wait_for(3)
    assert destination.batches == [tuple(ids(range(3)))] * 2


def test_a_destination_that_asks_to_be_left_alone_is(open_pipeline: Open, destination: Scripted) -> None:
    destination.answer(Unavailable("busy", retry_after=0.4))
    opened = open_pipeline(destination)
    opened.put([1])
    destination.wait_for_batches(1)
    asked = monotonic()
    assert opened.flush()
    assert monotonic() - asked >= 0.3


@pytest.mark.parametrize("asked", [-1.0, float("nan"), float("inf"), 0.0])
def test_an_absurd_wish_to_be_left_alone_ends_nothing(open_pipeline: Open, destination: Scripted, asked: float) -> None:
    destination.answer(Unavailable("busy", retry_after=asked))
    opened = open_pipeline(destination)
    opened.put([1])
    destination.wait_for_batches(1)
    if asked == float("inf"):
        assert not opened.close(0.0)
    else:
        assert opened.flush()


def test_a_flush_does_not_wait_for_the_time_of_a_repetition(
    open_pipeline: Open, destination: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backoff, "wait", lambda *_: 10 * PATIENCE)
    destination.answer(Unavailable("down"))
    opened = open_pipeline(destination)
    opened.put([1])
    destination.wait_for_batches(1)
    assert opened.flush()


def test_a_held_destination_is_tried_again_and_said(
    open_pipeline: Open, destination: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    destination.answer(Unavailable("down"), Held("the key is wrong"), Held("the key is wrong"))
    opened = open_pipeline(destination)
    opened.put([1])
    destination.wait_for(1)
    assert caplog.messages == [
        "scripted: down. The messages wait.",
        "scripted: the key is wrong. The messages wait.",
    ]


def test_a_strangers_error_is_told_by_its_type_alone(
    open_pipeline: Open, destination: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    destination.answer(ValueError("alice@example.org"))
    open_pipeline(destination).put([1])
    destination.wait_for(1)
    assert caplog.messages == ["scripted: sending raised ValueError. The messages wait."]


def test_one_destination_that_is_down_holds_back_no_other(open_pipeline: Open) -> None:
    up, down = Scripted("up"), Scripted("down")
    down.hang()
    opened = open_pipeline(up, down)
    opened.put(range(50))
    assert up.wait_for(50) == ids(range(50))
    assert not opened.pipeline.flush(0.0)
    assert opened.stats.queued == 50
    down.let_go()
    assert opened.flush()
    assert down.ids == ids(range(50))
    assert opened.stats.delivered == {"up": 50, "down": 50}


def test_after_a_restart_each_destination_gets_what_it_lacks(open_pipeline: Open) -> None:
    up, down = Scripted("up"), Scripted("down")
    down.go_down(Unavailable("down"))
    opened = open_pipeline(up, down)
    opened.put(range(20))
    up.wait_for(20)
    assert not opened.close(0.0)

    up, down = Scripted("up"), Scripted("down")
    again = open_pipeline(up, down)
    again.put([20])
    assert sorted(down.wait_for(21)) == sorted(ids(range(21)))
    assert again.flush()
    assert up.ids == ids([20])


def test_messages_for_a_destination_that_is_gone_are_left_to_who_has_it(
    open_pipeline: Open, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Scripted("one"), Scripted("two")
    two.go_down(Unavailable("down"))
    before = open_pipeline(one, two)
    before.put(range(3))
    one.wait_for(3)
    before.close(0.0)

    without = open_pipeline(Scripted("one"))
    without.put([10])
    wait_until(lambda: "is left for a process that sends to two" in caplog.text)
    without.close()

    two.come_back()
    again = open_pipeline(Scripted("one"), two)
    again.put([20])
    assert set(two.wait_for(4)) == set(ids([0, 1, 2, 20]))


# Poison.


@pytest.mark.parametrize("durability", DURABILITIES)
def test_poison_is_put_aside_alone(open_pipeline: Open, destination: Scripted, durability: Durability) -> None:
    poison = ids([3, 4, 17])
    destination.reject(poison)
    opened = open_pipeline(destination, durability=durability)
    opened.put(range(20))
    assert opened.flush()
    reason = "the scripted destination does not take this"
    assert destination.ids == [each for each in ids(range(20)) if each not in poison]
    assert opened.letters == opened.dropped == [(each, reason) for each in poison]
    stats = opened.stats
    assert (stats.delivered, stats.dead, stats.queued) == ({"scripted": 17}, {reason: 3}, 0)


def test_what_one_destination_rejects_another_may_take(open_pipeline: Open) -> None:
    picky, easy = Scripted("picky"), Scripted("easy")
    picky.reject(ids([1]))
    opened = open_pipeline(picky, easy)
    opened.put(range(3))
    assert opened.flush()
    assert (picky.ids, easy.ids) == (ids([0, 2]), ids([0, 1, 2]))


def test_a_dead_letter_that_cannot_be_kept_now_is_kept_later(open_pipeline: Open, destination: Scripted) -> None:
    destination.reject(ids([0, 1]))
    opened = open_pipeline(destination)
    opened.directory.mkdir(parents=True)
    in_the_way = opened.directory / "dead-letters.db"
    in_the_way.mkdir()
    opened.put([0])
    assert opened.flush()
    in_the_way.rmdir()
    opened.put([1])
    assert opened.flush()
    assert [each for each, _ in opened.letters] == [each for each, _ in opened.dropped] == ids([0, 1])


def test_a_hook_that_raises_stops_nothing(
    open_pipeline: Open, destination: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(*_: object) -> None:
        raise SystemExit("bob@example.org")

    monkeypatch.setattr(Opened, "_drop", raises)
    destination.reject(ids([1]))
    opened = open_pipeline(destination)
    opened.put(range(3))
    assert opened.flush()
    assert "on_drop raised SystemExit." in caplog.messages
    assert opened.stats.dead == {"the scripted destination does not take this": 1}


def test_no_log_line_shows_a_message(
    open_pipeline: Open, destination: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    destination.reject(ids([1]))
    destination.answer(Rejected("no"), Unavailable("down"), ValueError("no"))
    opened = open_pipeline(destination)
    opened.put(range(5), pad=10)
    assert opened.flush()
    assert caplog.text
    assert "xxx" not in caplog.text
    assert "Parcel" not in caplog.text


# Bounds, and disks that cannot be written.


@pytest.mark.parametrize("durability", DURABILITIES)
def test_beyond_the_bound_messages_are_refused_and_none_that_was_accepted_is_dropped(
    open_pipeline: Open, destination: Scripted, durability: Durability
) -> None:
    destination.hang()
    opened = open_pipeline(destination, durability=durability, max_bytes=5_000)
    accepted = opened.put(range(100), pad=100)
    assert 10 < len(accepted) < 30
    assert opened.refusal() is Reason.QUEUE_FULL
    destination.let_go()
    assert opened.flush()
    assert destination.ids == accepted
    assert opened.put([200]) == ids([200])


@pytest.mark.parametrize("durability", ON_DISK)
def test_a_directory_that_cannot_be_written_leaves_the_memory_and_is_said_once(
    open_pipeline: Open, destination: Scripted, tmp_path: Path, durability: Durability, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    opened = open_pipeline(destination, durability=durability, at="file/below")
    assert opened.put(range(5)) == ids(range(5))
    assert opened.close()
    assert destination.ids == ids(range(5))
    why = f"{tmp_path}/file/below cannot be written (Not a directory)"
    assert caplog.messages == [f"Messages are kept in memory only, and lost if the process is killed: {why}."]


@pytest.mark.parametrize("durability", ON_DISK)
def test_while_the_spool_is_locked_messages_are_refused_and_those_accepted_are_delivered(
    open_pipeline: Open, destination: Scripted, durability: Durability, caplog: pytest.LogCaptureFixture
) -> None:
    opened = open_pipeline(destination, durability=durability)
    accepted = opened.put([0])
    opened.flush()
    (path,) = opened.spools
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        number = 1
        while len(now := opened.put([number])) == 1:
            accepted += now
            number += 1
        assert opened.refusal() is Reason.SPOOL_FAILED
        assert opened.flush()
        assert destination.ids == accepted
        other.execute("ROLLBACK")
    deadline = monotonic() + PATIENCE
    while not opened.put([1_000]):
        assert monotonic() < deadline
    assert opened.close()
    assert destination.ids == [*accepted, "message-1000"]
    assert len([each for each in caplog.messages if "New messages are refused" in each]) == 1
    assert opened.spools == []


def test_what_a_locked_spool_could_not_take_is_told_as_lost_by_a_close_that_cannot_deliver_it(
    open_pipeline: Open, destination: Scripted
) -> None:
    destination.go_down(Unavailable("down"))
    opened = open_pipeline(destination)
    committed = opened.put([0])
    wait_until(lambda: opened.stats.spooled == 1)
    (path,) = opened.spools
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        accepted = opened.put([1])
        wait_until(lambda: not opened.put([2]))
        assert not opened.close(0.0)
        other.execute("ROLLBACK")
    dropped = [each for each, _ in opened.dropped]
    assert accepted[0] in dropped
    assert committed[0] not in dropped
    again = open_pipeline(destination)
    destination.come_back()
    again.put([50])
    assert set(destination.wait_for(2)) == {"message-0", "message-50"}


# Closing.


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_close_is_bounded_also_where_a_destination_never_answers(
    open_pipeline: Open, destination: Scripted, durability: Durability
) -> None:
    destination.hang()
    opened = open_pipeline(destination, durability=durability)
    accepted = opened.put(range(5))
    destination.wait_for_batches(1)
    assert not opened.close(0.1)
    assert destination.ids == []  # it hung all the while
    if durability == "memory":
        assert opened.dropped == [(each, "not delivered when the client was closed") for each in accepted]
    else:
        assert opened.dropped == []


def test_what_was_told_as_dropped_is_not_counted_as_delivered_too(open_pipeline: Open, destination: Scripted) -> None:
    destination.hang()
    opened = open_pipeline(destination, durability="memory")
    opened.put(range(5))
    destination.wait_for_batches(1)
    opened.close(0.0)
    destination.let_go()
    wait_until(lambda: destination.closed)
    stats = opened.stats
    assert sum(stats.dead.values()) == 5
    assert sum(stats.delivered.values()) == 0
    assert len(opened.dropped) == 5


def test_files_are_given_up_when_a_destination_that_hung_lets_go(open_pipeline: Open, destination: Scripted) -> None:
    destination.hang()
    first = open_pipeline(destination)
    first.put(range(5))
    destination.wait_for_batches(1)
    first.close(0.0)
    destination.go_down(Unavailable("down"))
    destination.let_go()
    wait_until(lambda: destination.closed)

    heir = Scripted()
    second = open_pipeline(heir)
    second.put([10])
    assert set(heir.wait_for(6)) == set(ids([*range(5), 10]))


def test_closing_again_waits_no_longer_and_answers_the_same(open_pipeline: Open, destination: Scripted) -> None:
    destination.hang()
    opened = open_pipeline(destination)
    opened.put([1])
    assert not opened.close(0.0)
    begin = monotonic()
    assert not opened.close(PATIENCE)
    assert monotonic() - begin < PATIENCE / 2


def test_many_may_close_at_once(open_pipeline: Open, destination: Scripted) -> None:
    opened = open_pipeline(destination)
    opened.put(range(100))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: opened.close(), range(8))) == [True] * 8
    assert destination.ids == ids(range(100))
    assert opened.spools == []


def test_a_message_put_while_the_pipeline_closes_is_delivered_or_refused(
    open_pipeline: Open, destination: Scripted
) -> None:
    opened = open_pipeline(destination)
    opened.put([0])
    with ThreadPoolExecutor(5) as pool:
        putting = [pool.submit(opened.put, range(base, base + 200)) for base in range(1_000, 5_000, 1_000)]
        closed = pool.submit(opened.close)
        accepted = [each for future in putting for each in future.result()]
        assert closed.result()
    assert sorted(destination.ids) == sorted(["message-0", *accepted])


# Restarts, and what dead processes left.


def test_what_a_close_could_not_deliver_is_delivered_after_a_restart(
    open_pipeline: Open, destination: Scripted
) -> None:
    destination.go_down(Unavailable("down"))
    first = open_pipeline(destination)
    first.put(range(10))
    assert not first.close(0.0)
    destination.come_back()
    second = open_pipeline(destination)
    second.put([10])
    assert set(destination.wait_for(11)) == set(ids(range(11)))
    wait_until(lambda: len(second.spools) == 1)


def test_of_many_pipelines_one_adopts_each_spool(open_pipeline: Open, tmp_path: Path) -> None:
    for number in range(12):
        left_by_dead_process(tmp_path / "source", [stretch(1, 5)], ("scripted",))
        del number
    destinations = [Scripted() for _ in range(3)]
    pipelines = [open_pipeline(each) for each in destinations]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda each: each.put([100]), pipelines))
    wait_until(lambda: len(pipelines[0].spools) == 3)
    taken = [each for destination in destinations for each in destination.ids]
    assert sorted(taken) == sorted([*ids(range(1, 6)) * 12, *ids([100]) * 3])


def test_what_dead_processes_left_counts_as_queued(open_pipeline: Open, destination: Scripted, tmp_path: Path) -> None:
    left_by_dead_process(tmp_path / "source", [stretch(1, 30)], ("scripted",))
    destination.hang()
    opened = open_pipeline(destination)
    opened.put([100])
    wait_until(lambda: opened.stats.queued == 31)
    destination.let_go()
    destination.wait_for(31)
    wait_until(lambda: opened.stats.queued == 0)


def test_a_great_deal_that_a_dead_process_left_does_not_hold_up_a_flush(open_pipeline: Open, tmp_path: Path) -> None:
    left_by_dead_process(tmp_path / "source", [stretch(1, 500)], ("scripted",))
    destination = Scripted(limits=Limits(count=1))
    opened = open_pipeline(destination)
    opened.put([1_000])
    assert opened.flush()
    assert len(destination.ids) < 500


def test_a_damaged_spool_of_a_dead_process_is_counted_and_what_can_be_saved_is_sent(
    open_pipeline: Open, destination: Scripted, tmp_path: Path
) -> None:
    path = left_by_dead_process(tmp_path / "source", [stretch(1, 200, pad=1_000)], ("scripted",))
    content = bytearray(path.read_bytes())
    place = content.find(b'"message-100"')
    content[place : place + 20] = bytes(20)
    path.write_bytes(content)
    opened = open_pipeline(destination)
    opened.put([1_000])
    wait_until(lambda: opened.stats.dead)
    (lost,) = opened.stats.dead.values()
    taken = destination.wait_for(201 - lost)
    assert "message-100" not in taken
    assert opened.stats.dead == {"lay in a damaged part of the spool": 201 - len(taken)}


def test_a_spool_that_is_damaged_while_it_is_used_stops_nothing(open_pipeline: Open, destination: Scripted) -> None:
    destination.hang()
    opened = open_pipeline(destination)
    before: list[str] = []
    for first in range(0, 1_500, 50):  # more than is kept in memory
        before += opened.put(range(first, first + 50), pad=5_000)
        wait_until(lambda: opened.stats.spooled == opened.stats.accepted)
    destination.wait_for_batches(1)
    (path,) = opened.spools
    log = database_and_log(path)[1]
    # Of the page's versions, the newest; the first messages are in memory, the last in SQLite's cache.
    place = log.read_bytes().rfind(b'"messageId":"message-700"')
    with log.open("r+b") as file:
        file.seek(place)
        file.write(bytes(100))
    destination.let_go()
    wait_until(lambda: list(opened.directory.glob("*.damaged")))
    after = opened.put(range(2_000, 2_010))
    assert after == ids(range(2_000, 2_010))
    assert opened.flush()
    wait_until(lambda: len(opened.spools) == 1)
    missing = set(before) - set(destination.ids)
    assert set(after) <= set(destination.ids)
    assert "message-700" in missing
    assert len(missing) <= 2 * MOST_IN_A_PAGE


# The ledger.


@pytest.mark.parametrize("durability", ON_DISK)
def test_every_fate_is_counted(open_pipeline: Open, destination: Scripted, durability: Durability) -> None:
    destination.answer(Unavailable("down"))
    opened = open_pipeline(destination, durability=durability)
    opened.put(range(10))
    assert opened.flush()
    stats = opened.stats
    assert (stats.accepted, stats.spooled, stats.delivered, stats.retried) == (10, 10, {"scripted": 10}, 1)
    assert (stats.dead, stats.queued, stats.lag) == ({}, 0, 0.0)


def test_the_lag_is_the_age_of_the_oldest(open_pipeline: Open, destination: Scripted) -> None:
    destination.hang()
    opened = open_pipeline(destination)
    begin = monotonic()
    opened.put([1])
    destination.wait_for_batches(1)
    wait_until(lambda: opened.stats.lag > 0.05)
    assert opened.stats.lag <= monotonic() - begin + 0.5
