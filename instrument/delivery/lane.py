"""The way of envelopes to one destination: a background thread, its retries, and what becomes of the refused ones."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from instrument.delivery.bell import Bell
from instrument.delivery.destination import Rejected, Unavailable
from instrument.delivery.retry import Backoff
from instrument.delivery.spool import SpoolError

if TYPE_CHECKING:
    from instrument.delivery.destination import Destination
    from instrument.delivery.reader import Reader
    from instrument.delivery.stretch import Stretch

_LINGER = 0.05
"""Seconds that a batch may grow after its first message."""
_AT_ONCE = 0.5
"""The share of its limits that a batch has, from which on the next one need not grow."""
_AFTER_A_STUMBLE = 0.5
"""Seconds until a spool that could not be read is tried again."""


class Owner(Protocol):
    """Whom a lane tells."""

    def delivered(self, lane: Lane, reader: Reader, stretch: Stretch) -> None:
        """A destination took envelopes, which the reader may forget now."""
        ...

    def died(self, lane: Lane, reader: Reader, stretch: Stretch, reason: str) -> None:
        """A destination will never take the one envelope of a stretch, which the reader may forget now.

        Args:
            lane: of the destination.
            reader: of the spool.
            stretch: the one envelope.
            reason: what the destination answered.
        """
        ...

    def failed(self, lane: Lane, error: BaseException, attempt: int) -> None:
        """An attempt failed, and will be repeated.

        Args:
            lane: of the destination.
            error: what it raised.
            attempt: how many have failed in a row, with this one.
        """
        ...

    def unreadable(self, lane: Lane, reader: Reader, error: SpoolError) -> bool:
        """A spool cannot be read; answer whether to go on at once."""
        ...

    def exhausted(self, lane: Lane, reader: Reader) -> None:
        """A spool has nothing more for a destination."""
        ...

    def ended(self, lane: Lane) -> None:
        """A lane that was stopped sends no more."""
        ...


class Lane:
    """One destination, how far it has come in each spool, and the thread that takes it further.

    Order is kept within a spool. One destination being down holds back no other, since each has a lane.

    Args:
        destination: where the envelopes go.
        own: the reader of the process's own spool.
        owner: who is told.
        backoff: how long to wait between attempts.
    """

    def __init__(self, destination: Destination, own: Reader, owner: Owner, backoff: Backoff | None = None) -> None:
        self.destination = destination
        self.own = own
        self.adopted: list[Reader] = []
        self.attempt: int = 0
        """How many attempts at the batch in hand have failed."""
        self._owner = owner
        self._backoff = backoff or Backoff()
        self._work = Bell()
        self._full = Bell()
        self._hurry = Bell()
        self._stopped = Bell()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._hurried_until = 0

    def start(self) -> None:
        """Start the thread; if none can be had now, `wake` tries again."""
        with self._lock:
            if self._thread is None and not self._stopped.rung:
                thread = threading.Thread(target=self._run, name=f"instrument-{self.destination.name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # too many, or the process is about to exit
                    return
                self._thread = thread

    def offer(self, stretch: Stretch, *, committed: bool) -> None:
        """Take on new envelopes: they are sent at once where they make a whole batch, else in a moment."""
        if self.own.offer(stretch, committed=committed) >= self.destination.limits.size:
            self._full.ring()
        self.wake()

    def wake(self) -> None:
        """Say that there may be something to send."""
        if self._work.muted():
            self._work.ring()
        if self._thread is None:
            self.start()

    def hurry(self) -> None:
        """Send what there is at once, also where a repetition waits for its time, unless the server asked for that."""
        self._hurried_until = self.own.offered
        self._hurry.ring()
        self._full.ring()
        self.wake()

    def adopt(self, reader: Reader) -> None:
        """Take on the spool of a process that died."""
        with self._lock:
            self.adopted = [*self.adopted, reader]
        self.wake()

    def give_back(self, reader: Reader) -> None:
        """Send nothing more of an adopted spool."""
        with self._lock:
            self.adopted = [each for each in self.adopted if each is not reader]

    def stop(self) -> None:
        """Let the thread end, after the attempt in hand."""
        with self._lock:
            self._stopped.ring()
            never_started = self._thread is None
        self._hurry.ring()
        self._full.ring()
        self._work.ring()
        if never_started:
            self._owner.ended(self)

    def join(self, deadline: float) -> None:
        """Wait until the thread has ended, or a time on the clock of `time.monotonic`."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - monotonic()))

    def _run(self) -> None:
        while not self._stopped.rung:
            self._work.wait()
            at_once = False
            while True:
                if not at_once:
                    self._gather()
                shares = self._send_next()
                if not shares:
                    break
                at_once = max(shares) >= _AT_ONCE
            self._tidy()
        self._owner.ended(self)

    def _tidy(self) -> None:
        for reader in (*self.adopted, self.own):
            reader.tidy()

    def _gather(self) -> None:
        """Let a batch grow: many small ones cost both sides, and whoever shares the interpreter, more than one."""
        if self.own.cursor >= self._hurried_until and not self.own.has_batch(self.destination.limits):
            self._full.wait(_LINGER)
        self._work.mute()
        self._full.mute()
        self._hurry.mute()

    def _send_next(self) -> list[float]:
        """Send a batch of each spool, so that none waits for another's end; return how full those were."""
        shares = [self._send_of(reader) for reader in (*self.adopted, self.own)]
        return [share for share in shares if share is not None]

    def _send_of(self, reader: Reader) -> float | None:
        """Send a batch of one spool; return which share of the limits it had, `None` if there was none."""
        if self._stopped.rung:
            return None
        try:
            batch = reader.next(self.destination.limits)
            if batch is None:
                self._owner.exhausted(self, reader)
                return None
            self._deliver(reader, batch)
        except SpoolError as error:
            if not self._owner.unreadable(self, reader, error):
                self._stopped.wait(_AFTER_A_STUMBLE)
            return 0
        except BaseException as error:  # noqa: BLE001 - the end of this thread would be the end of sending
            self._owner.failed(self, error, 1)
            self._stopped.wait(_AFTER_A_STUMBLE)
            return 0
        return batch.share_of(self.destination.limits)

    def _deliver(self, reader: Reader, batch: Stretch) -> None:
        self.attempt = 0
        while not self._stopped.rung:
            try:
                self.destination.send(batch.envelopes)
            except Rejected as rejected:  # noqa: PERF203 - each attempt may fail
                self._split(reader, batch, str(rejected))
                return
            except BaseException as error:  # noqa: BLE001 - whatever a destination raises, the batch is tried again
                self.attempt += 1
                self._owner.failed(self, error, self.attempt)
                self._pause(error)
            else:
                self.attempt = 0
                self._owner.delivered(self, reader, batch)
                return

    def _split(self, reader: Reader, batch: Stretch, reason: str) -> None:
        """Halve a batch that was rejected until the message that spoils it stands alone."""
        if len(batch.envelopes) == 1:
            self.attempt = 0
            self._owner.died(self, reader, batch, reason)
            return
        for half in batch.halves():
            if not self._stopped.rung:
                self._deliver(reader, half)

    def _pause(self, error: BaseException) -> None:
        """Wait before the next attempt: as long as the destination asked, or until it is hurried."""
        asked = error.retry_after if isinstance(error, Unavailable) else None
        if asked is not None:
            self._stopped.wait(asked)
        elif self._hurry.wait(self._backoff.wait(self.attempt)):
            self._hurry.mute()
