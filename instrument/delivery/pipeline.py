"""From the caller to the destinations: what is accepted is committed, sent, and counted."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Literal, Protocol

from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.dispatch import Dispatch
from instrument.delivery.exits import at_exit, not_at_exit
from instrument.errors import Reason, Refusal
from instrument.forks import ForkSafe, at_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope, Parts
    from instrument.delivery.fates import OnDrop
    from instrument.delivery.ledger import Ledger
    from instrument.messages import Message, SegmentTrack

Durability = Literal["memory", "batched", "sync"]


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
        ...

    def flush(self, timeout: float) -> bool:
        """Wait until what was put is settled; answer whether it was, within a time in seconds."""
        ...

    def close(self, timeout: float) -> bool:
        """Flush and stop; answer whether everything was settled, within a time in seconds."""
        ...

    @property
    def take(self) -> Callable[[Parts], None] | None:
        """What `put` does, with an envelope alone, or its parts; `None` where every message must be seen."""
        ...

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        ...

    @property
    def queued(self) -> int:
        """How many envelopes wait."""
        ...

    @property
    def lag(self) -> float:
        """How long the oldest of them has waited, in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How a pipeline works.

    Attributes:
        destinations: where envelopes go.
        durability: what the death of the process may lose: `memory`, everything that waits; `batched`, what is
            younger than a few milliseconds; `sync`, nothing.
        directory: where the spools lie; of this source only.
        fsync: whether a commit survives a loss of power.
        max_bytes: how much may wait, in bytes of bodies.
        on_drop: called with each envelope that will never be delivered, and the reason.
        flush_timeout: seconds that the exit of the process waits for what is not delivered.
    """

    destinations: Sequence[Destination]
    durability: Durability
    directory: Path
    fsync: bool = False
    max_bytes: int = 256 << 20
    on_drop: OnDrop | None = None
    flush_timeout: float = 5.0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the destinations."""
        return tuple(each.name for each in self.destinations)


class Pipeline(ForkSafe):
    """Takes envelopes over, and brings them to every destination.

    Nothing runs before the first envelope. A forked child begins anew at its own first envelope, with a spool of
    its own; what waited at the fork is the parent's.

    Args:
        plan: how.
        ledger: where the fate of every envelope is counted.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._letters = DeadLetters(plan.directory)
        self._closed = False
        self._begin()
        at_fork(self)

    def _begin(self) -> None:
        self._dispatch: Dispatch | None = None
        self._starting = threading.RLock()
        # Once there is an intake, it is asked without a detour.
        self.take: Callable[[Parts], None] = self._take_first

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        return 0 if self._dispatch is None else self._dispatch.intake.accepted

    @property
    def queued(self) -> int:
        """How many envelopes wait, for the destination that has most of them."""
        return 0 if self._dispatch is None else self._dispatch.queued

    @property
    def lag(self) -> float:
        """How long the oldest envelope that waits has waited, in seconds."""
        return 0.0 if self._dispatch is None else self._dispatch.lag()

    def put(self, envelope: Envelope, message: Message | SegmentTrack | None = None) -> None:  # noqa: ARG002
        """Take an envelope over; of what it was made is of no interest here.

        Raises:
            Refusal: the client is closed, the bound is reached, or the spool cannot be written.
        """
        self.take(envelope)

    def flush(self, timeout: float) -> bool:
        """Wait until what is accepted is delivered or dead; answer whether it was, within a time in seconds."""
        return self._dispatch is None or self._dispatch.flush(monotonic() + timeout)

    def close(self, timeout: float) -> bool:
        """Flush and stop; what is not delivered within a time in seconds stays in the spool; answer whether all was."""
        with self._starting:
            self._closed = True
            dispatch = self._dispatch
        if dispatch is None:
            return True
        closed = dispatch.close(monotonic() + timeout)
        if dispatch.closed:
            not_at_exit(self._exit)
        return closed

    def after_fork_in_child(self) -> None:
        """Forget what is the parent's."""
        if self._dispatch is not None:
            self._dispatch.abandon_after_fork()
        for destination in self._plan.destinations:
            with suppress(Exception):
                destination.forget_connections()
        self._begin()

    def _start(self) -> Dispatch:
        with self._starting:
            if self._dispatch is None:
                if self._closed:
                    raise Refusal(Reason.CLOSED, "the client is closed")
                dispatch = Dispatch(self._plan, self._ledger, self._letters)
                if self._dispatch is None:  # or a signal handler was faster
                    self._dispatch = dispatch
                    self.take = dispatch.intake.put
                    at_exit(self._exit)
                    dispatch.start()
                else:
                    dispatch.close(monotonic())
            return self._dispatch

    def _take_first(self, envelope: Parts) -> None:
        self._start().intake.put(envelope)

    def _exit(self) -> None:
        self.close(self._plan.flush_timeout)
