"""From the caller to the destinations."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

from instrument.delivery.lane import Lane
from instrument.errors import Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.ledger import Ledger
    from instrument.messages import Message, SegmentTrack


class Transport(Protocol):
    """What a client hands its envelopes to."""

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Take an envelope over; returning means that it will be delivered, or its loss counted.

        Args:
            envelope: what is sent.
            message: what it was made of.

        Raises:
            Refusal: it is not taken.
        """

    def flush(self, timeout: float) -> bool:
        """Wait until what was put is settled; answer whether it was, within a time in seconds."""

    def close(self, timeout: float) -> bool:
        """Flush and stop; answer whether everything was settled, within a time in seconds."""

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""

    @property
    def queued(self) -> int:
        """How many envelopes wait."""


class Pipeline:
    """Envelopes to every destination, over a lane for each."""

    def __init__(
        self,
        destinations: Sequence[Destination],
        ledger: Ledger,
        *,
        max_bytes: int,
        on_drop: Callable[[Envelope, str], object] | None = None,
    ) -> None:
        self._lanes = tuple(Lane(each, ledger, max_bytes=max_bytes, on_drop=on_drop) for each in destinations)
        self._closed = False

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        return max((lane.taken for lane in self._lanes), default=0)

    @property
    def queued(self) -> int:
        """How many envelopes wait, for the destination that has most of them."""
        return max(map(len, self._lanes), default=0)

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Queue an envelope for every destination.

        Raises:
            Refusal: the pipeline is closed, or a queue is full.
        """
        del message
        if self._closed:
            raise Refusal(Reason.CLOSED, "the client is closed")
        for lane in self._lanes:
            if not lane.put(envelope):
                raise Refusal(Reason.QUEUE_FULL, f"the queue to {lane.destination.name} is full")

    def flush(self, timeout: float) -> bool:
        """Wait until what is queued is settled; answer whether it was, within a time in seconds."""
        deadline = monotonic() + timeout
        flushed = [lane.flush(deadline) for lane in self._lanes]
        return all(flushed)

    def close(self, timeout: float) -> bool:
        """Flush and stop; answer whether everything was settled, within a time in seconds."""
        self._closed = True
        deadline = monotonic() + timeout
        closed = [lane.close(deadline) for lane in self._lanes]
        return all(closed)
