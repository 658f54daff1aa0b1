"""Several pipelines as one: destinations whose privacy policies differ share no spool."""

from __future__ import annotations

from itertools import repeat
from time import monotonic
from typing import TYPE_CHECKING

from instrument.delivery.envelope import Variants
from instrument.delivery.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope, Parts
    from instrument.delivery.pipeline import Pipeline
    from instrument.messages import Message, SegmentTrack


class Fanout:
    """Hands each message to every pipeline, in the variant that is made for it.

    What a process that dies leaves in a spool is adopted by destinations of the same policy only, so that none ever
    reads what was meant for another's eyes.

    Args:
        pipelines: one for each policy, in the order of the variants.
    """

    def __init__(self, pipelines: Sequence[Pipeline]) -> None:
        self._pipelines = pipelines

    @property
    def accepted(self) -> int:
        """How many messages every pipeline has taken over."""
        return min(each.accepted for each in self._pipelines)

    @property
    def queued(self) -> int:
        """How many messages wait, for the destination that has most of them."""
        return max(each.queued for each in self._pipelines)

    @property
    def lag(self) -> float:
        """How long the oldest message that waits has waited, in seconds."""
        return max(each.lag for each in self._pipelines)

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:  # noqa: ARG002
        """Take a message over.

        Raises:
            Refusal: a pipeline does not take it; those before it may have.
        """
        self.take(envelope)

    def take(self, envelope: Parts) -> None:
        """Take an envelope over, as `put` does."""
        each = envelope.each if isinstance(envelope, Variants) else repeat(envelope)
        for pipeline, variant in zip(self._pipelines, each):  # noqa: B905 - one envelope may serve all
            pipeline.take(variant)

    def flush(self, timeout: float) -> bool:
        """Wait until everything is settled; answer whether it was, within a time in seconds."""
        deadline = monotonic() + timeout
        return min([each.flush(max(0.0, deadline - monotonic())) for each in self._pipelines])

    def close(self, timeout: float) -> bool:
        """Flush and stop; answer whether everything was settled, within a time in seconds."""
        deadline = monotonic() + timeout
        return min([each.close(max(0.0, deadline - monotonic())) for each in self._pipelines])


class SecondLedger(Ledger):
    """What a pipeline beside the first one counts: its destinations' part; the messages are counted already.

    Args:
        first: where the counts go.
    """

    __slots__ = ("_first",)

    def __init__(self, first: Ledger) -> None:
        super().__init__()
        self._first = first

    def count(self, what: str, number: int = 1) -> None:
        """Count messages, but for those that were spooled."""
        if what != "spooled":
            self._first.count(what, number)

    def delivered(self, destination: str, number: int) -> None:
        """Count messages that a destination took."""
        self._first.delivered(destination, number)

    def dead(self, reason: str, number: int) -> None:
        """Count messages that will never be delivered."""
        self._first.dead(reason, number)
