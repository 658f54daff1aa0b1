"""Whole processes, killed, forked and ended, against a collector."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytestmark = pytest.mark.instrument_delivery

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@dataclass(frozen=True)
class Machine:
    """Where processes run that share a spool directory and a collector."""

    collector: Collector
    spool: Path

    @contextmanager
    def running(self, *command: object, **environment: str) -> Generator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                "SEGMENT_CLIENT_KEY": "e2e",
                "INSTRUMENT_HOST": self.collector.url,
                "INSTRUMENT_SPOOL_DIR": str(self.spool),
                "INSTRUMENT_FLUSH_TIMEOUT": "30",
                **environment,
            },
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, program: str, *arguments: object, status: int = 0, **environment: str) -> list[str]:
        """Run a program to its end, and return what it says."""
        with self.running(PROGRAMS / f"{program}.py", *arguments, **environment) as process:
            output, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == status, errors
            return output.split()

    def drain(self) -> None:
        """Let a new process adopt and send what the others have left."""
        with self.running(PROGRAMS / "emit.py", "drain", "sync") as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            deadline = monotonic() + PATIENCE
            while len(list(self.spool.rglob("*.spool"))) > 1:
                assert monotonic() < deadline
                sleep(0.02)

    @property
    def counts(self) -> dict[str, int]:
        return {each: count for each, count in self.collector.counts.items() if not each.startswith("drain-")}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Collector() as collector:
        yield Machine(collector, tmp_path / "spool")


@pytest.mark.parametrize("durability", ["batched", "sync"])
def test_what_was_committed_when_the_process_was_killed_is_delivered_by_the_next(
    machine: Machine, durability: str
) -> None:
    told: list[str] = []
    moments = random.Random(durability)
    for run in range(3):
        with machine.running(PROGRAMS / "emit.py", f"run{run}", durability) as process:
            assert process.stdout is not None
            told += [process.stdout.readline() for _ in range(moments.randint(1, 400))]
            process.kill()
            told += process.stdout.readlines()
    machine.drain()
    whole_lines = {each.strip() for each in told if each.endswith("\n")}
    assert whole_lines - set(machine.counts) == set()


def test_what_waited_for_a_server_that_was_down_is_delivered_once_it_is_back(machine: Machine) -> None:
    machine.collector.behave("status", status=503)
    with machine.running(PROGRAMS / "emit.py", "run", "sync") as process:
        assert process.stdout is not None
        told = {process.stdout.readline().strip() for _ in range(200)}
        process.kill()
    machine.collector.behave()
    machine.drain()
    assert told - set(machine.counts) == set()


def test_forks_while_threads_emit_neither_hang_nor_lose_nor_repeat(machine: Machine) -> None:
    number, clean = map(int, machine.run("forks", 20))
    assert clean == 20
    machine.drain()
    counts = machine.counts
    assert (len(counts), set(counts.values())) == (number, {1})


def test_a_forked_child_does_not_keep_its_parents_spool(machine: Machine) -> None:
    """Else nobody could adopt it before the child has ended."""
    program = """
import os, sys
from tests.e2e.programs.once import Client, emit
client = Client(durability="sync")
emit(client, "run", range(3))
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    machine.collector.behave("hang")
    with machine.running("-c", program) as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL
        machine.collector.behave()
        machine.drain()
        assert set(machine.counts) == {f"run-{number}" for number in range(3)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_deliver_before_they_end(machine: Machine, method: str) -> None:
    assert machine.run("children", method) == ["0", "0"]
    assert machine.counts == {f"child-{number}": 1 for number in range(20)}


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("nobody_keeps_the_client", 0),
        ("a_thread_raises", 0),
        ("the_main_thread_raises", 1),
        ("sys_exit", 3),
        ("os_exit_after_a_flush", 0),
    ],
)
def test_an_end_in_good_order_delivers_everything(machine: Machine, end: str, status: int) -> None:
    machine.run("once", end, "run", status=status)
    assert machine.counts == {f"run-{number}": 1 for number in range(3)}


@pytest.mark.parametrize(("end", "status"), [("sigterm", -signal.SIGTERM), ("os_exit", 0)])
def test_an_end_without_warning_leaves_what_was_committed_to_the_next_process(
    machine: Machine, end: str, status: int
) -> None:
    machine.collector.behave("hang")
    machine.run("once", end, "run", status=status)
    machine.collector.behave()
    machine.drain()
    assert set(machine.counts) == {f"run-{number}" for number in range(3)}


def test_a_server_that_never_answers_does_not_keep_the_process_from_ending(machine: Machine) -> None:
    machine.collector.behave("hang")
    machine.run("once", "nobody_keeps_the_client", "run", INSTRUMENT_FLUSH_TIMEOUT="0.2", INSTRUMENT_TIMEOUT="600")
    assert machine.counts == {}
    machine.collector.behave()
    machine.drain()
    assert set(machine.counts) == {f"run-{number}" for number in range(3)}


def test_a_signal_handler_may_close_the_client_inside_of_a_call(machine: Machine) -> None:
    told = machine.run("once", "a_handler_closes_the_client_inside_of_a_call", "run")
    machine.drain()
    assert set(told) - set(machine.counts) == set()


@pytest.mark.parametrize("durability", ["memory", "batched", "sync"])
def test_signal_handlers_may_emit_and_raise_inside_of_calls(machine: Machine, durability: str) -> None:
    told = machine.run("once", "handlers_raise_and_emit_inside_of_calls", "run", DURABILITY=durability)
    assert len(told) > 200
    assert set(told) - set(machine.counts) == set()


@pytest.mark.parametrize("durability", ["batched", "sync"])
def test_on_a_full_disk_messages_are_refused_and_every_accepted_one_is_delivered(
    machine: Machine, durability: str
) -> None:
    accepted = machine.run("full_disk", durability)
    assert len(accepted) > 3
    assert set(machine.counts) == set(accepted)
    assert list(machine.spool.rglob("*.spool")) == []
