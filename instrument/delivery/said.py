"""Log lines that do not repeat themselves: at most one of a kind each minute, with a count of those left out."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

_INTERVAL = 60.0


class Said:
    """What was logged of late.

    Args:
        log: where lines go.
        interval: seconds between two lines of a kind.
    """

    def __init__(self, log: logging.Logger, interval: float = _INTERVAL) -> None:
        self._log = log
        self._interval = interval
        self._lock = threading.RLock()
        self._last: dict[str, tuple[float, int]] = {}

    def warn(self, kind: str, text: str, *values: object) -> None:
        """Log a warning, unless one of its kind was logged of late.

        Args:
            kind: of which one line is logged in each interval.
            text: the line, with `%s` for each value.
            *values: the values.
        """
        now = monotonic()
        with self._lock:
            since, left_out = self._last.get(kind, (float("-inf"), 0))
            if now - since < self._interval:
                self._last[kind] = since, left_out + 1
                return
            self._last[kind] = now, 0
        suffix = f" ({left_out} more like this since the last such line)" if left_out else ""
        with suppress(Exception):  # a filter or handler of the application's that raises must not end a delivery
            self._log.warning(text + suffix, *values)
