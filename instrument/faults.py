"""What happens when instrumentation itself goes wrong.

One object decides it for a whole client: in strict mode the error is raised, in production it is logged once
for each place, counted, and handed to `on_error`, and the handler never hears of it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from instrument.errors import InstrumentError, Refusal, Withheld
from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    OnError = Callable[[BaseException, str], object]

log: Final = logging.getLogger("instrument")

_MOST_PLACES = 1_000


class Faults(ForkSafe):
    """The policy of one client for errors of the instrumentation, and their counts.

    Args:
        strict: raise instead of log.
        on_error: called with the exception and the place; what it raises itself is logged and goes no further.
    """

    __slots__ = ("__weakref__", "_lock", "_logged", "deferred", "on_error", "refused", "strict")

    def __init__(self, *, strict: bool = False, on_error: OnError | None = None) -> None:
        self.strict: bool = strict
        self.on_error: OnError | None = on_error
        self.after_fork_in_child()
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Count from nothing: what the parent counted is the parent's."""
        self.refused: Counter[str] = Counter()
        """How many messages were refused, by `Reason`; other errors of the instrumentation under `error`."""
        self.deferred: list[tuple[Exception, str]] = []
        """In strict mode: errors that could not be raised, since the handler's own exception went on, and where."""
        # One that a signal handler may take inside of what it interrupts.
        self._lock = threading.RLock()
        self._logged: set[tuple[str, str]] = set()

    def report(self, error: Exception, where: str, *, handler_raised: bool = False) -> None:
        """Account for one error of the instrumentation.

        Args:
            error: what went wrong.
            where: the place, as a person would look for it.
            handler_raised: the handler's own exception is on its way, and must not be replaced.

        Raises:
            Exception: `error` itself, in strict mode and where no exception of the handler is on its way.
        """
        kind = error.reason.value if isinstance(error, Refusal) else "error"
        with self._lock:
            self.refused[kind] += 1
        if isinstance(error, Withheld):
            return
        if self.strict:
            if not handler_raised:
                raise error
            self.deferred.append((error, where))
            return
        self._log_once(error, where, kind)
        self._tell(error, where)

    def _log_once(self, error: Exception, where: str, kind: str) -> None:
        key = (where, kind)
        with self._lock:
            if key in self._logged or len(self._logged) >= _MOST_PLACES:
                return
            self._logged.add(key)
        log.error("%s: %s (logged once for this place; counted from now on)", where, _describe(error))

    def _tell(self, error: Exception, where: str) -> None:
        if self.on_error is None:
            return
        try:
            self.on_error(error, where)
        except Exception as raised:  # noqa: BLE001 - whatever a hook raises stays with the hook
            self._log_once(raised, f"on_error, called for {where}", "on_error")


class Ambient:
    """The faults policy in force where no client is at hand: that of the default client."""

    __slots__ = ("faults",)

    def __init__(self) -> None:
        self.faults: Faults = Faults()


ambient: Final = Ambient()


def _describe(error: Exception) -> str:
    """Tell an error without what it may carry of the user's data: only our own texts are shown."""
    return str(error) if isinstance(error, InstrumentError) else type(error).__name__
