"""From the caller to the destinations: what is accepted is committed, sent, and counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Literal, Protocol

from instrument.delivery import ownership
from instrument.delivery.adoption import Adoption
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.intake import Intake
from instrument.delivery.lane import Lane, is_held, tell
from instrument.delivery.places import is_network_file_system
from instrument.delivery.reader import Reader
from instrument.delivery.said import Said
from instrument.delivery.spool import Spool, SpoolError
from instrument.forks import at_fork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.ledger import Ledger
    from instrument.delivery.spool import Stretch
    from instrument.messages import Message, SegmentTrack

log = logging.getLogger("instrument")

Durability = Literal["memory", "batched", "sync"]
OnDrop = Callable[["Envelope", str], object]

_HOLD_BEFORE_FORK = 0.05
"""Seconds that a fork waits for a commit in hand."""
_NOT_DELIVERED = "not delivered when the client was closed"


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
    """

    destinations: Sequence[Destination]
    durability: Durability
    directory: Path
    fsync: bool = False
    max_bytes: int = 256 << 20
    on_drop: OnDrop | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the destinations."""
        return tuple(each.name for each in self.destinations)


class Pipeline:
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
        self._begin()
        at_fork(self)

    def _begin(self) -> None:
        self._running: _Running | None = None
        self._closed = False
        self._starting = threading.Lock()

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        return 0 if self._running is None else self._running.intake.accepted

    @property
    def queued(self) -> int:
        """How many envelopes wait, for the destination that has most of them."""
        running = self._running
        return 0 if running is None else running.intake.accepted - running.settled

    @property
    def lag(self) -> float:
        """How long the oldest envelope that waits has waited, in seconds."""
        return 0.0 if self._running is None else self._running.lag()

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:  # noqa: ARG002
        """Take an envelope over; of what it was made is of no interest here.

        Raises:
            Refusal: the client is closed, the bound is reached, or the spool cannot be written.
        """
        (self._running or self._start()).intake.put(envelope)

    def flush(self, timeout: float) -> bool:
        """Wait until what is accepted is delivered or dead; answer whether it was, within a time in seconds."""
        return self._running is None or self._running.flush(monotonic() + timeout)

    def close(self, timeout: float) -> bool:
        """Flush and stop; what is not delivered by then stays in the spool; answer whether everything was."""
        with self._starting:
            self._closed = True
            running = self._running
        return running is None or running.close(monotonic() + timeout)

    def before_fork(self) -> None:
        """Let no thread be inside a commit, whose locks the child would find taken."""
        if self._running is not None:
            self._running.hold(monotonic() + _HOLD_BEFORE_FORK)

    def after_fork_in_parent(self) -> None:
        """Let commits go on."""
        if self._running is not None:
            self._running.release()

    def after_fork_in_child(self) -> None:
        """Forget what is the parent's."""
        running = self._running
        if running is not None:
            running.abandon_after_fork()
        for destination in self._plan.destinations:
            destination.forget_connections()
        self._begin()

    def _start(self) -> _Running:
        with self._starting:
            if self._running is None:
                self._running = _Running(self._plan, self._ledger, self._letters, closed=self._closed)
            return self._running


