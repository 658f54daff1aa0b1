"""The measurements: each in a fresh process, the clients taking turns."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from benchmarks.collecting import child
from benchmarks.imports import importing
from benchmarks.load import Load, loaded
from benchmarks.machine import machine
from benchmarks.measuring import in_turn
from benchmarks.report.figures import CALLS, DELIVERED, IMPORT, MEMORY, PROCESSOR, Figures, Report, Scaled
from benchmarks.sides import SIDES
from benchmarks.sink import counted, forget, sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.load import Measured
    from benchmarks.sides import Side

_T = TypeVar("_T")
_X = TypeVar("_X")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: how often each side has its turn.
        calls: calls that are timed together.
        load: messages of a load.
        scales: messages of the loads that grow.
    """

    rounds: int
    calls: int
    load: int
    scales: tuple[int, ...]


FULL = Size(rounds=3, calls=2_000, load=20_000, scales=(1_000, 10_000, 100_000, 1_000_000))
QUICK = Size(rounds=1, calls=100, load=300, scales=(300,))


def measured(size: Size) -> Report:
    """Measure every client."""
    date, busy = datetime.now(timezone.utc), os.getloadavg()[0]
    figures = {name: Figures({}, []) for name in SIDES}
    for name, costs in _in_turn(_calls, size.calls, size.rounds).items():
        for measure, samples in zip(CALLS, zip(*costs, strict=True), strict=True):
            figures[name].samples[measure.key] = list(samples)
    for name, seconds in _in_turn(lambda side, _: importing(side.package)(), None, size.rounds).items():
        figures[name].samples[IMPORT.key] = [each * 1e3 for each in seconds]
    with sink() as url:
        for name, runs in _in_turn(partial(_delivered, url), size.load, size.rounds).items():
            figures[name].samples.update(_under_load(runs))
        for messages in size.scales:
            for name, loads in _in_turn(partial(_scaled, url), messages, 1).items():
                figures[name].scaling.extend(loads[0])
    installed = [side.distribution for side in SIDES.values()]
    sys.stderr.write("\n")
    return Report(date.isoformat(timespec="minutes"), busy, machine([*installed, "pydantic"]), size.load, figures)


def _in_turn(measure: Callable[[Side, _X], _T], what: _X, rounds: int) -> dict[str, list[_T]]:
    def running(side: Side) -> Callable[[], _T]:
        def run() -> _T:
            sys.stderr.write(".")
            sys.stderr.flush()
            return measure(side, what)

        return run

    return in_turn({name: running(side) for name, side in SIDES.items()}, rounds)


def _calls(side: Side, calls: int) -> list[float]:
    costs: list[float] = child("benchmarks.calling", side.name, str(calls))
    return costs


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A load, and how many of its messages came."""

    load: Load
    measured: Measured
    came: int

    @property
    def share(self) -> float:
        return self.came / self.load.messages


def _delivered(url: str, side: Side, messages: int, *, defaults: bool = False) -> _Delivered:
    forget(url)
    load = Load(side.name, url, messages, defaults=defaults)
    run = _Delivered(load, loaded(load), counted(url))
    if not run.came:
        raise RuntimeError(f"nothing came of {side.name}: does benchmarks/sink.py know where its version posts to?")
    return run


def _under_load(runs: list[_Delivered]) -> dict[str, list[float]]:
    return {
        DELIVERED.key: [run.measured.per_second * run.share for run in runs],
        PROCESSOR.key: [run.measured.cpu / run.share for run in runs],
        MEMORY.key: [run.measured.peak for run in runs],
    }


def _scaled(url: str, side: Side, messages: int) -> list[Scaled]:
    runs = [_delivered(url, side, messages, defaults=True)]
    if runs[0].came < messages:
        runs.append(_delivered(url, side, messages))
    return [Scaled(messages, run.load.defaults, run.measured.thread, run.came) for run in runs]
