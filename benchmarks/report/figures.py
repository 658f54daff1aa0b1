"""What is measured of each client, and the figures of one run."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured.

    Attributes:
        key: its name in files.
        title: its name for people.
        unit: of its figures.
        more: whether more is better.
    """

    key: str
    title: str
    unit: str
    more: bool = False


CALLS = (
    Measure("call", "a call", "µs"),
    Measure("call_of_eight", "a call, eight properties", "µs"),
    Measure("call_nested", "a call, nested values", "µs"),
)
"""One for each of the messages that are measured."""
DELIVERED = Measure("delivered", "delivered a second", "", more=True)
PROCESSOR = Measure("processor", "processor time a message", "µs")
MEMORY = Measure("memory", "peak memory", "MiB")
IMPORT = Measure("import", "import", "ms")
MEASURES = (*CALLS, DELIVERED, PROCESSOR, MEMORY, IMPORT)
OVERVIEW = (CALLS[0], DELIVERED, PROCESSOR, MEMORY, IMPORT)
"""What one look shall show."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """What became of one load.

    Attributes:
        messages: how many were emitted.
        defaults: whether the queue had the bound that the client gives it by itself.
        call: microseconds of processor time of the calling thread, for one call.
        delivered: how many messages came.
    """

    messages: int
    defaults: bool
    call: float
    delivered: int

    @property
    def lost(self) -> int:
        """How many messages did not come."""
        return self.messages - self.delivered


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one client.

    Attributes:
        samples: for each measure, by its key, a figure of every repetition.
        scaling: loads of growing size at the default bound; where something was lost, once more with one that
            holds all messages.
    """

    samples: dict[str, list[float]]
    scaling: list[Scaled]

    def median(self, measure: Measure) -> float:
        """Return the median of a measure."""
        return statistics.median(self.samples[measure.key])

    def loads(self, *, defaults: bool) -> Iterator[Scaled]:
        """Give one load of each size, with the default bound or with one that holds all, as far as that differs."""
        raised = {} if defaults else {each.messages: each for each in self.scaling if not each.defaults}
        return (raised.get(each.messages, each) for each in self.scaling if each.defaults)


@dataclass(frozen=True, slots=True)
class Report:
    """One run.

    Attributes:
        date: of its beginning, as ISO 8601 writes it.
        busy: the processes that ran or wanted to when it began, on average over a minute.
        machine: see `benchmarks.machine`.
        load: messages of the load that delivery, processor time and memory are measured with.
        sides: the figures of each client, by its name; ours is among them.
    """

    date: str
    busy: float
    machine: dict[str, Any]
    load: int
    sides: dict[str, Figures]

    def loads(self, *, defaults: bool) -> Iterator[dict[str, Scaled]]:
        """Give the loads of all clients, by their names, for each size; see `Figures.loads`."""
        sides = [figures.loads(defaults=defaults) for figures in self.sides.values()]
        return (dict(zip(self.sides, loads, strict=True)) for loads in zip(*sides, strict=True))

    def medians(self, measure: Measure) -> dict[str, float]:
        """Return the median of each client."""
        return {name: figures.median(measure) for name, figures in self.sides.items()}


_REPORT = TypeAdapter(Report)


def read(file: Path) -> Report:
    """Read the figures of an earlier run."""
    return _REPORT.validate_json(file.read_bytes())


def write(report: Report, file: Path) -> None:
    """Keep the figures of a run."""
    file.write_bytes(_REPORT.dump_json(report, indent=2) + b"\n")
