"""Transports and destinations that leave out what comes after a call, so that the call alone is measured."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, cast

from instrument.delivery.destination import Limits
from instrument.delivery.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument import Envelope, Message, SegmentTrack
    from instrument.delivery.envelope import Parts
    from instrument.delivery.intake import Receiver


@dataclass(slots=True)
class IdleTransport:
    """Takes everything and does nothing with it: the least that a transport can cost."""

    accepted: int = 0
    queued: int = 0
    lag: float = 0.0

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Take an envelope, and what it was made of."""

    def take(self, envelope: Parts) -> None:
        """Take an envelope."""

    def flush(self, timeout: float) -> bool:  # noqa: ARG002
        """Do nothing."""
        return True

    def close(self, timeout: float) -> bool:  # noqa: ARG002
        """Do nothing."""
        return True


class IdleQueue(IdleTransport):
    """Queues as the client does in production, with nobody who consumes."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Begin with an empty queue."""
        # Never started, so that it has no thread; and so never asks who receives.
        self._intake = Intake(None, cast("Receiver", None), each=False, max_bytes=4 << 30, late=inf)
        # As in production, without a detour.
        self.take = self._intake.put  # type: ignore[method-assign]

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:  # noqa: ARG002
        """Queue an envelope."""
        self._intake.put(envelope)


@dataclass(slots=True)
class IdleDestination:
    """Takes its first batch and never comes back: whatever follows waits in the spool."""

    name: str = "idle"
    limits: Limits = field(default_factory=Limits)
    remote: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def send(self, batch: Sequence[Envelope]) -> None:  # noqa: ARG002
        """Wait."""
        self.released.wait()

    def forget_connections(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
