"""A real worker with its pool of processes: every message arrives, once, with the user who ordered the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

pytestmark = [pytest.mark.instrument_delivery, pytest.mark.waits]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started


@pytest.fixture
def environment(tmp_path: Path, collector: Collector) -> dict[str, str]:
    """What the application and its workers are started with."""
    for name in ("queue", "control", "spool"):
        (tmp_path / name).mkdir()
    return {
        **os.environ,
        "REPORTS_BROKER": str(tmp_path),
        "SEGMENT_CLIENT_KEY": "key",
        "INSTRUMENT_HOST": collector.url,
        "INSTRUMENT_SPOOL_DIR": str(tmp_path / "spool"),
    }


@contextmanager
def worker(environment: dict[str, str], *options: str) -> Generator[None]:
    """Run a worker; at the end ask it to stop, as a supervisor does, and wait until it has."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=critical")
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "examples.celery_app.app", "worker", "--pool=prefork"]
    running = subprocess.Popen([*command, *quiet, *options], cwd=ROOT, env=environment)  # noqa: S603
    try:
        yield
        running.terminate()
        assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
        running.wait()


def order(environment: dict[str, str], reports: dict[int, str]) -> None:
    """Order a report for each user, in a process of its own."""
    code = f"from examples.celery_app.app import order_for\nfor each in {list(reports.items())}: order_for(*each)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=PATIENCE)  # noqa: S603


def told(collector: Collector) -> list[tuple[int, str]]:
    """Return the user and the event of every message that came, repetitions included."""
    return sorted((int(message["userId"]), message["event"]) for message in collector.messages)


def test_every_report_is_told_once_of_the_user_who_ordered_it(
    environment: dict[str, str], collector: Collector
) -> None:
    reports = {user_id: ("fine", "jams once", "jams")[user_id % 3] for user_id in range(1, 31)}
    with worker(environment, "--concurrency=2", "--max-tasks-per-child=12"):
        order(environment, reports)
        collector.wait_for(60, PATIENCE)

    ends = {"jams": "Report Rendering Failed"}
    ordered = [(user_id, "Report Ordered") for user_id in reports]
    assert told(collector) == sorted(
        ordered + [(user_id, ends.get(report, "Report Rendered")) for user_id, report in reports.items()]
    )
    assert collector.stats()["duplicates"] == 0


def test_a_process_of_the_pool_delivers_what_it_has_in_memory_before_it_ends(
    environment: dict[str, str], collector: Collector
) -> None:
    collector.behave("slow", delay=1.5)  # longer than Celery waits before it ends the process
    environment["INSTRUMENT_DURABILITY"] = "memory"
    with worker(environment, "--concurrency=2", "--max-tasks-per-child=1"):
        order(environment, {1: "fine", 2: "fine", 3: "fine"})
        collector.wait_for(6, PATIENCE)

    assert told(collector) == [(user, f"Report {done}") for user in (1, 2, 3) for done in ("Ordered", "Rendered")]


def test_what_a_killed_process_had_accepted_is_delivered_by_its_successor_and_its_task_runs_again(
    environment: dict[str, str], collector: Collector
) -> None:
    environment["INSTRUMENT_DURABILITY"] = "sync"
    reports = {1: "fine", 2: "fine", 3: "crashes once", 4: "fine"}
    with worker(environment, "--concurrency=1", "--prefetch-multiplier=1"):
        order(environment, reports)
        collector.wait_for(8, PATIENCE)

    # What was under way when the process was killed may come twice, under one id, which the receiver drops.
    assert sorted(set(told(collector))) == [
        (user, f"Report {done}") for user in reports for done in ("Ordered", "Rendered")
    ]
    assert collector.stats()["unique"] == 8


def test_what_a_worker_has_when_it_stops_while_segment_is_down_waits_and_is_delivered_later(
    environment: dict[str, str], collector: Collector
) -> None:
    environment["INSTRUMENT_FLUSH_TIMEOUT"] = "0.2"
    collector.behave("status", status=503)
    reports: dict[int, str] = dict.fromkeys((1, 2, 3, 4), "fine")
    with worker(environment, "--concurrency=2"):
        order(environment, reports)
        deadline = monotonic() + PATIENCE
        while waiting(environment) < 2 * len(reports):
            assert monotonic() < deadline
            sleep(0.1)
    assert waiting(environment) == 2 * len(reports)

    collector.behave()
    instrument(environment, "flush")
    assert told(collector) == [(user, f"Report {done}") for user in reports for done in ("Ordered", "Rendered")]


def waiting(environment: dict[str, str]) -> int:
    """Return how many messages lie in the spools."""
    found = json.loads(instrument(environment, "spool", "status", "--json"))
    return sum(spool["messages"] for source in found["sources"] for spool in source["spools"])


def instrument(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "instrument.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=PATIENCE)  # noqa: S603
    return done.stdout.decode()
