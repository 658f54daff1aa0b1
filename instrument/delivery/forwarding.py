"""What all forwarders share, whatever they take messages from: counts, dead letters, and what is logged."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from pydantic_core import from_json, to_json

from instrument.delivery.attempts import tell
from instrument.delivery.envelope import Envelope
from instrument.delivery.said import Said

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.delivery.dead_letters import DeadLetters

log: Final = logging.getLogger("instrument")

NO_ENVELOPE = "it is no message of this package, but for a JSON object with a messageId and a type"


@dataclass(slots=True)
class Forwarded:
    """What a forwarder has done so far.

    Attributes:
        delivered: messages that the destination took.
        dead: messages that it never will, and that lie with the dead letters now.
        repeated: messages among both that the stream had given out before.
        retried: attempts that failed.
    """

    delivered: int = 0
    dead: int = 0
    repeated: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """What a forwarder does about each message's fate, besides taking it from where it came.

    Attributes:
        destination: the name of where messages go.
        letters: where those go that the destination refuses.
        heard: called with the counts whenever they change.
        counts: what was done so far.
        said: what was logged.
    """

    destination: str
    letters: DeadLetters
    heard: Callable[[Forwarded], object] | None = None
    counts: Forwarded = field(default_factory=Forwarded)
    said: Said = field(default_factory=lambda: Said(log))

    def taken(self, number: int, repeated: int = 0) -> None:
        """Count messages that the destination took."""
        self.counts.delivered += number
        self.counts.repeated += repeated
        self._tell()

    def bury(self, envelope: Envelope, reason: str, *, repeated: bool = False) -> bool:
        """Keep a message with the dead letters; answer whether it could be kept.

        Args:
            envelope: the message.
            reason: why it will never be taken.
            repeated: whether it was sent before, as far as its source tells.
        """
        try:
            self.letters.add(self.destination, envelope, reason)
        except Exception as error:  # noqa: BLE001 - a full disk must not stop what is behind this message
            self.said.warn("letters", "A dead letter could not be kept (%s): it is tried again.", type(error).__name__)
            return False
        self.counts.dead += 1
        self.counts.repeated += repeated
        self.said.warn(
            f"dead {reason}",
            "%s will never take a message: %s; it is kept in %s; see `instrument dead-letters`.",
            *(self.destination, reason, self.letters.path),
        )
        self._tell()
        return True

    def failed(self, error: Exception, attempt: int) -> None:
        """Count an attempt that failed, and say so of the first."""
        self.counts.retried += 1
        if attempt == 1:
            self.said.warn("failed", "%s: %s. The messages wait.", self.destination, tell(error))
        self._tell()

    def _tell(self) -> None:
        if self.heard is not None:
            self.heard(self.counts)


def read_envelope(data: bytes) -> Envelope:
    """Read an envelope; without a message id where it is none."""
    try:
        read: object = from_json(data, allow_inf_nan=False)
    except ValueError:
        read = None
    message = cast("dict[str, object]", read) if isinstance(read, dict) else {}
    message_id, kind = message.get("messageId"), message.get("type")
    if not (isinstance(message_id, str) and isinstance(kind, str)):
        return Envelope("", data)
    # A stranger's JSON may have line breaks, which some destinations end a message with.
    body = data if b"\n" not in data else to_json(message)
    return Envelope(message_id, body)
