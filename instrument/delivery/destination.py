"""What a destination is: where envelopes go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from instrument.errors import InstrumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope

NO_NETWORK = "INSTRUMENT_NO_NETWORK"
"""The environment variable by which a test run keeps every process it starts from sending."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold.

    Attributes:
        count: messages.
        size: bytes of their bodies, separators included.
    """

    count: int = 1_000
    size: int = 1 << 20


class Destination(Protocol):
    """Where envelopes go.

    `send` is called by one thread at a time. It raises `Rejected` for a batch that will never be taken,
    `Held` for one that will not be taken until somebody acts, and anything else for one to try again.
    """

    @property
    def name(self) -> str:
        """The name in counts, logs and cursors: stable, and different for each destination of a client."""
        ...

    @property
    def limits(self) -> Limits:
        """What one batch may hold."""
        ...

    @property
    def remote(self) -> bool:
        """Whether sending leaves this machine, and so never happens in a test."""
        ...

    def send(self, batch: Sequence[Envelope]) -> None:
        """Hand over a batch; returning means that it is safe there.

        Raises:
            Rejected: this batch will never be taken.
            Held: no batch will be taken until somebody acts.
            Unavailable: try again, no sooner than told.
        """
        ...

    def forget_connections(self) -> None:
        """Open no connection's second life in a forked child: begin anew with the next batch."""
        ...

    def close(self) -> None:
        """Release what is held: connections, files."""
        ...
        ...


class DeliveryError(InstrumentError):
    """A batch that was not delivered."""


class Unavailable(DeliveryError):
    """The destination cannot take the batch now.

    Attributes:
        retry_after: seconds that it asked to be left alone, or `None`.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Held(Unavailable):
    """The destination takes nothing until somebody acts: a wrong write key, say."""


class Rejected(DeliveryError):
    """The destination will never take this batch, though it may take a part of it."""


def network_blocked() -> bool:
    """Whether a test run forbids sending."""
    return bool(os.environ.get(NO_NETWORK))
