"""Compare all clients, and write the page, its plots and the figures: `python -m benchmarks.report [--quick]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report.figures import read, write
from benchmarks.report.page import page
from benchmarks.report.plots import draw
from benchmarks.report.runs import FULL, QUICK, measured
from benchmarks.table import put_in

_ROOT = Path(__file__).parents[2]
_FIGURES = "peers.json"
_DOCUMENT = "benchmarks-peers.md"
_IMAGES = "images"


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="small and inexact, to see that everything runs; needs --out")
    how.add_argument("--redraw", action="store_true", help="measure nothing, and show the figures of the last run")
    parser.add_argument("--out", type=Path, help="a directory for everything, instead of docs/ and benchmarks/")
    options = parser.parse_args()
    if options.quick and options.out is None:
        parser.error("--quick needs --out: its figures are no ones to keep")
    kept, docs = _ROOT / "benchmarks" / _FIGURES, _ROOT / "docs"
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        template = (docs / _DOCUMENT).read_text(encoding="utf-8")
        kept, docs = options.out / _FIGURES, options.out
        (docs / _DOCUMENT).write_text(template, encoding="utf-8")
    if not options.redraw:
        write(measured(QUICK if options.quick else FULL), kept)
    report = read(kept)
    draw(report, docs / _IMAGES)
    put_in(docs / _DOCUMENT, page(report, _IMAGES))


if __name__ == "__main__":
    main()
