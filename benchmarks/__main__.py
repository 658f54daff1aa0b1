"""Measure everything, print one table, and write it to a file: `python -m benchmarks [--quick]`."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain
from pathlib import Path

from benchmarks import calls, entry_points, under_load
from benchmarks.imports import import_time
from benchmarks.machine import machine
from benchmarks.table import HEADINGS, aligned, show_in

RESULTS = Path(__file__).with_name("results.json")
_PACKAGES = ("pydantic", "wrapt", "segment-analytics-python", "snowplow-tracker")
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and inexact, to see that everything runs")
    parser.add_argument("--out", type=Path, help="where the results go; by default results.json beside this program")
    options = parser.parse_args()
    rows = []
    quick: bool = options.quick
    measured = chain(
        calls.results(quick=quick),
        entry_points.results(quick=quick),
        [import_time(quick=quick)],
        under_load.results(quick=quick),
    )
    for result in measured:
        rows.append(result)
        sys.stderr.write(".")
        sys.stderr.flush()
    sys.stderr.write("\n")
    table = aligned(HEADINGS, [each.cells() for each in rows])
    met = [each.met for each in rows if each.met is not None]
    table += f"\n\n{sum(met)} bars met, {len(met) - sum(met)} not."
    print(table)
    document = {"machine": machine(_PACKAGES), "quick": quick, "results": [each.document() for each in rows]}
    out = options.out or (None if quick else RESULTS)
    if out is not None:
        out.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if out == RESULTS:
        show_in(DOCUMENT, table)


if __name__ == "__main__":
    main()