class _Running:
    """What a pipeline has from its first envelope on: a spool, an intake, and a lane for each destination."""

    def __init__(self, plan: Plan, ledger: Ledger, letters: DeadLetters, *, closed: bool) -> None:
        self._plan = plan
        self._ledger = ledger
        self._letters = letters
        self._said = Said(log)
        self._settled_changed = threading.Condition()
        self._bytes_delivered = dict.fromkeys(plan.names, 0)
        self._lent: dict[Reader, set[str]] = {}
        self._closing = False
        self.settled = 0
        self.spool = None if closed else self._opened_spool()
        self.intake = Intake(self.spool, self, each=plan.durability == "sync", max_bytes=plan.max_bytes)
        self.lanes = [Lane(each, Reader(each.name, self.spool, plan.names), self) for each in plan.destinations]
        self._adoption = None if self.spool is None else Adoption(plan.directory, self._adopt, fsync=plan.fsync)
        if closed:
            self.intake.close()
        elif self._adoption is not None:
            self._adoption.start()

    def flush(self, deadline: float) -> bool:
        self.intake.commit()
        target = self.intake.last
        for lane in self.lanes:
            lane.hurry()
        with self._settled_changed:
            return self._settled_changed.wait_for(lambda: self.settled >= target, max(0.0, deadline - monotonic()))

    def close(self, deadline: float) -> bool:
        with self._settled_changed:
            again, self._closing = self._closing, True
        if again:
            return self.flush(deadline)
        self.intake.close()
        flushed = self.flush(deadline)
        if self._adoption is not None:
            self._adoption.stop()
        # A lane that hangs is given a moment to notice; at an exit, Python ends it.
        ended = [lane.stop(max(deadline, monotonic() + 0.05)) for lane in self.lanes]
        if all(ended):
            self._close_files(flushed=flushed)
            for lane in self.lanes:
                lane.destination.close()
        return flushed

    def lag(self) -> float:
        oldest = [reader.oldest() for lane in self.lanes for reader in (*lane.adopted, lane.own)]
        return max((time() - at for at in oldest if at is not None), default=0.0)

    def hold(self, deadline: float) -> None:
        self._held = self.intake.hold(deadline)
        spools = [self.spool, *(reader.spool for lane in self.lanes for reader in lane.adopted)]
        self._held_spools = [each for each in dict.fromkeys(spools) if each is not None and each.hold(deadline)]

    def release(self) -> None:
        if self._held:
            self.intake.release()
        for spool in self._held_spools:
            spool.release()

    def abandon_after_fork(self) -> None:
        spools = [self.spool, *(reader.spool for lane in self.lanes for reader in lane.adopted)]
        for spool in dict.fromkeys(spools):
            if spool is not None:
                spool.abandon_after_fork()

    # What the intake tells.

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        if committed:
            self._ledger.count("spooled", len(stretch.envelopes))
        for lane in self.lanes:
            lane.offer(stretch, committed=committed)

    def spool_failed(self, error: SpoolError) -> None:
        self._said.warn("spool", "%s. New messages are refused until it can be written.", error)

    # What the lanes tell.

    def delivered(self, lane: Lane, reader: Reader, stretch: Stretch) -> None:
        name = lane.destination.name
        self._ledger.delivered(name, len(stretch.envelopes))
        if reader is not lane.own:
            return
        with self._settled_changed:
            self._bytes_delivered[name] += stretch.size
            self.intake.settled(min(self._bytes_delivered.values()))
            self.settled = min(each.own.cursor for each in self.lanes)
            self._settled_changed.notify_all()
        self.intake.forget_delivered(self.settled)

    def died(self, lane: Lane, envelope: Envelope, reason: str) -> None:
        name = lane.destination.name
        try:
            self._letters.add(name, envelope, reason)
            kept = f"it is kept in {self._letters.path}; see `instrument dead-letters`"
        except Exception as error:  # noqa: BLE001 - a full disk must not stop what is behind this message
            kept = f"it could not be kept ({type(error).__name__})"
        self._said.warn(f"dead {name}", "%s will never take a %s message: %s; %s.", name, envelope.type, reason, kept)
        self._drop(envelope, reason)

    def failed(self, lane: Lane, error: Exception, attempt: int) -> None:
        self._ledger.count("retried")
        if attempt == 1 or is_held(error):
            self._said.warn(
                f"failed {lane.destination.name}", "%s: %s. The messages wait.", lane.destination.name, tell(error)
            )

    def exhausted(self, reader: Reader) -> None:
        with self._settled_changed:
            spool = reader.spool
            others = [
                each for lane in self.lanes for each in lane.adopted if each.spool is spool and each is not reader
            ]
        if spool is not None and not others:
            spool.close(remove=True)

    def _adopt(self, spool: Spool) -> None:
        readers = [Reader(name, spool, self._plan.names) for name in self._plan.names]
        for lane, reader in zip(self.lanes, readers, strict=True):
            lane.adopted.append(reader)
        for lane in self.lanes:
            lane.wake()

    def _drop(self, envelope: Envelope, reason: str) -> None:
        self._ledger.dead(reason, 1)
        if self._plan.on_drop is None:
            return
        try:
            self._plan.on_drop(envelope, reason)
        except Exception as error:  # noqa: BLE001 - whatever a hook raises stays with the hook
            self._said.warn("on_drop", "on_drop raised %s.", type(error).__name__)

    def _opened_spool(self) -> Spool | None:
        if self._plan.durability == "memory":
            return None
        why = _why_no_spool(self._plan.directory)
        if why is None:
            try:
                return Spool.create(self._plan.directory, fsync=self._plan.fsync)
            except SpoolError as error:
                why = str(error)
        log.warning("Messages are kept in memory only, and lost if the process is killed: %s.", why)
        return None

    def _close_files(self, *, flushed: bool) -> None:
        if self.spool is None:
            for each in self._left_in_memory():
                self._drop(each, _NOT_DELIVERED)
        else:
            self.spool.close(remove=flushed)
        for spool in {reader.spool for lane in self.lanes for reader in lane.adopted}:
            if spool is not None:
                spool.close(remove=False)

    def _left_in_memory(self) -> list[Envelope]:
        left = {
            place: envelope
            for lane in self.lanes
            for stretch in lane.own.left()
            for place, envelope in enumerate(stretch.envelopes, start=stretch.first)
        }
        return list(left.values())


def _why_no_spool(directory: Path) -> str | None:
    if not ownership.available():
        return "this system has no flock"
    if is_network_file_system(directory):
        return f"{directory} is on a network file system, where locks cannot be relied on"
    return None
