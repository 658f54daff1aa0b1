"""From the caller to the spool: a buffer, and commits that many messages share."""

from __future__ import annotations

import threading
from time import monotonic, time
from typing import TYPE_CHECKING, Protocol

from instrument.delivery.spool import SpoolError, Stretch, joined
from instrument.errors import Reason, Refusal

if TYPE_CHECKING:
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.spool import Spool

_COMMIT_EVERY = 0.004
"""Seconds that a commit waits for more messages after its first one."""
_TRY_AGAIN_AFTER = 0.25
"""Seconds until a spool that could not be written is tried again."""


class Receiver(Protocol):
    """Who gets what was committed."""

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        """Take over envelopes, in order; `committed` tells whether the spool has them."""
        ...

    def spool_failed(self, error: SpoolError) -> None:
        """The spool cannot be written: until it can, new messages are refused."""
        ...


class Intake:
    """Takes envelopes over from callers, and commits them to the spool.

    Args:
        spool: where they are committed; `None` to keep them in memory.
        receiver: who gets them then.
        each: whether a caller waits for the commit (durability `sync`) instead of a few milliseconds' worth of
            envelopes sharing one (`batched`).
        max_bytes: how much may be undelivered, in bytes of bodies.
    """

    def __init__(self, spool: Spool | None, receiver: Receiver, *, each: bool, max_bytes: int) -> None:
        self.accepted = 0
        self._spool = spool
        self._receiver = receiver
        self._each = each
        self._max_bytes = max_bytes
        self._taken_bytes = 0
        self._settled_bytes = 0
        self._last = 0 if spool is None else spool.last
        self._waiting: list[Envelope] = []
        self._uncommitted: list[Stretch] = []
        self._waiting_bytes = 0
        self._lost: list[Envelope] = []
        self._failing = False
        self._closed = False
        self._idle = True
        self._lock = threading.Lock()
        self._committing = threading.Lock()
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def last(self) -> int:
        """The place of the newest envelope that was handed on."""
        return self._last

    @property
    def failing(self) -> bool:
        """Whether the spool could not be written at the last try."""
        return self._failing

    def put(self, envelope: Envelope) -> None:
        """Take an envelope over.

        Raises:
            Refusal: the bound is reached, the spool cannot be written, or the client is closed.
        """
        size = len(envelope.body)
        with self._lock:
            if self._closed or self._failing or self._taken_bytes + size - self._settled_bytes > self._max_bytes:
                raise self._refusal()
            self._taken_bytes += size
            self._waiting.append(envelope)
            self._waiting_bytes += size
            self.accepted += 1
            wake, self._idle = self._idle, False
        if self._each:
            self._commit_now(envelope)
        elif wake:
            self._wake()

    def settled(self, size: int) -> None:
        """Take note of how many bytes every destination has by now, since the beginning."""
        self._settled_bytes = size

    def commit(self) -> None:
        """Commit what waits, and hand it on; where the spool cannot be written, hand it on all the same."""
        with self._committing:
            stretch = self._taken()
            new = [] if stretch is None else [stretch]
            committed = self._write([*self._uncommitted, *new])
            if stretch is not None:
                self._last = stretch.last
                self._receiver.distribute(stretch, committed=committed)

    def close(self) -> None:
        """Take no more envelopes, and commit what waits."""
        with self._lock:
            self._closed = True
        self.commit()
        self._hurry.set()
        self._work.set()

    def forget_delivered(self, place: int) -> None:
        """Take note that envelopes up to a place need no commit any more."""
        if self._uncommitted:
            with self._committing:
                self._uncommitted = [each.after(place) for each in self._uncommitted if each.last > place]

    def hold(self, deadline: float) -> bool:
        """Keep everybody out, before a fork; answer whether that could be had by a time of `time.monotonic`."""
        return self._committing.acquire(timeout=max(0.0, deadline - monotonic()))

    def release(self) -> None:
        """Let everybody in again."""
        self._committing.release()

    def _commit_now(self, envelope: Envelope) -> None:
        """Commit an envelope before its caller goes on; whoever comes first commits for all who wait behind.

        Raises:
            Refusal: it could not be committed.
        """
        with self._committing:
            stretch = self._taken()
            if stretch is not None:
                self._commit_all_or_none(stretch)
            lost = [each for each in self._lost if each is envelope]
            if lost:
                self._lost = [each for each in self._lost if each is not envelope]
                self.accepted -= 1
                self._taken_bytes -= len(envelope.body)
                raise self._spool_failed()

    def _commit_all_or_none(self, stretch: Stretch) -> None:
        try:
            if self._spool is not None:
                self._spool.append(stretch)
        except SpoolError as error:
            self._lost += stretch.envelopes
            self._receiver.spool_failed(error)
        else:
            self._last = stretch.last
            self._receiver.distribute(stretch, committed=self._spool is not None)

    def _taken(self) -> Stretch | None:
        """Take what waits, and give it its place behind all that was handed on."""
        with self._lock:
            batch, self._waiting = self._waiting, []
            size, self._waiting_bytes = self._waiting_bytes, 0
        return Stretch(self._last + 1, time(), batch, size) if batch else None

    def _write(self, stretches: list[Stretch]) -> bool:
        """Commit envelopes if that can be; answer whether it could."""
        try:
            if stretches and self._spool is not None:
                self._spool.append(joined(stretches))
        except SpoolError as error:
            self._uncommitted, self._failing = stretches, True
            self._receiver.spool_failed(error)
            return False
        self._uncommitted, self._failing = [], False
        return self._spool is not None

    def _refusal(self) -> Refusal:
        if self._closed:
            return Refusal(Reason.CLOSED, "the client is closed")
        if self._failing:
            return self._spool_failed()
        return Refusal(Reason.QUEUE_FULL, "the queue is full (spool_max_bytes)")

    def _spool_failed(self) -> Refusal:
        return Refusal(Reason.SPOOL_FAILED, "the spool cannot be written; the log has the reason")

    def _wake(self) -> None:
        self._work.set()
        if self._thread is None:
            with self._lock:
                if self._thread is not None:
                    return
                self._thread = threading.Thread(target=self._run, name="instrument-spool", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            self._work.wait(_TRY_AGAIN_AFTER if self._failing else None)
            self._work.clear()
            self._hurry.wait(_COMMIT_EVERY)
            with self._lock:
                self._idle = True
            self.commit()
