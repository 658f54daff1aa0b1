"""What a row of the table is: a function that breaks something, and the count of what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.faults.scene import Scene

LONGEST_BLOCK = 0.05
"""Seconds that a call may take, where it does not wait for the disk."""
YOUNG = 0.01
"""Seconds: what is younger when its process is killed may be lost in `batched`."""


@dataclass(frozen=True, slots=True)
class Case:
    """Who is put to the test.

    Attributes:
        client: `ours` or `segment`.
        durability: of our client; empty for Segment's, which has none.
    """

    client: str
    durability: str = ""


SEGMENT = Case("segment")
MEMORY, BATCHED, SYNC = (Case("ours", each) for each in ("memory", "batched", "sync"))
DURABLE = (BATCHED, SYNC, SEGMENT)
EVERY = (MEMORY, *DURABLE)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What has to be true of a row.

    Attributes:
        what: in words.
        met: whether it is.
        timed: whether it depends on how fast the machine is.
    """

    what: str
    met: bool
    timed: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a row.

    Attributes:
        sent: messages that the client took.
        refused: messages that it did not take, and said so.
        delivered: messages that came, repetitions not counted.
        lost: messages that it took, and that neither came nor are dead letters.
        repeated: repetitions of message ids that came.
        dead: dead letters.
        first: the longest first call of a process, in seconds.
        block: the longest call of all others.
        exit: the longest end of a process, in seconds; `None` where it was killed.
        gaps: lost messages that are older than one of the same process that came.
        oldest_lost: how old the oldest lost message was when its process was killed, in seconds, at p50 and p99 of
            the runs that lost any, and at most; `None` where none was lost, or nothing was killed.
        most_lost: how many messages may be lost, where the row damages some.
        lost_alive: lost messages of processes that were not killed.
        notes: what else there is to say.
        expectations: what has to be true of it, besides what has to be of every row.
    """

    sent: int
    refused: int
    delivered: int
    lost: int
    repeated: int
    dead: int
    first: float
    block: float
    exit: float | None
    gaps: int
    oldest_lost: tuple[float, float, float] | None
    most_lost: int = 0
    lost_alive: int = 0
    notes: list[str] = field(default_factory=list[str])
    expectations: list[Expectation] = field(default_factory=list[Expectation])

    def expect(self, what: str, met: bool, *, timed: bool = False) -> None:  # noqa: FBT001
        """Add an expectation."""
        self.expectations.append(Expectation(what, met, timed))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        name: what is broken.
        run: breaks it.
        cases: who is put to it.
        killed: whether processes are killed before they have ended: in `memory` anything may be lost then, in
            `batched` what is young.
        once: whether no message may come twice.
        needs: answers why the row cannot be run here, or with nothing.
    """

    name: str
    run: Callable[[Scene], Outcome]
    cases: Sequence[Case] = DURABLE
    killed: bool = False
    once: bool = False
    needs: Callable[[], str] = str

    def expectations(self, case: Case, outcome: Outcome, bound: float) -> list[Expectation]:
        """Return what has to be true of our client in this row, with what the row itself asked for."""
        every = [
            *self._nothing_lost(case, outcome),
            Expectation("something was sent", outcome.sent > 0),
            Expectation(f"first call ≤ {LONGEST_BLOCK * 1e3:.0f} ms", outcome.first <= LONGEST_BLOCK, timed=True),
        ]
        if case.durability != "sync":
            blocked = outcome.block <= LONGEST_BLOCK
            every.append(Expectation(f"no call above {LONGEST_BLOCK * 1e3:.0f} ms", blocked, timed=True))
        if outcome.exit is not None:
            every.append(Expectation(f"ended within {bound:.1f} s", outcome.exit <= bound, timed=True))
        if self.once:
            every.append(Expectation("nothing came twice", outcome.repeated == 0))
        return [*every, *outcome.expectations]

    def _nothing_lost(self, case: Case, outcome: Outcome) -> Iterator[Expectation]:
        if not self.killed or case.durability == "sync":
            most = f"at most {outcome.most_lost}" if outcome.most_lost else "nothing"
            yield Expectation(f"{most} lost", outcome.lost <= outcome.most_lost)
            return
        yield Expectation("nothing lost but by the killed", outcome.lost_alive == 0)
        yield Expectation("the lost are the newest", outcome.gaps == 0)
        if case.durability == "batched":
            young = outcome.oldest_lost is None or outcome.oldest_lost[1] < YOUNG
            yield Expectation(f"p99 of the oldest lost below {YOUNG * 1e3:.0f} ms", young, timed=True)


ROWS: list[Row] = []
"""Every row, in the order of the table."""


def row(
    name: str,
    *,
    cases: Sequence[Case] = DURABLE,
    killed: bool = False,
    once: bool = False,
    needs: Callable[[], str] = str,
) -> Callable[[Callable[[Scene], Outcome]], Callable[[Scene], Outcome]]:
    """Add a row to the table; see `Row`."""

    def add(run: Callable[[Scene], Outcome]) -> Callable[[Scene], Outcome]:
        ROWS.append(Row(name, run, cases, killed, once, needs))
        return run

    return add
