"""The recorder, used as it is, without pytest's fixture."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent

import pytest
from typing_extensions import assert_type

from instrument import (
    Client,
    Identify,
    MemoryDestination,
    Refusal,
    Scope,
    Track,
    configure,
    default_client,
    request_scope,
    tracks,
)
from instrument.testing import FixedStamps, Recorder, recording


class RecorderUserScope(Scope):
    user_id: int


class RecorderNoteSaved(Track, RecorderUserScope):
    length: int
    tags: dict[str, list[int]] = {}


class RecorderNoteShared(Track, RecorderUserScope):
    """A second event, with the same fields."""

    length: int = 0


class RecorderIdentified(Identify, RecorderUserScope):
    email: str


class UndeclaredTrack:
    user_id = 7
    event = "Legacy Event"
    properties = {"length": 1}


@tracks(RecorderNoteSaved)
def save(user_id: int, length: int) -> int:
    return length


@tracks(failure=RecorderNoteSaved.from_call(length=lambda call: 1 // 0))
def fail(user_id: int) -> None:
    raise LookupError("the handler's own")


def send_one_of_each() -> None:
    save(7, 1)
    default_client().identify(RecorderIdentified(user_id=7, email="a@example.org"))
    default_client().track(UndeclaredTrack())
    save(8, length=2)


def test_messages_are_recorded_in_the_order_of_emission_and_equal_constructed_ones() -> None:
    with recording() as tracked:
        send_one_of_each()
    identified = RecorderIdentified(user_id=7, email="a@example.org")
    first, second = RecorderNoteSaved(user_id=7, length=1), RecorderNoteSaved(user_id=8, length=2)
    assert [type(message) for message in tracked.messages].index(UndeclaredTrack) == 2
    assert [message for message in tracked.messages if type(message) is not UndeclaredTrack] == [
        first,
        identified,
        second,
    ]
    assert tracked.of(RecorderNoteSaved) == [first, second]


def test_events_are_the_tracks_undeclared_ones_included() -> None:
    with recording() as tracked:
        send_one_of_each()
    assert [event.event for event in tracked.events] == ["Recorder Note Saved", "Legacy Event", "Recorder Note Saved"]


def test_what_is_sent_after_the_block_is_not_recorded() -> None:
    with recording() as tracked:
        save(7, 1)
    with recording() as later:
        save(7, 2)
    assert (len(tracked.messages), len(later.messages)) == (1, 1)


def test_an_inner_recording_takes_over_until_it_ends() -> None:
    with recording() as outer:
        save(1, 1)
        with recording() as inner:
            save(2, 2)
        save(3, 3)
    assert outer.events == [RecorderNoteSaved(user_id=1, length=1), RecorderNoteSaved(user_id=3, length=3)]
    assert inner.events == [RecorderNoteSaved(user_id=2, length=2)]


def test_the_default_client_of_before_is_back_after_the_block_even_when_it_raised() -> None:
    before = default_client()
    with pytest.raises(LookupError, match="of the block"), recording():
        raise LookupError("of the block")
    assert default_client() is before


def test_an_application_that_configures_itself_inside_the_block_is_recorded_all_the_same(unconfigured: None) -> None:
    with recording() as tracked:
        memory = MemoryDestination()
        configured = configure(destinations=[memory])
        save(7, 1)
    assert tracked.events == [RecorderNoteSaved(user_id=7, length=1)]
    assert default_client() is configured
    assert memory.envelopes == []


def test_one_and_of_keep_the_class_for_type_checkers() -> None:
    with recording() as tracked:
        save(7, 1)
    assert_type(tracked.one(RecorderNoteSaved), RecorderNoteSaved)
    assert_type(tracked.of(RecorderNoteSaved), list[RecorderNoteSaved])
    assert tracked.one(RecorderNoteSaved).length == 1


def test_one_takes_the_message_with_the_given_values() -> None:
    with recording() as tracked:
        save(7, 1)
        save(8, 2)
    assert tracked.one(RecorderNoteSaved, length=2) == RecorderNoteSaved(user_id=8, length=2)


def test_of_takes_the_messages_with_the_given_values() -> None:
    with recording() as tracked:
        save(7, 1)
        save(8, 2)
        save(7, 3)
    assert [message.length for message in tracked.of(RecorderNoteSaved, user_id=7)] == [1, 3]


def test_of_a_base_class_takes_the_messages_of_every_class_under_it() -> None:
    with recording() as tracked:
        send_one_of_each()
    assert [type(message) for message in tracked.of(RecorderUserScope)] == [
        RecorderNoteSaved,
        RecorderIdentified,
        RecorderNoteSaved,
    ]


def test_one_without_any_message_says_what_was_recorded() -> None:
    with recording() as tracked:
        save(7, 1)
    with pytest.raises(AssertionError) as raised:
        tracked.one(RecorderIdentified)
    assert str(raised.value) == "expected one RecorderIdentified, but none was recorded; recorded: RecorderNoteSaved"


def test_one_with_nothing_recorded_says_so() -> None:
    with recording() as tracked, pytest.raises(AssertionError, match=r"but none was recorded; recorded: nothing$"):
        tracked.one(RecorderIdentified)


def test_one_with_other_values_shows_the_nearest_message_and_its_differing_fields() -> None:
    with recording() as tracked:
        save(1, 10)
        save(7, 20)
    with pytest.raises(AssertionError) as raised:
        tracked.one(RecorderNoteSaved, user_id=7, length=21)
    assert str(raised.value) == dedent("""\
        expected one RecorderNoteSaved with user_id=7, length=21, but none was recorded; recorded: RecorderNoteSaved, RecorderNoteSaved
        nearest: [1] RecorderNoteSaved differs:
          length: expected 21, recorded 20""")


def test_one_of_several_shows_them_all() -> None:
    with recording() as tracked:
        save(1, 10)
        save(7, 20)
    with pytest.raises(AssertionError) as raised:
        tracked.one(RecorderNoteSaved)
    assert str(raised.value) == dedent("""\
        expected one RecorderNoteSaved, but 2 were recorded:
        [0] RecorderNoteSaved(user_id=1, length=10, tags={})
        [1] RecorderNoteSaved(user_id=7, length=20, tags={})
        Name the fields of the one that is meant: tracked.one(RecorderNoteSaved, …=…)""")


def test_a_field_that_the_class_does_not_have_is_an_error_and_not_an_absence() -> None:
    with recording() as tracked, pytest.raises(TypeError) as raised:
        tracked.one(RecorderNoteSaved, lenght=1)
    assert str(raised.value) == "RecorderNoteSaved has no field 'lenght' (did you mean 'length'?)"


def test_clear_forgets_what_was_recorded() -> None:
    with recording() as tracked:
        save(7, 1)
        tracked.clear()
        save(7, 2)
    assert tracked.events == [RecorderNoteSaved(user_id=7, length=2)]
    assert len(tracked.envelopes) == 1
    assert tracked.client.stats().accepted == 2


def test_concurrent_tasks_and_threads_are_recorded_whole() -> None:
    async def in_tasks() -> None:
        async def one(user_id: int) -> None:
            with request_scope(user_id=user_id):
                await asyncio.sleep(0)
                save(user_id, user_id)

        await asyncio.gather(*map(one, range(50)))

    with recording() as tracked:
        asyncio.run(in_tasks())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(save, range(50, 100), range(50, 100)))
    assert sorted(message.user_id for message in tracked.of(RecorderNoteSaved)) == list(range(100))
    assert [json.loads(envelope.body)["userId"] for envelope in tracked.envelopes] == [
        str(message.user_id) for message in tracked.messages
    ]


def test_a_thread_records_in_the_order_of_its_own_emissions() -> None:
    def emit(user_id: int) -> None:
        for length in range(20):
            save(user_id, length)

    with recording() as tracked:
        threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        assert [each.length for each in tracked.of(RecorderNoteSaved, user_id=number)] == list(range(20))


def test_strict_by_default_an_instrumentation_error_reaches_the_test() -> None:
    with recording(), pytest.raises(Refusal, match="user_id"):
        save("nobody", 1)  # type: ignore[arg-type]


def test_not_strict_an_instrumentation_error_is_logged_as_in_production(caplog: pytest.LogCaptureFixture) -> None:
    with recording(strict=False) as tracked:
        assert save("nobody", 1) == 1  # type: ignore[arg-type]
        assert tracked.client.stats().refused == {"invalid": 1}
    assert tracked.messages == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_error_of_a_handler_that_raised_fails_on_leaving_with_place_and_cause() -> None:
    with pytest.raises(AssertionError) as raised, recording(), pytest.raises(LookupError, match="the handler's own"):
        fail(7)
    text = str(raised.value)
    assert text.startswith("messages were lost; their handlers raised, so it could not be said at once:\n- ")
    assert ":fail (" in text
    assert Path(__file__).name in text
    assert (
        "failure RecorderNoteSaved: RecorderNoteSaved: field 'length': "
        "reading callable <lambda> raised ZeroDivisionError\n"
        "  caused by ZeroDivisionError: "
    ) in text
    assert isinstance(raised.value.__cause__, Refusal)


def test_an_exception_of_the_block_is_not_replaced_by_a_held_back_error() -> None:
    with pytest.raises(LookupError, match="the handler's own"), recording():
        fail(7)


def test_the_settings_of_the_recording_client_can_be_given() -> None:
    seen: list[str] = []
    with recording(strict=False, on_error=lambda _, where: seen.append(where)):
        save("nobody", 1)  # type: ignore[arg-type]
    assert len(seen) == 1


def test_in_debug_mode_each_message_knows_from_where_it_came() -> None:
    with recording(debug=True) as tracked, request_scope(user_id=7):
        save(7, length=3)
    origin = tracked.recorded[0].origin
    assert origin is not None
    assert origin.fields == {
        "user_id": "request scope 'user_id'",
        "length": "argument 'length'",
        "tags": "default",
    }
    assert ":save (" in origin.handler


def test_in_debug_mode_a_failure_tells_from_where_the_value_came() -> None:
    with recording(debug=True) as tracked:
        save(7, length=3)
        with pytest.raises(AssertionError, match=r"length: expected 4, recorded 3, from argument 'length'$"):
            tracked.one(RecorderNoteSaved, length=4)


def test_without_debug_mode_the_origin_is_not_known() -> None:
    with recording() as tracked:
        save(7, length=3)
    assert tracked.recorded[0].origin is None


def test_a_recorder_is_a_client_s_transport_of_its_own() -> None:
    recorder = Recorder()
    assert recorder.client.track(RecorderNoteSaved(user_id=7, length=1))
    assert recorder.client.flush()
    assert recorder.events == [RecorderNoteSaved(user_id=7, length=1)]
    assert repr(recorder) == "<Recorder of RecorderNoteSaved>"


@pytest.mark.parametrize(
    ("step", "seconds"), [(timedelta(0), ["00", "00", "00"]), (timedelta(seconds=2), ["00", "02", "04"])]
)
def test_fixed_stamps_number_the_messages_and_hold_or_step_the_clock(step: timedelta, seconds: list[str]) -> None:
    with recording(stamps=FixedStamps(datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc), step=step)) as tracked:
        for length in range(3):
            save(7, length)
    bodies = [json.loads(envelope.body) for envelope in tracked.envelopes]
    assert [body["messageId"] for body in bodies] == [
        f"00000000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3)
    ]
    assert [body["timestamp"] for body in bodies] == [f"2026-03-04T05:06:{second}.000Z" for second in seconds]


def test_fixed_stamps_advance_when_told_and_fit_a_client() -> None:
    stamps = FixedStamps(datetime(2026, 3, 4, tzinfo=timezone.utc))
    recorder = Recorder()
    client = Client(transport=recorder, stamps=stamps)
    client.track(RecorderNoteSaved(user_id=7, length=1))
    stamps.advance(timedelta(days=1))
    client.track(RecorderNoteSaved(user_id=7, length=2))
    assert [json.loads(envelope.body)["timestamp"] for envelope in recorder.envelopes] == [
        "2026-03-04T00:00:00.000Z",
        "2026-03-05T00:00:00.000Z",
    ]


def test_fixed_stamps_are_unique_among_threads() -> None:
    stamps = FixedStamps()
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: stamps.next()[0], range(400)))
    assert len(set(ids)) == 400


def test_recording_works_in_unittest_without_pytest(tmp_path: Path) -> None:
    module = tmp_path / "test_with_unittest.py"
    module.write_text(
        dedent("""\
            import sys
            import unittest
            from contextlib import ExitStack

            from instrument import Scope, Track, tracks
            from instrument.testing import recording

            class UserScope(Scope):
                user_id: int

            class UnittestNoteSaved(Track, UserScope):
                length: int

            @tracks(UnittestNoteSaved)
            def save(user_id, length): ...

            @tracks(failure=UnittestNoteSaved)
            def fail(user_id, **length):
                raise LookupError

            class SaveTest(unittest.TestCase):
                def setUp(self):
                    stack = ExitStack()
                    self.addCleanup(stack.close)
                    self.tracked = stack.enter_context(recording())

                def test_one(self):
                    save(7, 1)
                    self.assertEqual(self.tracked.events, [UnittestNoteSaved(user_id=7, length=1)])

                def test_isolated(self):
                    save(8, 2)
                    self.assertEqual(self.tracked.one(UnittestNoteSaved).user_id, 8)

                def test_lost(self):
                    with self.assertRaises(LookupError):
                        fail(7)

                def test_no_pytest(self):
                    self.assertNotIn("pytest", sys.modules)
            """)
    )
    ran = subprocess.run(
        [sys.executable, "-m", "unittest", "test_with_unittest"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Ran 4 tests" in ran.stderr
    assert "FAILED (failures=1)" in ran.stderr
    assert "FAIL: test_lost" in ran.stderr
    assert "messages were lost; their handlers raised, so it could not be said at once:" in ran.stderr
