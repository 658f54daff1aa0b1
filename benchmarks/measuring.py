"""Medians of interleaved repetitions: what disturbs one side of a comparison disturbs the other as well."""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Samples:
    """Figures of several sides, one of each for every repetition."""

    figures: Mapping[str, Sequence[float]]

    def median(self, side: str) -> float:
        """Return the median of a side."""
        return statistics.median(self.figures[side])

    def above(self, side: str, base: str) -> float:
        """Return the median of what a side takes above another, repetition by repetition."""
        pairs = zip(self.figures[side], self.figures[base], strict=True)
        return statistics.median(one - other for one, other in pairs)


def in_turn(sides: Mapping[str, Callable[[], _T]], repetitions: int) -> dict[str, list[_T]]:
    """Run every side in turn, in the opposite order every other time, and return what each gave."""
    given: dict[str, list[_T]] = {name: [] for name in sides}
    for repetition in range(repetitions):
        names = list(sides) if repetition % 2 == 0 else list(sides)[::-1]
        for name in names:
            gc.collect()
            given[name].append(sides[name]())
    return given


def interleaved(sides: Mapping[str, Callable[[], float]], repetitions: int) -> Samples:
    """Measure every side in turn."""
    return Samples(in_turn(sides, repetitions))


def seconds_a_call(call: Callable[[int], object], calls: int, clock: Callable[[], int] = perf_counter_ns) -> float:
    """Return the seconds that one call takes, of so many in a row.

    Args:
        call: called with 0, 1, 2, …
        calls: how often.
        clock: gives nanoseconds; `time.thread_time_ns` leaves out what other threads take.
    """
    start = clock()
    for number in range(calls):
        call(number)
    return (clock() - start) / 1e9 / calls


def quantile(sorted_figures: Sequence[float], share: float) -> float:
    """Return the figure that this share of them does not exceed."""
    return sorted_figures[min(len(sorted_figures) - 1, int(share * len(sorted_figures)))]
