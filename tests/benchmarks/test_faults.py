"""A part of the fault table, small: real processes, a real collector, and no time that is judged."""

from __future__ import annotations

import pytest

from benchmarks.faults import rows
from benchmarks.faults.__main__ import Run, run
from benchmarks.faults.row import BATCHED, ROWS, SEGMENT, SYNC, Case
from benchmarks.faults.scene import Size

pytestmark = pytest.mark.instrument_delivery

assert rows.__name__  # imported for the rows that it adds


def faced(fault: str, case: Case) -> Run:
    """Run a row, small, by its name."""
    (row,) = [each for each in ROWS if each.name == fault]
    return run(row, case, Size(quick=True))


def told(done: Run) -> dict[str, object]:
    """Tell what is not as expected, with the counts that show why."""
    return {} if not done.unmet else {"unmet": [each.what for each in done.unmet], "outcome": done.outcome}


@pytest.mark.parametrize(
    "fault",
    [
        "normal exit, without close()",
        "fork after the first message",
        "gunicorn, preloaded, 4 workers",
        "one poison among 10,000",
        "collector that hangs at the exit",
        "two processes and a dead one's file",
        "corrupt spool, a page of the log",
        pytest.param("JetStream, the leader of three nodes killed", marks=pytest.mark.waits),
        "JetStream, the forwarder killed in the middle of a batch",
    ],
)
def test_nothing_is_lost_in_batched(fault: str) -> None:
    assert told(faced(fault, BATCHED)) == {}


def test_a_kill_loses_nothing_in_sync() -> None:
    assert told(faced("kill -9, at full speed", SYNC)) == {}


def test_a_kill_loses_the_newest_alone_in_batched() -> None:
    assert told(faced("kill -9, at full speed", BATCHED)) == {}


def test_the_table_sees_what_is_lost() -> None:
    """Segment's client, which drops the batch that holds a poison, shows that the count is not blind."""
    outcome = faced("one poison among 10,000", SEGMENT).outcome
    assert (outcome.sent, outcome.delivered, outcome.lost) == (1_000, 900, 100)
