# mypy: disable-error-code="misc"
# APScheduler has no types of its own.
"""A job runs in the request scope of who scheduled it, on every executor and out of every job store."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler

from instrument import Client, MemoryDestination, Scope, Track, request_scope, tracks
from instrument.integrations.apscheduler import add_job, connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instrument.testing import Recorder

PATIENCE = 30.0


class VisitScope(Scope):
    user_id: int


class VisitReminded(Track, VisitScope):
    place: str


class VisitReminderFailed(Track, VisitScope):
    place: str


done = threading.Semaphore(0)
seen: list[dict[str, Any]] = []


def see() -> None:
    seen.append(request_scope.values())
    done.release()


@tracks(VisitReminded, failure=VisitReminderFailed)
def remind_body(place: str) -> None:
    if place == "nowhere":
        raise ValueError(place)


def remind(place: str) -> None:
    try:
        remind_body(place)
    finally:
        done.release()


@tracks(VisitReminded)
async def remind_async(place: str) -> None:
    await asyncio.sleep(0)


def wait(times: int = 1) -> None:
    for _ in range(times):
        assert done.acquire(timeout=PATIENCE)


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    seen.clear()
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=timezone.utc)
    scheduler.start()
    yield scheduler
    # Waits for the round in which a job was started: a shutdown in its middle raises when that removes the job.
    scheduler.get_jobs()
    scheduler.shutdown()
    logging.getLogger("apscheduler").setLevel(logging.NOTSET)


def test_a_job_runs_in_the_scope_of_who_added_it_and_leaves_none(
    scheduler: BackgroundScheduler, tracked: Recorder
) -> None:
    for user_id in (7, 8):
        with request_scope(user_id=user_id):
            add_job(scheduler, see)
    scheduler.add_job(see)
    wait(3)
    assert seen == [{"user_id": 7}, {"user_id": 8}, {}]


def test_every_run_of_a_job_has_a_scope_of_its_own(scheduler: BackgroundScheduler, tracked: Recorder) -> None:
    with request_scope(user_id=7):
        job = add_job(scheduler, remind, "interval", seconds=0.01, args=["dentist"], max_instances=1)
    wait(2)
    job.remove()
    assert tracked.events[:2] == [VisitReminded(user_id=7, place="dentist")] * 2


def test_a_job_that_raises_is_a_failure(scheduler: BackgroundScheduler, tracked: Recorder) -> None:
    with request_scope(user_id=7):
        add_job(scheduler, remind, kwargs={"place": "nowhere"})
    wait()
    assert tracked.events == [VisitReminderFailed(user_id=7, place="nowhere")]


def test_a_job_that_was_stored_and_loaded_again_has_its_scope(
    scheduler: BackgroundScheduler, tracked: Recorder
) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    with request_scope(user_id=7):
        job = add_job(scheduler, remind, "date", run_date=tomorrow, args=["dentist"])
    assert job.name == "remind"
    stored = Job.__new__(Job)
    stored.__setstate__(job.__getstate__())  # what a job store keeps
    stored.func(*stored.args, **stored.kwargs)
    wait()
    assert tracked.events == [VisitReminded(user_id=7, place="dentist")]


async def test_an_asynchronous_job_has_the_scope(tracked: Recorder) -> None:
    scheduler = AsyncIOScheduler(timezone=timezone.utc)
    ended = asyncio.Event()
    scheduler.add_listener(lambda _: ended.set())
    with request_scope(user_id=7):
        scheduler.start(paused=True)
        add_job(scheduler, remind_async, args=["dentist"])
        scheduler.resume()
    while not tracked.events:
        await asyncio.wait_for(ended.wait(), PATIENCE)
        ended.clear()
    scheduler.shutdown()
    assert tracked.events == [VisitReminded(user_id=7, place="dentist")]


def test_a_scheduler_that_has_shut_down_has_delivered(tmp_path: Path) -> None:
    memory = MemoryDestination()
    client = Client(destinations=[memory], spool_dir=tmp_path, flush_timeout=30)
    scheduler = BackgroundScheduler(timezone=timezone.utc)
    connect(scheduler, clients=[client])
    scheduler.start()

    def send() -> None:
        client.track(VisitReminded(user_id=7, place="dentist"))
        done.release()

    add_job(scheduler, send)
    wait()
    scheduler.shutdown()
    assert [message["userId"] for message in memory.messages] == ["7"]
    client.close()
