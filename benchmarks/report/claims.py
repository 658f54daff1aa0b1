"""What the figures say, in sentences that are computed from them: where a peer is ahead, they say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report.figures import MEASURES, Measure
from benchmarks.sides import OURS
from benchmarks.table import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.report.figures import Report, Scaled

EVEN = 0.05
"""Figures that differ by less than this share of ours are even: repetitions differ by as much."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where our figure of one measure stands.

    Attributes:
        measure: what was measured.
        ours: our figure.
        ahead: the peers with a better one, the best first.
        even: those with about the same.
        behind: those with a worse one, the best first.
    """

    measure: Measure
    ours: float
    ahead: Mapping[str, float]
    even: Mapping[str, float]
    behind: Mapping[str, float]

    def sentence(self) -> str:
        """Say it."""
        what = f"**{self.measure.title.capitalize()}**"
        parts = [f"{what}: {with_unit(self.ours, self.measure)} with ours"]
        for peers, standing in ((self.ahead, "ahead"), (self.even, "about even"), (self.behind, "behind")):
            if peers:
                verb = "is" if len(peers) == 1 else "are"
                named = [f"{name} ({with_unit(figure, self.measure)})" for name, figure in peers.items()]
                parts.append(f"{_listed(named)} {verb} {standing}")
        return "; ".join(parts) + "."


def standing(measure: Measure, medians: Mapping[str, float]) -> Standing:
    """Compare our figure with each peer's."""
    ours = medians[OURS]
    peers = sorted(
        ((name, figure) for name, figure in medians.items() if name != OURS),
        key=lambda peer: peer[1],
        reverse=measure.more,
    )

    def better(one: float, other: float) -> bool:
        return one > other * (1 + EVEN) if measure.more else one < other * (1 - EVEN)

    ahead = {name: figure for name, figure in peers if better(figure, ours)}
    behind = {name: figure for name, figure in peers if better(ours, figure)}
    even = {name: figure for name, figure in peers if name not in ahead and name not in behind}
    return Standing(measure, ours, ahead, even, behind)


def claims(report: Report) -> tuple[list[str], list[str]]:
    """Return the sentences about measures where a peer is ahead of ours, and those about the others."""
    measures = [standing(measure, report.medians(measure)) for measure in MEASURES]
    ahead = [each.sentence() for each in (*measures, *_of_loads(report)) if each.ahead]
    return ahead, [each.sentence() for each in measures if not each.ahead]


def _of_loads(report: Report) -> Iterator[Standing]:
    for loads in report.loads(defaults=False):
        measure = Measure("", f"a call, with {loads[OURS].messages:,} messages", "µs")
        yield standing(measure, {name: load.call for name, load in loads.items()})


def scaling(report: Report) -> Iterator[str]:
    """Say what more messages change: what a call costs, and what is lost."""
    sizes = list(report.loads(defaults=False))
    first, last = sizes[0], sizes[-1]
    growths = [f"{name} {last[name].call / first[name].call:.2f}" for name in report.sides]
    few, many = first[OURS].messages, last[OURS].messages
    yield f"**A call with {many:,} messages**, as a multiple of one with {few:,}: {_listed(growths)}."
    lost = list(report.loads(defaults=True))[-1]
    yield f"**At their default bounds**, of {many:,} messages {_losses(lost)}."
    again = {name: last[name] for name, load in lost.items() if load.lost}
    if again:
        yield f"**With a queue that holds all of them**, {_losses(again)}."


def with_unit(figure: float, measure: Measure) -> str:
    """Return a figure as it is read."""
    return f"{shown(figure)} {measure.unit}".rstrip()


def percent(load: Scaled) -> str:
    """Return which share came; 100 % is all of them, and no rounding of less."""
    share = 100 * load.delivered / load.messages
    return f"{min(share, 99.9) if load.lost else share:.3g} %"


def _losses(loads: Mapping[str, Scaled]) -> str:
    some = [f"{name} lost {load.lost:,} ({percent(load)} came)" for name, load in loads.items() if load.lost]
    none = [name for name, load in loads.items() if not load.lost]
    return "; ".join(some + ([f"{_listed(none)} lost none"] if none else []))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
