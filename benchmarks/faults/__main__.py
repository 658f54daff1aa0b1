"""Break things, and print what was lost: `python -m benchmarks.faults [--quick] [--only WORDS]`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults import rows
from benchmarks.faults.row import ROWS, Case
from benchmarks.faults.scene import Size, staged
from benchmarks.table import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.faults.row import Expectation, Outcome, Row

assert rows.__name__  # imported for the rows that it adds

HEADINGS = [
    *("fault", "client", "durability", "sent", "refused", "delivered", "lost", "oldest lost (ms)", "repeated", "dead"),
    *("first call (ms)", "longest call (ms)", "exit (s)"),
]


@dataclass(frozen=True, slots=True)
class Run:
    """A row, run for one case."""

    row: Row
    case: Case
    outcome: Outcome
    expectations: list[Expectation]

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

    def remarks(self) -> Iterator[str]:
        """Say what the line of the table does not."""
        where = f"{self.row.name}, {self.case.client} {self.case.durability}".rstrip()
        for note in self.outcome.notes:
            yield f"{where}: {note}"
        for each in self.unmet:
            yield f"NOT MET: {where}: {each.what}"


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each row small")
    parser.add_argument("--only", action="append", default=[], help="rows whose name has these words; may be repeated")
    parser.add_argument("--case", action="append", default=[], help="memory, batched, sync or segment")
    parser.add_argument("--json", type=Path, help="a file for the results")
    options = parser.parse_args()
    chosen = [each for each in ROWS if not options.only or any(words in each.name for words in options.only)]
    runs: list[Run] = []
    for row in chosen:
        missing = row.needs()
        if missing:
            print(f"skipped: {row.name}: {missing}")
            continue
        for case in row.cases:
            if not options.case or (case.durability or case.client) in options.case:
                runs.append(run(row, case, Size(quick=options.quick)))
                sys.stderr.write(".")
                sys.stderr.flush()
    sys.stderr.write("\n")
    print(aligned(HEADINGS, [each.cells() for each in runs], left=3))
    print("\n`oldest lost`: age when its process was killed, p50 / p99 / maximum of the runs that lost any.")
    for line in (line for each in runs for line in each.remarks()):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps([_document(each) for each in runs], indent=2) + "\n", encoding="utf-8")
    sys.exit(any(each.unmet for each in runs))


def run(row: Row, case: Case, size: Size) -> Run:
    """Run one row for one case, in a directory that is removed afterwards."""
    scene = staged(case, size)
    try:
        with scene:
            outcome = row.run(scene)
    finally:
        shutil.rmtree(scene.directory, ignore_errors=True)
    expectations = row.expectations(case, outcome, scene.bound) if scene.is_ours else []
    return Run(row, case, outcome, expectations)


def _document(run: Run) -> dict[str, object]:
    return {"fault": run.row.name, **asdict(run.case), **asdict(run.outcome), "unmet": [e.what for e in run.unmet]}


if __name__ == "__main__":
    main()
