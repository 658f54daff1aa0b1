"""How long a soak lasts, and how much is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Length:
    """How long everything takes, in seconds, and how much there is of it.

    Attributes:
        warm_up: of the faults before the first application is looked at.
        faults: of those between the two looks.
        rest: before each look, without any fault: longer than the longest pause between two attempts.
        spell: the shortest and the longest time that a fault, and each pause after it, lasts.
        threads: of each application, the tasks of its event loop included.
        rate: requests a second of each.
        spool_max_bytes: how much may wait: a few seconds' worth, so that it is full at times.
        durability: of the clients.
    """

    warm_up: float
    faults: float
    rest: float = 35.0
    spell: tuple[float, float] = (0.5, 4.0)
    threads: int = 8
    rate: float = 20.0
    spool_max_bytes: int = 1 << 20
    durability: str = "batched"

    @classmethod
    def of(cls, seconds: float, durability: str = "batched") -> Length:
        """Return the length of a soak that takes so long as a whole: a quarter of it warms up.

        >>> Length.of(600).faults
        385.0
        """
        rest = min(35.0, seconds / 12)
        faults = max(0.0, seconds - 4 * rest)
        return cls(0.25 * faults, 0.75 * faults, rest, durability=durability)
