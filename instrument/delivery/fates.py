"""What becomes of envelopes, told to everybody who wants to know: counts, dead letters, the log, the hook."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from instrument.delivery.destination import Held, Unavailable
from instrument.delivery.said import Said

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instrument.delivery.dead_letters import DeadLetters
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.ledger import Ledger
    from instrument.delivery.spool import SpoolError

log: Final = logging.getLogger("instrument")

OnDrop = Callable[["Envelope", str], object]

_NOT_DELIVERED = "not delivered when the client was closed"
_DAMAGED = "lay in a damaged part of the spool"
_MOST_UNKEPT = 1_000


class Fates:
    """Tells of the fates of one client's envelopes.

    Args:
        ledger: where each is counted.
        letters: where the dead ones are kept.
        on_drop: called with each envelope that will never be delivered, and the reason.
    """

    def __init__(self, ledger: Ledger, letters: DeadLetters, on_drop: OnDrop | None) -> None:
        self._ledger = ledger
        self._letters = letters
        self._on_drop = on_drop
        self._said = Said(log)
        self._lock = threading.RLock()
        self._unkept: deque[tuple[str, Envelope, str]] = deque(maxlen=_MOST_UNKEPT)

    def spooled(self, number: int) -> None:
        """So many envelopes were committed."""
        self._ledger.count("spooled", number)

    def delivered(self, destination: str, number: int) -> None:
        """A destination took so many envelopes."""
        self._ledger.delivered(destination, number)

    def died(self, destination: str, envelope: Envelope, reason: str) -> None:
        """A destination will never take an envelope: it is kept, for somebody to look at."""
        self._unkept.append((destination, envelope, reason))
        problem = self.keep_letters()
        kept = f"it is kept in {self._letters.path}" if problem is None else f"it cannot be kept now ({problem})"
        self._said.warn(
            f"dead {destination}", "%s will never take a %s message: %s; %s.", destination, envelope.type, reason, kept
        )
        self._drop(envelope, reason)

    def keep_letters(self) -> str | None:
        """Write the dead letters that could not be written before; return why not, if they cannot."""
        with self._lock:
            while self._unkept:
                try:
                    self._letters.add(*self._unkept[0])
                except Exception as error:  # noqa: BLE001 - a full disk must not stop what is behind this message
                    return type(error).__name__
                self._unkept.popleft()
        return None

    def left_behind(self, envelopes: Iterable[Envelope]) -> None:
        """Nothing will deliver these, since the client is closed and they lie nowhere but in its memory."""
        for each in envelopes:
            self._drop(each, _NOT_DELIVERED)

    def lost(self, number: int) -> None:
        """So many envelopes lay in the damaged part of a file."""
        self._ledger.dead(_DAMAGED, number)

    def failed(self, destination: str, error: BaseException, attempt: int) -> None:
        """An attempt failed, and will be repeated.

        Args:
            destination: its name.
            error: what it raised.
            attempt: how many have failed in a row, with this one.
        """
        self._ledger.count("retried")
        if isinstance(error, Held):
            self._said.warn(f"held {destination}", "%s: %s. The messages wait.", destination, error)
        elif attempt == 1:
            self._said.warn(f"failed {destination}", "%s: %s. The messages wait.", destination, _tell(error))

    def spool_failed(self, error: SpoolError) -> None:
        """The spool cannot be written."""
        self._said.warn("spool", "%s. New messages are refused until it can be written.", error)

    def spool_unreadable(self, error: SpoolError) -> None:
        """A spool cannot be read."""
        self._said.warn("unreadable", "%s. What lies in it waits.", error)

    def _drop(self, envelope: Envelope, reason: str) -> None:
        self._ledger.dead(reason, 1)
        if self._on_drop is None:
            return
        try:
            self._on_drop(envelope, reason)
        except BaseException as error:  # noqa: BLE001 - whatever a hook raises stays with the hook
            self._said.warn("on_drop", "on_drop raised %s.", type(error).__name__)


def _tell(error: BaseException) -> str:
    """Tell why an attempt failed, without what a stranger's error may hold of the messages."""
    return str(error) if isinstance(error, Unavailable) else f"sending raised {type(error).__name__}"
