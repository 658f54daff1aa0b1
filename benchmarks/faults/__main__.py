"""Break things, and print what was lost: `python -m benchmarks.faults [--quick] [--only WORDS]`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults import rows
from benchmarks.faults.row import ROWS, Case
from benchmarks.faults.scene import Size, staged
from benchmarks.table import aligned, show_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.faults.row import Expectation, Outcome, Row

assert rows.__name__  # imported for the rows that it adds

HEADINGS = [
    *("fault", "client", "durability", "sent", "refused", "delivered", "lost", "oldest lost (ms)", "repeated", "dead"),
    *("first call (ms)", "longest call (ms)", "exit (s)"),
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_AT_ONCE = 4
_NAMED = 5
"""How many rows are named for one expectation."""


@dataclass(frozen=True, slots=True)
class Run:
    """A row, run for one case."""

    row: Row
    case: Case
    outcome: Outcome
    expectations: list[Expectation]

    @property
    def name(self) -> str:
        """The row and the case."""
        return f"{self.row.name} ({self.case.durability or self.case.client})"

    @property
    def unmet(self) -> list[Expectation]:
        """What was expected of our client, and is not so."""
        return [each for each in self.expectations if not each.met]

    def cells(self) -> list[str]:
        """Return the line of the table."""
        outcome = self.outcome
        oldest = outcome.oldest_lost
        return [
            self.row.name,
            self.case.client,
            self.case.durability or "-",
            *(f"{each:,}" for each in (outcome.sent, outcome.refused, outcome.delivered, outcome.lost)),
            "" if oldest is None else " / ".join(f"{each * 1e3:.1f}" for each in oldest),
            *(f"{each:,}" for each in (outcome.repeated, outcome.dead)),
            f"{outcome.first * 1e3:.1f}",
            f"{outcome.block * 1e3:.1f}",
            "" if outcome.exit is None else f"{outcome.exit:.2f}",
        ]

    def document(self) -> dict[str, object]:
        """Return the line for a file."""
        unmet = [each.what for each in self.unmet]
        return {"fault": self.row.name, **asdict(self.case), **asdict(self.outcome), "unmet": unmet}


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each row small, several at once; no time is judged")
    parser.add_argument("--only", action="append", default=[], help="rows whose name has these words; may be repeated")
    parser.add_argument("--case", action="append", default=[], help="memory, batched, sync or segment; may be repeated")
    parser.add_argument("--json", type=Path, help="a file for the results")
    options = parser.parse_args()
    size = Size(quick=options.quick)
    runs = list(_every(_chosen(options.only, options.case, size), size))
    table = aligned(HEADINGS, [each.cells() for each in runs], left=3)
    print(table, "\noldest lost: p50 / p99 / maximum of the runs that lost any.", sep="\n")
    for line in chain(_notes(runs), _unmet(runs)):
        print(line)
    if not (size.quick or options.only or options.case):
        show_in(DOCUMENT, "\n".join([table, "", *_unmet(runs)]))
    if options.json is not None:
        options.json.write_text(json.dumps([each.document() for each in runs], indent=2) + "\n", encoding="utf-8")
    sys.exit(any(each.unmet for each in runs))


def _chosen(words: list[str], names: list[str], size: Size) -> list[tuple[Row, Case]]:
    chosen: list[tuple[Row, Case]] = []
    for row in ROWS:
        if words and not any(each in row.name for each in words):
            continue
        missing = row.needs()
        if missing:
            print(f"skipped: {row.name}: {missing}")
            continue
        named = names or (_named_quick(row) if size.quick else [])
        chosen += [(row, case) for case in row.cases if not named or (case.durability or case.client) in named]
    return chosen


def _named_quick(row: Row) -> list[str]:
    return ["batched", "sync"] if row.killed else ["batched"]


def _every(chosen: list[tuple[Row, Case]], size: Size) -> Iterator[Run]:
    """Run rows one after the other, since they measure times; where none is judged, several at once."""
    with ThreadPoolExecutor(_AT_ONCE if size.quick else 1) as pool:
        for each in pool.map(lambda both: run(both[0], both[1], size), chosen):
            sys.stderr.write(".")
            sys.stderr.flush()
            yield each
    sys.stderr.write("\n")


def _notes(runs: list[Run]) -> Iterator[str]:
    for each in runs:
        for note in each.outcome.notes:
            yield f"{each.name}: {note}"


def _unmet(runs: list[Run]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for each in runs:
        for expectation in each.unmet:
            names.setdefault(expectation.what, []).append(each.name)
    if not names:
        yield "Everything that is expected of our client is so."
    for what, where in names.items():
        more = f"; and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
        yield f"NOT MET: {what}: {'; '.join(where[:_NAMED])}{more}"


def run(row: Row, case: Case, size: Size) -> Run:
    """Run one row for one case, in a directory that is removed afterwards."""
    scene = staged(case, size)
    try:
        with scene:
            outcome = row.run(scene)
    finally:
        shutil.rmtree(scene.directory, ignore_errors=True)
    expectations = row.expectations(case, outcome, scene.bound) if scene.is_ours else []
    if size.quick:
        expectations = [each for each in expectations if not each.timed]
    return Run(row, case, outcome, expectations)


if __name__ == "__main__":
    main()
