"""The count of every message's fate."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the messages of a client, so far.

    Attributes:
        accepted: messages that were taken over.
        undeclared: those among them that came as untyped objects.
        late: those among them that began after their request scope was closed.
        refused: messages that were not, by `Reason`.
        delivered: messages that a destination took, by destination.
        dead: messages that will never be delivered, by reason.
        spooled: messages that were committed to the disk.
        retried: attempts that failed and were repeated.
        queued: messages that wait.
        lag: how long the oldest of them has waited, in seconds.
        held: messages that wait for a transaction to end; not among the accepted yet.
        rolled_back: messages that were dropped with their transaction.
        stored: messages that were committed into an outbox with their transaction.
    """

    accepted: int = 0
    undeclared: int = 0
    late: int = 0
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    delivered: Mapping[str, int] = field(default_factory=dict[str, int])
    dead: Mapping[str, int] = field(default_factory=dict[str, int])
    spooled: int = 0
    retried: int = 0
    queued: int = 0
    lag: float = 0.0
    held: int = 0
    rolled_back: int = 0
    stored: int = 0


class Ledger(ForkSafe):
    """The counts of one client. Every method may be called from any thread."""

    __slots__ = ("__weakref__", "_counts", "_dead", "_delivered", "_lock")

    def __init__(self) -> None:
        self.after_fork_in_child()
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Count from nothing: what the parent counted is the parent's."""
        # One that a signal handler may take inside of what it interrupts.
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self._dead: Counter[str] = Counter()

    def count(self, what: str, number: int = 1) -> None:
        """Count messages: `undeclared`, `late`, `spooled`, `retried`, `held`, `rolled_back`, `stored`."""
        with self._lock:
            self._counts[what] += number

    def delivered(self, destination: str, number: int) -> None:
        """Count messages that a destination took."""
        with self._lock:
            self._delivered[destination] += number

    def dead(self, reason: str, number: int) -> None:
        """Count messages that will never be delivered."""
        with self._lock:
            self._dead[reason] += number

    def stats(self, *, accepted: int, refused: Mapping[str, int], queued: int, lag: float) -> Stats:
        """Return a copy of the counts.

        Args:
            accepted: messages that were taken over.
            refused: those that were not, by reason.
            queued: those that wait.
            lag: how long the oldest of them has waited, in seconds.
        """
        with self._lock:
            return Stats(
                accepted=accepted,
                undeclared=self._counts["undeclared"],
                late=self._counts["late"],
                retried=self._counts["retried"],
                refused=dict(refused),
                delivered=dict(self._delivered),
                dead=dict(self._dead),
                spooled=self._counts["spooled"],
                queued=queued,
                lag=lag,
                held=self._counts["held"],
                rolled_back=self._counts["rolled_back"],
                stored=self._counts["stored"],
            )
