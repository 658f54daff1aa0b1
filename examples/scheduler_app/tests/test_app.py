from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.schedulers.background import BackgroundScheduler  # pyright: ignore[reportMissingTypeStubs]

from examples.scheduler_app.app import ReminderGiven, ask_for_reminder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


@pytest.fixture
def scheduler() -> Iterator[Any]:
    scheduler: Any = BackgroundScheduler(timezone=timezone.utc)
    scheduler.start()
    yield scheduler
    scheduler.get_jobs()  # waits for the round in which a job was started
    scheduler.shutdown()


def test_a_reminder_is_told_of_who_asked_for_it(scheduler: Any, tracked: Recorder) -> None:
    executed = threading.Semaphore(0)

    def note(_: object) -> None:
        executed.release()

    scheduler.add_listener(note, EVENT_JOB_EXECUTED)
    now = datetime.now(timezone.utc)
    ask_for_reminder(scheduler, 7, "the bread", now)
    ask_for_reminder(scheduler, 8, "the milk", now)
    assert executed.acquire(timeout=30)
    assert executed.acquire(timeout=30)
    assert sorted(tracked.of(ReminderGiven), key=lambda event: event.user_id) == [
        ReminderGiven(user_id=7, of="the bread"),
        ReminderGiven(user_id=8, of="the milk"),
    ]
