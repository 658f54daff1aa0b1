"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    Attributes:
        first: the longest wait before the first repetition, in seconds.
        most: the longest wait of all, in seconds.
    """

    first: float = 0.2
    most: float = 30.0

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after a number of failed attempts: between half of the bound and the bound.

        >>> 0.1 <= Backoff().wait(1) <= 0.2
        True
        """
        bound = min(self.most, self.first * 2.0 ** min(attempt - 1, 30))
        return bound * (0.5 + random.random() / 2)  # noqa: S311 - spreads the load, hides nothing
