"""What a thread waits for, and another one, or a signal handler, rings."""

from __future__ import annotations

import threading


class Bell:
    """As `threading.Event`, but that a signal handler may ring it while the same thread is about to.

    Attributes:
        rung: whether it was rung since it was last muted.
    """

    __slots__ = ("_changed", "rung")

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self.rung: bool = False

    def ring(self) -> None:
        """Wake who waits, and whoever comes to wait before it is muted."""
        with self._changed:
            self.rung = True
            self._changed.notify_all()

    def mute(self) -> None:
        """Let those who come from now on wait."""
        with self._changed:
            self.rung = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is rung, or for a time in seconds; answer whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: self.rung, timeout)
