"""A destination that keeps what it gets: for tests, and to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from instrument.delivery.destination import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope


class MemoryDestination:
    """Keep every envelope in a list.

    >>> from instrument import Client, Scope, Track
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class ReportOpened(Track, UserScope):
    ...     pages: int
    >>> memory = MemoryDestination()
    >>> client = Client(destinations=[memory])
    >>> client.track(ReportOpened(user_id=7, pages=3)).error is None
    True
    >>> client.close()
    True
    >>> [message["event"] for message in memory.messages]
    ['Report Opened']
    """

    remote = False

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.limits: Limits = Limits()
        self.envelopes: list[Envelope] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The envelopes as they would be received."""
        return [from_json(envelope.body) for envelope in self.envelopes]

    def send(self, batch: Sequence[Envelope]) -> None:
        """Keep a batch."""
        self.envelopes.extend(batch)

    def forget_connections(self) -> None:
        """Do nothing: there are none."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
