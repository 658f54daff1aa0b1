"""What a thread waits for, and another one, or a signal handler, rings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Bell:
    """As `threading.Event`, for what signal handlers may interrupt.

    A handler that rings inside of a ring finds no lock taken, and one that raises there leaves none behind: the bell
    is a single lock, which is taken while it is muted, and each step one of the interpreter's own. An event is made of
    Python code, and a handler may raise where that has just taken its lock.

    Only who waits for a bell may mute it. To others it may look muted for the instant in which a wait ends.

    Attributes:
        muted: tells whether it was not rung since it was last muted.
    """

    __slots__ = ("_silence", "muted")

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self.muted: Callable[[], bool] = self._silence.locked
        self.mute()

    @property
    def rung(self) -> bool:
        """Whether it was rung since it was last muted."""
        return not self.muted()

    def ring(self) -> None:
        """Wake who waits, and whoever comes to wait before it is muted."""
        try:  # noqa: SIM105 - what `suppress` does, in a fraction of the time
            self._silence.release()
        except RuntimeError:  # it is rung already
            pass

    def mute(self) -> None:
        """Let those who come from now on wait."""
        self._silence.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is rung, or for a time in seconds; answer whether it was."""
        seconds = -1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)
        if not self._silence.acquire(timeout=seconds):
            return False
        self.ring()  # for whoever else waits
        return True
