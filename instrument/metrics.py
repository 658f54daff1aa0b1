"""What a client counts, by the names under which monitoring shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instrument.delivery.ledger import Stats


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, or one for each value of a label.

    Attributes:
        name: in lower case, with dots.
        text: what it is.
        read: takes it out of the counts: by the label's value, or at `None` where there is no label.
        label: the label.
        rises: whether it never falls, but with a new process.
        unit: by the Unified Code for Units of Measure.
    """

    name: str
    text: str
    read: Callable[[Stats], Mapping[str | None, float]]
    label: str | None = None
    rises: bool = True
    unit: str = "{message}"


def _one(read: Callable[[Stats], float]) -> Callable[[Stats], Mapping[str | None, float]]:
    return lambda stats: {None: read(stats)}


def _each(read: Callable[[Stats], Mapping[str, int]]) -> Callable[[Stats], Mapping[str | None, float]]:
    return lambda stats: {value: count for value, count in read(stats).items()}  # noqa: C416 - another type of keys


METRICS: Final = (
    Metric("messages.accepted", "Messages that the client took over.", _one(lambda stats: stats.accepted)),
    Metric(
        "messages.undeclared", "Accepted messages that came as untyped objects.", _one(lambda stats: stats.undeclared)
    ),
    Metric(
        "messages.late",
        "Accepted messages that began after their request scope was closed.",
        _one(lambda stats: stats.late),
    ),
    Metric("messages.spooled", "Messages that were committed to the disk.", _one(lambda stats: stats.spooled)),
    Metric(
        "messages.rolled_back",
        "Messages that were dropped with their transaction.",
        _one(lambda stats: stats.rolled_back),
    ),
    Metric(
        "messages.stored",
        "Messages that were committed into an outbox with their transaction.",
        _one(lambda stats: stats.stored),
    ),
    Metric(
        "messages.refused",
        "Messages that the client did not take over.",
        _each(lambda stats: stats.refused),
        label="reason",
    ),
    Metric(
        "messages.delivered",
        "Messages that a destination took.",
        _each(lambda stats: stats.delivered),
        label="destination",
    ),
    Metric("messages.dead", "Messages that will never be delivered.", _each(lambda stats: stats.dead), label="reason"),
    Metric(
        "delivery.retries",
        "Attempts that failed and were repeated.",
        _one(lambda stats: stats.retried),
        unit="{attempt}",
    ),
    Metric("messages.queued", "Messages that wait to be delivered.", _one(lambda stats: stats.queued), rises=False),
    Metric(
        "messages.held", "Messages that wait for a transaction to end.", _one(lambda stats: stats.held), rises=False
    ),
    Metric(
        "delivery.lag",
        "How long the oldest message that waits has waited.",
        _one(lambda stats: stats.lag),
        rises=False,
        unit="s",
    ),
)
