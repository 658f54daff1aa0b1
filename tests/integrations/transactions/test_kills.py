"""Processes that are killed around a commit, and relays that are killed in the middle of a batch."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import MetaData, create_engine, select, text

from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.delivery.outbox import outbox_table, store
from instrument.delivery.relay import Relay
from instrument.testing.collector import Collector
from tests.delivery.envelopes import envelopes
from tests.integrations.transactions import databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Engine

pytestmark = pytest.mark.instrument_delivery

ROOT = Path(__file__).resolve().parents[3]
SHOP = Path(__file__).with_name("programs") / "shop.py"
KILLED_AT = 3
DEADLINE = 60.0
OUTBOX = outbox_table(MetaData())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    return databases.sqlite(tmp_path) if request.param == "sqlite" else databases.postgres()


@pytest.fixture
def engine(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@contextmanager
def shop(how: str, url: URL, file: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SHOP), how, url.render_as_string(hide_password=False), str(file)]
    with subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run_shop(how: str, url: URL, file: Path) -> int:
    with shop(how, url, file) as process:
        return process.wait(DEADLINE)


def sales(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT number FROM sales ORDER BY number")))


def relay(engine: Engine, collector: Collector, directory: Path) -> None:
    destination = SegmentDestination("key", host=collector.url)
    Relay(destination, DeadLetters(directory), engine, OUTBOX).run(until_empty=True)
    destination.close()


def delivered(collector: Collector) -> list[int]:
    """The numbers of the events, each once, whatever was repeated."""
    unique = {each["messageId"]: each["properties"]["number"] for each in collector.messages}
    return sorted(unique.values())


def written(file: Path) -> list[int]:
    return [json.loads(line)["properties"]["number"] for line in file.read_text(encoding="utf-8").splitlines()]


class TestWithAnOutbox:
    @pytest.mark.parametrize("ends", [("before", KILLED_AT), ("after", KILLED_AT + 1)])
    def test_a_kill_on_either_side_of_the_commit_neither_loses_nor_invents(
        self, url: URL, engine: Engine, collector: Collector, tmp_path: Path, ends: tuple[str, int]
    ) -> None:
        how, committed = ends
        assert run_shop(how, url, tmp_path / "sent.jsonl") == -9
        relay(engine, collector, tmp_path)
        assert delivered(collector) == sales(engine) == list(range(committed))
        assert not (tmp_path / "sent.jsonl").exists()

    def test_a_kill_at_any_moment_neither_loses_nor_invents(
        self, url: URL, engine: Engine, collector: Collector, tmp_path: Path
    ) -> None:
        with shop("storm", url, tmp_path / "sent.jsonl") as process:
            assert process.stdout is not None
            for _ in range(random.randrange(10, 40)):
                assert process.stdout.readline() == "ended\n"
            process.kill()
            assert process.wait(DEADLINE) == -9
        relay(engine, collector, tmp_path)
        assert sales(engine)
        assert delivered(collector) == sales(engine)


class TestWithoutOne:
    def test_a_kill_right_after_the_commit_loses_its_events_as_is_documented(self, tmp_path: Path) -> None:
        url, file = databases.sqlite(tmp_path), tmp_path / "sent.jsonl"
        assert run_shop("after-outbox", url, file) == -9
        engine = create_engine(url)
        assert (written(file), sales(engine)) == (list(range(KILLED_AT)), list(range(KILLED_AT + 1)))
        engine.dispose()

    def test_a_forked_child_sends_at_once_what_it_emits_and_nothing_of_its_parent(self, tmp_path: Path) -> None:
        file = tmp_path / "sent.jsonl"
        assert run_shop("fork-outbox", databases.sqlite(tmp_path), file) == 0
        assert sorted(written(file)) == [0, 1]


def test_a_relay_that_is_killed_in_a_batch_loses_nothing_and_repeats_by_the_same_ids(
    url: URL, engine: Engine, collector: Collector, tmp_path: Path
) -> None:
    OUTBOX.metadata.create_all(engine)
    with engine.begin() as connection:
        store(connection, OUTBOX, envelopes(range(50)))
    collector.behave(mode="slow", delay=1.0, times=1)
    command = [sys.executable, "-m", "instrument.cli", "forward", "--write-key", "key", "--host", collector.url]
    command += ["--spool-dir", str(tmp_path), "--outbox", url.render_as_string(hide_password=False), "--batch", "20"]
    with subprocess.Popen(command) as process:
        collector.wait_for_requests(1, timeout=DEADLINE)
        process.kill()
        assert process.wait(DEADLINE) == -9
    assert len(waiting(engine)) >= 30
    relay(engine, collector, tmp_path)
    assert waiting(engine) == []
    assert delivered(collector) == list(range(50))
    assert collector.stats()["unique"] == 50


def waiting(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(select(OUTBOX.c.id)))
