"""Clients under load, each run in a fresh process, with the collector in another."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.collecting import CollectorProcess, child
from benchmarks.flatness import around
from benchmarks.load import Load, Measured, loaded
from benchmarks.measuring import in_turn
from benchmarks.sides import OURS
from benchmarks.sink import counted, sink
from benchmarks.table import Bar, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PACED = 1_000.0
"""Calls a second of a busy service."""


def results(*, quick: bool) -> Iterator[Result]:
    """Measure everything."""
    messages, repetitions = (2_000, 1) if quick else (20_000, 9)
    yield from full_speed(messages, repetitions)
    yield from fastest_peer(messages, repetitions)
    yield from batched_times(messages // 4, 1 if quick else 3)
    yield from flat(20_000 if quick else 1_000_000)


def full_speed(messages: int, repetitions: int) -> Iterator[Result]:
    """Compare both clients with one call after the other, as fast as they go."""
    loads = {
        "segment": Load("segment", "", messages),
        "batched": Load(OURS, "", messages),
        "sync": Load(OURS, "", messages, durability="sync"),
        "memory": Load(OURS, "", messages, durability="memory"),
    }
    with CollectorProcess() as collector:
        runs = _interleaved(loads, repetitions, collector.url, lambda: collector.stats()["unique"])

    def row(
        what: str, unit: str, figure: Callable[[Measured], float], bar: Bar | None, ours: str = "batched"
    ) -> Result:
        return Result(what, unit, _median(runs["segment"], figure), _median(runs[ours], figure), bar)

    yield row("under load: a call", "µs", lambda run: run.caller, Bar(1 / 6))
    yield row("under load: delivered messages a second", "", lambda run: run.per_second, Bar(6.0, most=False))
    yield row("under load: processor time for a delivered message", "µs", lambda run: run.cpu, Bar(1 / 5))
    yield row("under load: peak memory above the imported client", "MiB", lambda run: run.peak, Bar(1.0))
    yield row("under load, sync: a call", "µs", lambda run: run.caller, Bar(1.0), "sync")
    yield row("under load, sync: delivered messages a second", "", lambda run: run.per_second, None, "sync")
    yield row("under load, memory: a call", "µs", lambda run: run.caller, None, "memory")
    yield row("under load, memory: delivered messages a second", "", lambda run: run.per_second, None, "memory")


def fastest_peer(messages: int, repetitions: int) -> Iterator[Result]:
    """Compare with snowplow-tracker: batches of 100, over a server that takes the protocols of both."""
    loads = {"snowplow": Load("snowplow", "", messages), "ours": Load(OURS, "", messages)}
    with sink() as url:
        runs = _interleaved(loads, repetitions, url, lambda: counted(url))
    theirs, ours = runs["snowplow"], runs["ours"]
    yield Result(
        "against snowplow-tracker: delivered messages a second",
        "",
        _median(theirs, lambda run: run.per_second),
        _median(ours, lambda run: run.per_second),
        Bar(3.0, most=False),
    )
    yield Result(
        "against snowplow-tracker: a call",
        "µs",
        _median(theirs, lambda run: run.caller),
        _median(ours, lambda run: run.caller),
    )


def batched_times(messages: int, repetitions: int) -> Iterator[Result]:
    """Measure how old messages are when they are committed, and how long calls take at worst."""
    for shown, rate in ((f"{_PACED:,.0f} calls a second", _PACED), ("full speed", None)):
        loads = {
            "segment": Load("segment", "", messages, rate),
            "ours": Load(OURS, "", messages, rate, commit_age=True),
        }
        with CollectorProcess() as collector:
            runs = _interleaved(loads, repetitions, collector.url, lambda: collector.stats()["unique"])
        bars = (None, Bar(10.0, "figure") if rate else None, None)
        for place, (name, bar) in enumerate(zip(("p50", "p99", "maximum"), bars, strict=True)):
            ages = [run.age[place] for run in runs["ours"] if run.age is not None]
            yield Result(f"{shown}: age at commit, {name}", "ms", None, statistics.median(ages), bar)
        for place, name in enumerate(("p50", "p99", "maximum")):
            blocks = {side: statistics.median(run.block[place] for run in each) for side, each in runs.items()}
            bar = Bar(50.0, "figure") if name == "p99" else None
            yield Result(f"{shown}: block of the caller, {name}", "ms", blocks["segment"], blocks["ours"], bar)


def flat(messages: int) -> Iterator[Result]:
    """Compare what a call costs with few and with many messages waiting; the collector is down."""
    measured = child("benchmarks.flatness", str(messages))
    if measured["accepted"] != messages:
        raise RuntimeError(f"of {messages:,} messages, {measured['accepted']:,} were accepted")
    few = messages // 100
    for clock, bar in (("thread", Bar(1.2)), ("wall", None)):
        shown = "of the calling thread" if clock == "thread" else "on the wall"
        yield Result(
            f"a call with {messages:,} waiting, against {few:,} waiting; time {shown}",
            "µs",
            around(measured[clock], few),
            around(measured[clock], messages),
            bar,
        )


def _interleaved(
    loads: dict[str, Load], repetitions: int, url: str, received: Callable[[], int]
) -> dict[str, list[Measured]]:
    def running(name: str, load: Load) -> Callable[[], Measured]:
        def run() -> Measured:
            before = received()
            measured = loaded(replace(load, url=url))
            came = received() - before
            if came != load.messages:
                raise RuntimeError(f"{name}: of {load.messages:,} messages, {came:,} came")
            return measured

        return run

    return in_turn({name: running(name, load) for name, load in loads.items()}, repetitions)


def _median(runs: list[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(map(figure, runs))
