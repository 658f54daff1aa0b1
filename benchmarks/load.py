"""One client under load, in a process of its own: `python -m benchmarks.load '{"side": "instrument", …}'`.

It prints what it measured as a line of JSON. What the imports and the making of the client take is measured before
the first call, and taken off.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, sleep, thread_time
from typing import TYPE_CHECKING

from benchmarks.collecting import child
from benchmarks.measuring import quantile
from benchmarks.sides import SIDES
from benchmarks.sides.driver import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instrument.delivery.pipeline import Durability

MILLI, MICRO = 1e3, 1e6


@dataclass(frozen=True, slots=True)
class Load:
    """What a process does.

    Attributes:
        side: the client, by its name in `benchmarks.sides`.
        url: where the collector is.
        messages: how many, each by one call.
        rate: calls a second; `None` for one after the other.
        defaults: whether its queue has its default bound, instead of one that holds all messages.
        durability: of our client.
        commit_age: whether the age of every message at its commit is measured.
    """

    side: str
    url: str
    messages: int
    rate: float | None = None
    defaults: bool = False
    durability: Durability = "batched"
    commit_age: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it.

    Attributes:
        caller: microseconds of one call, on average.
        thread: microseconds of processor time of the calling thread for one call, on average.
        per_second: messages that were delivered, from the first call until the last was known to be there.
        cpu: microseconds of processor time for a delivered message, of the whole process.
        peak: the most memory above what the imported client takes, in MiB.
        block: milliseconds that calls took: p50, p99, maximum.
        age: milliseconds from a call's return to the commit of its message: p50, p99, maximum.
    """

    caller: float
    thread: float
    per_second: float
    cpu: float
    peak: float
    block: tuple[float, float, float]
    age: tuple[float, float, float] | None = None


def loaded(load: Load) -> Measured:
    """Run one load in a process of its own."""
    return Measured(**child("benchmarks.load", json.dumps(asdict(load))))


def main() -> None:
    """Run one load."""
    load = Load(**json.loads(sys.argv[1]))
    logging.getLogger().addHandler(logging.NullHandler())  # some clients tell of every message that they drop
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asdict(run(load, Path(directory)))), flush=True)
    os._exit(0)  # what clients do at an exit is not measured, and may take seconds


def run(load: Load, directory: Path) -> Measured:
    """Make the client, put the load on it, and measure."""
    setting = Setting(load.url, directory, load.messages, load.defaults, load.durability)
    client = SIDES[load.side].driver().sending(setting)
    emit = client.handlers[0]
    ages = _Ages() if load.commit_age else None
    durations = array("d", bytes(8 * load.messages))
    with client.scope:
        cpu, memory = _cpu(), _peak_memory()
        begin, thread = perf_counter(), thread_time()
        for number in range(load.messages):
            if load.rate is not None:
                _wait_until(begin + number / load.rate)
            start = perf_counter()
            emit(number)
            durations[number] = perf_counter() - start
            if ages is not None:
                ages.returned.append(perf_counter())
        called, thread = sum(durations), thread_time() - thread
        client.flush()
        took = perf_counter() - begin
        cpu, memory = _cpu() - cpu, _peak_memory() - memory
    return Measured(
        caller=called / load.messages * MICRO,
        thread=thread / load.messages * MICRO,
        per_second=load.messages / took,
        cpu=cpu / load.messages * MICRO,
        peak=memory / (1 << 20),
        block=_summary(durations),
        age=None if ages is None else _summary(ages.ages()),
    )


class _Ages:
    """Notes when messages are counted as spooled, which is right after their commit."""

    def __init__(self) -> None:
        from instrument.delivery.ledger import Ledger  # noqa: PLC0415 - only where our client runs

        self.returned: list[float] = []
        self._committed: list[tuple[int, float]] = []
        count = Ledger.count

        def noting(ledger: Ledger, what: str, number: int = 1) -> None:
            count(ledger, what, number)
            if what == "spooled":
                self._committed.append((number, perf_counter()))

        Ledger.count = noting  # type: ignore[method-assign,assignment]

    def ages(self) -> list[float]:
        ages: list[float] = []
        for number, at in self._committed:
            ages += [max(0.0, at - returned) for returned in self.returned[len(ages) : len(ages) + number]]
        return ages


def _wait_until(when: float) -> None:
    rest = when - perf_counter()
    if rest > 0:
        sleep(rest)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory() -> int:
    """Return the most bytes that were resident; on Linux of this program alone, where getrusage tells its parent's."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def _summary(seconds: Iterable[float]) -> tuple[float, float, float]:
    ordered = sorted(seconds)
    return quantile(ordered, 0.5) * MILLI, quantile(ordered, 0.99) * MILLI, ordered[-1] * MILLI


if __name__ == "__main__":
    main()
