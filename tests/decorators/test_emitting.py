"""`emitting` does for a block what the decorators do for a function."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from instrument import Client, Identify, MemoryDestination, Refusal, Scope, Track, emitting, request_scope
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import Generator

    from instrument import Call
    from instrument.testing import Recorder


class BlockScope(Scope):
    user_id: int


class BlockBegun(Track, BlockScope):
    file: str


class BlockDone(Track, BlockScope):
    file: str
    rows: int = 0


class BlockFailed(Track, BlockScope):
    file: str
    reason: str | None = None
    outcome: str | None = None


class BlockProfile(Identify, BlockScope):
    plan: str


BEGUN = BlockBegun(user_id=7, file="a.csv")
FAILURE = BlockFailed.from_call(reason="error", outcome=lambda call: call.outcome.value)


def test_start_is_emitted_on_entering_and_success_on_leaving(tracked: Recorder) -> None:
    with emitting(BlockDone, start=BlockBegun, user_id=7, file="a.csv"):
        assert tracked.events == [BEGUN]
    assert tracked.events == [BEGUN, BlockDone(user_id=7, file="a.csv")]


def test_values_set_in_the_block_are_added_and_replaced(tracked: Recorder) -> None:
    with emitting(BlockDone, user_id=7, file="a.csv", rows=1) as call:
        call.set(rows=2)
        call.set(file="b.csv")
    assert tracked.events == [BlockDone(user_id=7, file="b.csv", rows=2)]


def test_the_result_that_the_block_gives_is_what_result_sources_read(tracked: Recorder) -> None:
    with emitting(BlockDone.from_call(rows="result.rows"), user_id=7, file="a.csv") as call:
        call.result = {"rows": 120}
    assert tracked.events == [BlockDone(user_id=7, file="a.csv", rows=120)]


def test_a_failing_block_emits_the_failure_and_its_exception_goes_on(tracked: Recorder) -> None:
    error = ValueError("line 3")
    with (
        pytest.raises(ValueError, match=r"^line 3$") as raised,
        emitting(BlockDone, start=BlockBegun, failure=FAILURE, user_id=7, file="a.csv"),
    ):
        raise error
    assert raised.value is error
    assert tracked.events == [BEGUN, BlockFailed(user_id=7, file="a.csv", reason="line 3", outcome="failure")]


def test_failed_if_judges_the_result_that_the_block_gives(tracked: Recorder) -> None:
    def is_empty(call: Call) -> bool:
        return bool(call.result["rows"] == 0)

    with emitting(BlockDone, failure=BlockFailed, failed_if=is_empty, user_id=7, file="a.csv") as call:
        call.result = {"rows": 0}
    assert tracked.events == [BlockFailed(user_id=7, file="a.csv")]


async def test_a_cancelled_block_emits_the_failure(tracked: Recorder) -> None:
    going = asyncio.Event()

    async def work() -> None:
        with emitting(BlockDone, failure=FAILURE, user_id=7, file="a.csv"):
            going.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await going.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tracked.events == [BlockFailed(user_id=7, file="a.csv", reason="cancelled", outcome="cancelled")]


async def test_blocks_of_concurrent_tasks_keep_their_values_apart(tracked: Recorder) -> None:
    async def work(number: int) -> None:
        with emitting(BlockDone, user_id=number, file=f"{number}.csv") as call:
            await asyncio.sleep(0)
            call.set(rows=number)

    await asyncio.gather(*map(work, range(20)))
    assert sorted((event.user_id, event.file, event.rows) for event in tracked.of(BlockDone)) == [
        (number, f"{number}.csv", number) for number in range(20)
    ]


def test_nested_blocks_emit_each_for_itself_the_inner_first(tracked: Recorder) -> None:
    with (
        emitting(BlockDone, start=BlockBegun, user_id=7, file="a.csv"),
        emitting(BlockDone, start=BlockBegun, user_id=8, file="b.csv"),
    ):
        pass
    assert tracked.events == [
        BEGUN,
        BlockBegun(user_id=8, file="b.csv"),
        BlockDone(user_id=8, file="b.csv"),
        BlockDone(user_id=7, file="a.csv"),
    ]


def test_an_exception_that_the_outer_block_handles_is_a_failure_of_the_inner_alone(tracked: Recorder) -> None:
    with emitting(BlockDone, failure=BlockFailed, user_id=7, file="a.csv"):
        try:
            with emitting(BlockDone, failure=BlockFailed, user_id=8, file="b.csv"):
                raise ValueError("line 3")
        except ValueError:
            pass
    assert tracked.events == [BlockFailed(user_id=8, file="b.csv"), BlockDone(user_id=7, file="a.csv")]


def test_the_request_scope_and_a_scope_binding_give_what_the_block_does_not(tracked: Recorder) -> None:
    with request_scope(user_id=7), emitting(BlockDone, file="a.csv"):
        pass
    with emitting(BlockDone, scope=BlockScope.from_call(user_id="owner.id"), file="a.csv", owner={"id": 8}):
        pass
    assert tracked.events == [BlockDone(user_id=7, file="a.csv"), BlockDone(user_id=8, file="a.csv")]


def test_messages_of_every_kind_can_be_emitted(tracked: Recorder) -> None:
    with emitting(BlockProfile, start=BlockBegun, user_id=7, file="a.csv", plan="pro"):
        pass
    assert tracked.messages == [BEGUN, BlockProfile(user_id=7, plan="pro")]


def test_the_client_and_the_message_id_are_those_that_were_given() -> None:
    with recording() as other, recording() as default:
        with emitting(BlockDone, client=other.client, message_id="delivery", user_id=7, file="a.csv", delivery="d-1"):
            pass
        assert default.messages == []
    assert [envelope.message_id for envelope in other.envelopes] == ["d-1"]


def test_a_value_that_is_missing_raises_in_strict_mode(tracked: Recorder) -> None:
    block = emitting(BlockDone, user_id=7)
    with pytest.raises(Refusal) as raised, block:
        pass
    assert str(raised.value) == "BlockDone: field 'file': Field required; for 'file' were tried: argument 'file'"


def test_a_value_that_is_missing_never_reaches_the_block_in_production(caplog: pytest.LogCaptureFixture) -> None:
    with recording(strict=False) as recorder:
        for _ in range(3):
            with emitting(BlockDone, user_id=7):
                pass
    assert recorder.messages == []
    assert recorder.client.stats().refused == {"unresolved": 3}
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_disabled_client_builds_no_message_and_says_once_that_nothing_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(enabled=False, destinations=[MemoryDestination()])
    for _ in range(3):
        with emitting(BlockDone, client=client) as call:
            call.set(rows=object())
    assert client.stats().refused == {}
    assert caplog.record_tuples == [
        ("instrument", logging.WARNING, "No events are sent: the setting `enabled` is off.")
    ]


def test_a_generator_that_is_closed_inside_a_block_counts_as_cancelled(tracked: Recorder) -> None:
    def work() -> Generator[str, None, None]:
        with emitting(BlockDone, failure=FAILURE, user_id=7, file="a.csv"):
            yield "working"

    generator = work()
    next(generator)
    generator.close()
    assert tracked.events == [BlockFailed(user_id=7, file="a.csv", reason="cancelled", outcome="cancelled")]


def test_blocks_in_a_loop_are_compiled_for_their_own_values(tracked: Recorder) -> None:
    for number in range(3):
        with emitting(BlockDone.from_call(rows="count"), user_id=7, file="a.csv", count=number):
            pass
    assert [event.rows for event in tracked.of(BlockDone)] == [0, 1, 2]
