"""The way of envelopes to one destination: a bounded queue and a background thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from instrument.delivery.destination import Held, Rejected, Unavailable
from instrument.delivery.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.ledger import Ledger

log = logging.getLogger("instrument")

_LINGER = 0.02
"""Seconds that the worker lets a batch grow after its first message."""


class Lane:
    """One destination, the envelopes that wait for it, and the thread that takes them there.

    The thread starts with the first envelope. Order is kept. One destination being down holds back no other,
    since each has a lane of its own.

    Args:
        destination: where the envelopes go.
        ledger: where their fate is counted.
        max_bytes: how much may wait, in bytes of bodies.
        on_drop: called with each envelope that will never be delivered, and the reason.
        backoff: how long to wait between attempts.
    """

    def __init__(
        self,
        destination: Destination,
        ledger: Ledger,
        *,
        max_bytes: int,
        on_drop: Callable[[Envelope, str], object] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.destination = destination
        self._ledger = ledger
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._backoff = backoff or Backoff()
        self._waiting: deque[Envelope] = deque()
        self._bytes = 0
        self._taken = 0
        self._settled = 0
        self._changed = threading.Condition()
        self._idle = False
        self._hurried = False
        self._stopped = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return self._taken - self._settled

    @property
    def taken(self) -> int:
        """How many envelopes were ever put."""
        return self._taken

    def put(self, envelope: Envelope) -> bool:
        """Queue an envelope; answer whether there was room."""
        with self._changed:
            size = self._bytes + len(envelope.body)
            if size > self._max_bytes:
                return False
            self._bytes = size
            self._waiting.append(envelope)
            self._taken += 1
            if self._idle:
                self._idle = False
                self._changed.notify_all()
        if self._thread is None:
            self._start()
        return True

    def flush(self, deadline: float) -> bool:
        """Wait until what is queued now is settled.

        Args:
            deadline: until when, on the clock of `time.monotonic`.

        Returns:
            Whether it was.
        """
        with self._changed:
            target = self._taken
            self._hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, max(0.0, deadline - monotonic()))

    def close(self, deadline: float) -> bool:
        """Flush, then stop the thread; what is left is given up, and counted.

        Returns:
            Whether everything was delivered or had its reason.
        """
        with self._changed:
            self._closing = True
        flushed = self.flush(deadline)
        self._stopped.set()
        with self._changed:
            self._idle = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - monotonic()))
            if self._thread.is_alive():
                return False
        self._give_up()
        self.destination.close()
        return flushed

    def _start(self) -> None:
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=f"instrument-{self.destination.name}", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = self._next_batch()
            if batch:
                self._deliver(batch)

    def _next_batch(self) -> list[Envelope]:
        with self._changed:
            while not self._waiting and not self._stopped.is_set():
                self._idle = True
                self._changed.wait()
            if not self._hurried and not self._closing:
                self._changed.wait_for(lambda: self._hurried or self._closing, _LINGER)
            self._hurried = False
            return self._cut()

    def _cut(self) -> list[Envelope]:
        limits = self.destination.limits
        batch: list[Envelope] = []
        size = 0
        while self._waiting and len(batch) < limits.count:
            size += len(self._waiting[0].body) + 1
            if batch and size > limits.size:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _deliver(self, batch: Sequence[Envelope]) -> None:
        attempt = 0
        while not self._stopped.is_set():
            try:
                self.destination.send(batch)
            except Rejected as rejected:
                self._split(batch, str(rejected))
                return
            except Exception as error:  # noqa: BLE001 - whatever a destination raises, the batch is tried again
                attempt += 1
                self._ledger.count("retried")
                self._wait(attempt, error)
            else:
                self._ledger.delivered(self.destination.name, len(batch))
                self._settle(batch)
                return
        with self._changed:
            self._waiting.extendleft(reversed(batch))

    def _split(self, batch: Sequence[Envelope], reason: str) -> None:
        if len(batch) == 1:
            self._drop(batch[0], reason)
            return
        middle = len(batch) // 2
        self._deliver(batch[:middle])
        self._deliver(batch[middle:])

    def _wait(self, attempt: int, error: Exception) -> None:
        if attempt == 1 or isinstance(error, Held):
            log.warning("%s: %s; the messages wait.", self.destination.name, _tell(error))
        asked = error.retry_after if isinstance(error, Unavailable) else None
        self._stopped.wait(self._backoff.wait(attempt) if asked is None else asked)

    def _settle(self, batch: Sequence[Envelope]) -> None:
        with self._changed:
            self._settled += len(batch)
            self._bytes -= sum(len(envelope.body) for envelope in batch)
            self._changed.notify_all()

    def _drop(self, envelope: Envelope, reason: str) -> None:
        self._ledger.dead(reason, 1)
        self._settle([envelope])
        if self._on_drop is None:
            return
        try:
            self._on_drop(envelope, reason)
        except Exception as error:  # noqa: BLE001 - whatever a hook raises stays with the hook
            log.error("on_drop raised %s", type(error).__name__)

    def _give_up(self) -> None:
        while self._waiting:
            self._drop(self._waiting.popleft(), "not delivered when the client was closed")


def _tell(error: Exception) -> str:
    return str(error) if isinstance(error, Unavailable) else f"sending raised {type(error).__name__}"
