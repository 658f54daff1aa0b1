"""From the intake to the lanes: what is accepted goes to every destination, and its fate is told."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from instrument.delivery import ownership
from instrument.delivery.adoption import Adoption
from instrument.delivery.bell import Bell
from instrument.delivery.fates import Fates
from instrument.delivery.intake import LATE, Intake
from instrument.delivery.lane import Lane
from instrument.delivery.places import is_network_file_system
from instrument.delivery.progress import Progress
from instrument.delivery.reader import Reader
from instrument.delivery.spool import Spool, SpoolClosed, SpoolDamaged, SpoolError

if TYPE_CHECKING:
    from pathlib import Path

    from instrument.delivery.dead_letters import DeadLetters
    from instrument.delivery.ledger import Ledger
    from instrument.delivery.pipeline import Plan
    from instrument.delivery.stretch import Stretch

log: Final = logging.getLogger("instrument")

_A_MOMENT = 0.05
"""Seconds that a lane has at least to notice that it shall end."""


class Dispatch:
    """What a pipeline has from its first envelope on: a spool, an intake, and a lane for each destination.

    Args:
        plan: how it works.
        ledger: where the fate of every envelope is counted.
        letters: where the dead ones are kept.
    """

    def __init__(self, plan: Plan, ledger: Ledger, letters: DeadLetters) -> None:
        self._plan = plan
        self._fates = Fates(ledger, letters, plan.on_drop)
        self.spool = _opened_spool(plan)
        readers = [Reader(name, self.spool) for name in plan.names]
        self.lanes: list[Lane] = [Lane(each, own, self) for each, own in zip(plan.destinations, readers, strict=True)]
        self.progress: Progress = Progress(readers)
        self.intake: Intake = Intake(
            self.spool,
            self,
            each=plan.durability == "sync",
            max_bytes=plan.max_bytes,
            late=inf if plan.fsync else LATE,
        )
        self._adoption = None if self.spool is None else Adoption(plan.directory, plan.names, self, fsync=plan.fsync)
        self._lock = threading.RLock()
        self._running = {id(lane) for lane in self.lanes}
        self._closing: int | None = None
        self.closed: bool = False
        """Whether closing has come to its end."""
        self._end = Bell()
        self._flushed = False
        self._files_closed = False

    def start(self) -> None:
        """Start the threads; all of them now, since none can be started while the process exits."""
        self.intake.start()
        for lane in self.lanes:
            lane.start()
        if self._adoption is not None:
            self._adoption.start()

    @property
    def queued(self) -> int:
        """How many envelopes wait, for the destination that has most of them."""
        own = self.intake.accepted - self.progress.settled
        return own + max(sum(each.waiting for each in lane.adopted) for lane in self.lanes)

    def lag(self) -> float:
        """How long the oldest envelope that waits has waited, in seconds."""
        oldest = [reader.oldest() for lane in self.lanes for reader in (*lane.adopted, lane.own)]
        return max((time() - at for at in oldest if at is not None), default=0.0)

    def flush(self, deadline: float) -> bool:
        """Wait until what is accepted is settled; answer whether it was, by a time of `time.monotonic`.

        A signal handler that is inside of a commit does not wait for what cannot go on before it returns.
        """
        if not self.intake.commit():
            return False
        for lane in self.lanes:
            lane.hurry()
        return self.progress.wait(self.intake.last, deadline)

    def close(self, deadline: float) -> bool:
        """Flush and stop; answer whether everything was settled, by a time of `time.monotonic`.

        A signal handler that is inside of a commit only ends the accepting, and leaves the rest to the next close.
        """
        if self._closing is None and not self.intake.close():
            return False
        with self._lock:
            closing, self._closing = self._closing, self._closing or threading.get_ident()
        if closing is not None:
            if closing != threading.get_ident():
                self._end.wait(deadline - monotonic())
            return self._flushed
        try:
            self._flushed = self.flush(deadline)
            self._stop(deadline)
            self._flushed = self._flushed or self.progress.settled >= self.intake.last
        finally:
            self.closed = True
            self._end.ring()
        self._close_files()
        return self._flushed

    def abandon_after_fork(self) -> None:
        """Let go, in a forked child, of what is its parent's."""
        adopted = () if self._adoption is None else self._adoption.spools
        for spool in (self.spool, *adopted):
            if spool is not None:
                spool.abandon_after_fork()

    # What the intake tells.

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        """Offer envelopes to every lane."""
        self.progress.offered(stretch)
        for lane in self.lanes:
            lane.offer(stretch, committed=committed)

    def spooled(self, number: int) -> None:
        """Count what was committed."""
        self._fates.spooled(number)

    def spool_failed(self, error: SpoolError) -> None:
        """Say that the spool cannot be written."""
        self._fates.spool_failed(error)

    def replace(self, damaged: Spool) -> Spool | None:
        """Go on in a new spool with what is in memory; the rest is saved from the old one as from any damaged file."""
        try:
            spool = Spool.create(self._plan.directory, self._plan.names, fsync=self._plan.fsync)
        except SpoolError as error:
            self._fates.spool_failed(error)
            return None
        try:
            spool.expect_gaps()
            for kept in self.progress.in_memory():
                spool.append(kept)
            spool.set_cursors({lane.own.destination: lane.own.cursor for lane in self.lanes})
        except SpoolError as error:
            spool.close(remove=True)
            self._fates.spool_failed(error)
            return None
        self.spool = spool
        for lane in self.lanes:
            lane.own.move_to(spool)
        damaged.close(remove=False)
        self.progress.count_anew()
        if self._adoption is not None:
            self._adoption.hurry()
        return spool

    # What the lanes tell.

    def delivered(self, lane: Lane, reader: Reader, stretch: Stretch) -> None:
        """Count envelopes as delivered."""
        self._fates.delivered(lane.destination.name, self._settle(lane, reader, stretch))
        self._told(lane, reader)

    def died(self, lane: Lane, reader: Reader, stretch: Stretch, reason: str) -> None:
        """Keep an envelope that a destination will never take."""
        if reader is not lane.own or self.progress.untold(stretch):
            self._fates.died(lane.destination.name, stretch.envelopes[0], reason)
        self._settle(lane, reader, stretch)
        self._told(lane, reader)

    def failed(self, lane: Lane, error: BaseException, attempt: int) -> None:
        """Say that an attempt failed."""
        self._fates.failed(lane.destination.name, error, attempt)

    def unreadable(self, lane: Lane, reader: Reader, error: SpoolError) -> bool:
        """Go on without a spool that cannot be read; answer whether that could be arranged."""
        spool = reader.spool
        if isinstance(error, SpoolClosed):
            return True  # given back, or replaced, by another lane
        if reader is lane.own:
            self._fates.spool_unreadable(error)
            return spool is not None and isinstance(error, SpoolDamaged) and self.intake.replace(spool)
        if self._adoption is not None and spool is not None:
            self._adoption.give_back(spool)
        return True

    def exhausted(self, lane: Lane, reader: Reader) -> None:
        """Take note that a spool has nothing more for a destination."""
        if reader is lane.own:
            self.progress.told(reader)
            return
        lane.give_back(reader)
        if self._adoption is not None and reader.spool is not None:
            self._adoption.finished(reader.destination, reader.spool)

    def ended(self, lane: Lane) -> None:
        """Close the files after the last lane, which may be later than the client was closed."""
        with suppress(Exception):
            lane.destination.close()
        with self._lock:
            self._running.discard(id(lane))
        self._close_files()

    # What the adoption tells.

    def inherit(self, spool: Spool) -> None:
        """Send what a dead process left."""
        for lane in self.lanes:
            reader = Reader(lane.destination.name, spool)
            with suppress(SpoolError):
                reader.waiting = spool.backlog(reader.cursor).messages
            lane.adopt(reader)

    def renounce(self, spool: Spool) -> None:
        """Send nothing more of a spool."""
        for lane in self.lanes:
            for reader in lane.adopted:
                if reader.spool is spool:
                    lane.give_back(reader)

    def lost(self, number: int) -> None:
        """Count what could not be saved of a damaged spool."""
        self._fates.lost(number)

    def _settle(self, lane: Lane, reader: Reader, stretch: Stretch) -> int:
        """Move a reader on; answer how many of the envelopes were not given up before."""
        if reader is not lane.own:
            reader.done(stretch.last)
            reader.waiting -= len(stretch.envelopes)
            return len(stretch.envelopes)
        untold = self.progress.made(reader, stretch)
        self.intake.settled(self.progress.settled_bytes)
        return untold

    def _told(self, lane: Lane, reader: Reader) -> None:
        if reader is lane.own:
            self.progress.told(reader)

    def _stop(self, deadline: float) -> None:
        """End the lanes, and tell of what nobody will deliver."""
        if self._adoption is not None:
            self._adoption.stop()
        for lane in self.lanes:
            lane.stop()
        for lane in self.lanes:
            # One that hangs is given a moment; when the process exits, Python ends it.
            lane.join(max(deadline, monotonic() + _A_MOMENT))
        self.intake.commit()
        nowhere_else = self.progress.in_memory() if self.spool is None else self.intake.uncommitted
        self._fates.left_behind(self.progress.give_up(nowhere_else))
        self._fates.keep_letters()

    def _close_files(self) -> None:
        with self._lock:
            if self._running or self._files_closed or not self.closed:
                return
            self._files_closed = True
        if self.spool is not None:
            self.spool.close(remove=self.progress.settled >= self.intake.last)
        if self._adoption is not None:
            self._adoption.give_all_back()


def _opened_spool(plan: Plan) -> Spool | None:
    if plan.durability == "memory":
        return None
    why = _why_no_spool(plan.directory)
    if why is None:
        try:
            return Spool.create(plan.directory, plan.names, fsync=plan.fsync)
        except SpoolError as error:
            why = str(error)
    log.warning("Messages are kept in memory only, and lost if the process is killed: %s.", why)
    return None


def _why_no_spool(directory: Path) -> str | None:
    if not ownership.available():
        return "this system has no flock"
    if is_network_file_system(directory):
        return f"{directory} is on a network file system, where locks cannot be relied on"
    return None
