"""Run two applications in bad weather: `python -m benchmarks.soak [SECONDS] [--seed N] [--durability D]`."""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.faults.row import Expectation, Row
from benchmarks.soak.figures import MOST_GROWTH, Figures
from benchmarks.soak.length import Length
from benchmarks.soak.stage import Stage
from benchmarks.soak.weather import rage
from benchmarks.table import aligned, show_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.faults.row import Outcome


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of a soak.

    Attributes:
        outcome: the counts of every message.
        faults: how many of each there were.
        before: what the application that lives all the time held after the warm-up.
        after: what it held at the end.
        of_messages: what has to be true of them.
        of_growth: what has to be true of what is held.
    """

    outcome: Outcome
    faults: Mapping[str, int]
    before: Figures
    after: Figures
    of_messages: list[Expectation]
    of_growth: list[Expectation]

    @property
    def unmet(self) -> list[str]:
        """What is not as it has to be."""
        return [each.what for each in (*self.of_messages, *self.of_growth) if not each.met]

    def lines(self) -> Iterator[str]:
        """Return what is told of it."""
        outcome = self.outcome
        counts = ("sent", "refused", "delivered", "lost", "repeated", "dead")
        yield aligned(counts, [[f"{getattr(outcome, each):,}" for each in counts]], left=0)
        if outcome.oldest_lost is not None:
            yield f"\noldest lost of a killed application, at most: {outcome.oldest_lost[-1] * 1e3:.1f} ms"
        yield ""
        yield aligned(_HEADINGS, list(self._rows()))
        yield ""
        yield "faults: " + ", ".join(f"{name} {number}" for name, number in self.faults.items())
        yield ""
        yield from [f"NOT MET: {each}" for each in self.unmet] or ["Everything that is expected is so."]

    def _rows(self) -> Iterator[list[str]]:
        after, most = asdict(self.after), asdict(MOST_GROWTH)
        for name, held in asdict(self.before).items():
            yield [_NAMES[name], *(f"{each:,.1f}" for each in (held, after[name], after[name] - held, most[name]))]


_HEADINGS = ["held by one application", "after the warm-up", "at the end", "growth", "at most"]
_NAMES = {
    "memory": "memory, resident (MiB)",
    "threads": "threads",
    "handles": "open files and connections",
    "files": "files in the spool directory",
}


def soak(length: Length, seed: int) -> Soaked:
    """Run the applications, in a directory that is removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="instrument-soak-"))
    draw = random.Random(seed)
    try:
        with Stage(length, seed, directory) as stage:
            stage.begin()
            first = rage(stage, draw, length.warm_up)
            before = stage.at_rest()
            second = rage(stage, draw, length.faults)
            after = stage.at_rest()
            stage.end()
            outcome = stage.outcome()
            of_messages = list(_of_messages(stage, outcome))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    faults = {name: first[name] + second[name] for name in first}
    return Soaked(outcome, faults, before, after, of_messages, list(_of_growth(before, after)))


def _of_messages(stage: Stage, outcome: Outcome) -> Iterator[Expectation]:
    """Return what durability demands, but for what is a matter of the machine's speed."""
    row = Row("soak", lambda _: outcome, killed=True)
    yield from (each for each in row.expectations(stage.case, outcome, stage.bound) if not each.timed)
    yield Expectation("nothing is a dead letter", outcome.dead == 0)
    yield Expectation("every application ended in time", "did not end, and was killed" not in outcome.notes)


def _of_growth(before: Figures, after: Figures) -> Iterator[Expectation]:
    held, most = asdict(before), asdict(MOST_GROWTH)
    for name, now in asdict(after).items():
        grown = now - held[name]
        yield Expectation(f"{_NAMES[name]}: at most {most[name]:g} more", grown <= most[name])


def main() -> None:
    """Run a soak, and tell what came of it; exit with 1 if anything is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=600.0, help="how long, as a whole; by default 600")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of what is drawn")
    parser.add_argument("--durability", choices=["memory", "batched", "sync"], default="batched")
    parser.add_argument("--document", type=Path, help="a document to put the results into, where its comment is")
    options = parser.parse_args()
    start = time.monotonic()
    soaked = soak(Length.of(options.seconds, options.durability), options.seed)
    title = (
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {time.monotonic() - start:.0f} s, durability {options.durability}, "
        f"seed {options.seed}\n{platform.python_implementation()} {platform.python_version()}, {platform.platform()}, "
        f"{psutil.cpu_count()} CPUs, {psutil.virtual_memory().total >> 30} GiB"
    )
    told = "\n".join([title, "", *soaked.lines()])
    print(told)
    if options.document is not None:
        show_in(options.document, told)
    sys.exit(bool(soaked.unmet))


if __name__ == "__main__":
    main()
