"""The way of envelopes to one destination: a background thread, its retries, and what becomes of the refused ones."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from instrument.delivery.destination import Held, Rejected, Unavailable
from instrument.delivery.retry import Backoff
from instrument.delivery.spool import SpoolError

if TYPE_CHECKING:
    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.reader import Reader
    from instrument.delivery.spool import Stretch

_LINGER = 0.05
"""Seconds that a batch may grow after its first message."""
_AFTER_A_READ_FAILED = 0.5
"""Seconds until a spool that could not be read is tried again."""


class Owner(Protocol):
    """What a lane tells of."""

    def delivered(self, lane: Lane, reader: Reader, stretch: Stretch) -> None:
        """A destination took envelopes."""
        ...

    def died(self, lane: Lane, envelope: Envelope, reason: str) -> None:
        """A destination will never take an envelope."""
        ...

    def failed(self, lane: Lane, error: Exception, attempt: int) -> None:
        """An attempt failed, and will be repeated."""
        ...

    def exhausted(self, reader: Reader) -> None:
        """A spool that was adopted has nothing more for a destination."""
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
        self.attempt = 0
        """How many attempts at the batch in hand have failed."""
        self._owner = owner
        self._backoff = backoff or Backoff()
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, stretch: Stretch, *, committed: bool) -> None:
        """Take on new envelopes: they are sent at once where they make a whole batch, else in a moment."""
        if self.own.offer(stretch, committed=committed) >= self.destination.limits.size:
            self._hurry.set()
        self.wake()

    def wake(self) -> None:
        """Say that there may be something to send."""
        if not self._work.is_set():
            self._work.set()
        if self._thread is None and not self._stopped.is_set():
            thread = threading.Thread(target=self._run, name=f"instrument-{self.destination.name}", daemon=True)
            self._thread = thread
            thread.start()

    def hurry(self) -> None:
        """Send what there is at once."""
        self._hurry.set()
        self.wake()

    def adopt(self, reader: Reader) -> None:
        """Take on the spool of a process that died; it comes before our own, being older."""
        self.adopted.append(reader)
        self.wake()

    def stop(self, deadline: float) -> bool:
        """End the thread; answer whether it has ended by a time on the clock of `time.monotonic`."""
        self._stopped.set()
        self._work.set()
        if self._thread is None:
            return True
        self._thread.join(max(0.0, deadline - monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._work.wait()
            self._hurry.wait(_LINGER)
            self._work.clear()
            self._hurry.clear()
            while not self._stopped.is_set() and self._send_next():
                pass

    def _send_next(self) -> bool:
        """Send one batch; answer whether there was one."""
        for reader in [*self.adopted, self.own]:
            try:
                batch = reader.next(self.destination.limits)
            except SpoolError as error:
                self._owner.failed(self, error, 1)
                self._stopped.wait(_AFTER_A_READ_FAILED)
                return True
            if batch is not None:
                self._deliver(reader, batch)
                return True
            if reader is not self.own:
                self.adopted.remove(reader)
                self._owner.exhausted(reader)
        return False

    def _deliver(self, reader: Reader, batch: Stretch) -> None:
        self.attempt = 0
        while not self._stopped.is_set():
            try:
                self.destination.send(batch.envelopes)
            except Rejected as rejected:  # noqa: PERF203 - each attempt may fail
                self._split(reader, batch, str(rejected))
                return
            except Exception as error:  # noqa: BLE001 - whatever a destination raises, the batch is tried again
                self.attempt += 1
                self._owner.failed(self, error, self.attempt)
                asked = error.retry_after if isinstance(error, Unavailable) else None
                self._stopped.wait(self._backoff.wait(self.attempt) if asked is None else asked)
            else:
                self.attempt = 0
                self._settle(reader, batch)
                return

    def _split(self, reader: Reader, batch: Stretch, reason: str) -> None:
        """Halve a batch that was rejected until the message that spoils it stands alone."""
        if len(batch.envelopes) == 1:
            self._owner.died(self, batch.envelopes[0], reason)
            self._settle(reader, batch)
            return
        for half in batch.halves():
            if not self._stopped.is_set():
                self._deliver(reader, half)

    def _settle(self, reader: Reader, batch: Stretch) -> None:
        reader.done(batch.last)
        self._owner.delivered(self, reader, batch)


def tell(error: Exception) -> str:
    """Tell why an attempt failed, without what a stranger's error may hold of the messages."""
    return str(error) if isinstance(error, (Unavailable, SpoolError)) else f"sending raised {type(error).__name__}"


def is_held(error: Exception) -> bool:
    """Whether nothing will be sent until somebody acts."""
    return isinstance(error, Held)
