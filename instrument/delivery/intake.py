"""From the caller to the spool: a buffer, and commits that many messages share."""

from __future__ import annotations

import threading
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, Protocol

from instrument.delivery.bell import Bell
from instrument.delivery.spool import SpoolDamaged, SpoolError
from instrument.delivery.stretch import Envelopes, Stretch, joined
from instrument.errors import Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Parts
    from instrument.delivery.spool import Spool

_COMMIT_EVERY = 0.0025
"""Seconds that a commit waits for more messages after its first one."""
LATE: Final = _COMMIT_EVERY
"""Seconds after which a caller commits what the thread did not: callers who never pause leave it no turn."""
_CALLS_BETWEEN_LOOKS = 0b111
"""One call of eight looks at the clock: callers who are late call often."""
_AT_MOST = 0.005
"""Seconds that a caller waits for a commit that is under way, which has its turn meanwhile."""
_TRY_AGAIN_AFTER = 0.25
"""Seconds until a spool that could not be written is tried again."""

_NOTHING = -1
"""The bound of bytes that not even an empty envelope keeps."""


class Receiver(Protocol):
    """Who gets what was committed."""

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        """Take over envelopes, in order; `committed` tells whether the spool has them. Twice the same does no harm."""
        ...

    def spooled(self, number: int) -> None:
        """So many envelopes were committed."""
        ...

    def spool_failed(self, error: SpoolError) -> None:
        """The spool cannot be written: until it can, new messages are refused."""
        ...

    def replace(self, damaged: Spool) -> Spool | None:
        """Go on in another file; `None` where none can be had now."""
        ...


class Intake:
    """Takes envelopes over from callers, and commits them to the spool.

    A signal handler may run inside any of its methods, call others, and end them by an exception: hence locks that
    a thread may take again, and steps that can be repeated.

    Args:
        spool: where they are committed; `None` to keep them in memory.
        receiver: who gets them then.
        each: whether a caller waits for the commit (durability `sync`) instead of a few milliseconds' worth of
            envelopes sharing one (`batched`).
        max_bytes: how much may be undelivered, in bytes of bodies.
        late: seconds after which a caller commits what the thread had no turn for; `inf` where a commit waits for the
            disk, as no caller shall.
    """

    def __init__(
        self, spool: Spool | None, receiver: Receiver, *, each: bool, max_bytes: int, late: float = LATE
    ) -> None:
        self.accepted: int = 0
        self.last: int = 0
        """The place of the newest envelope that was handed on."""
        self._spool = spool
        self._receiver = receiver
        self._each = each
        self._max_bytes = max_bytes
        self._taken_bytes = 0
        self._bound = max_bytes
        self._waiting: list[Any] = []
        """Ids and bodies in turn, rather than tuples: see `Envelopes`."""
        self._uncommitted: list[Stretch] = []
        self._lost: list[bytes] = []
        self._failing = False
        self._closed = False
        self._late_after = late
        self._since = inf
        """When the next commit began to wait for messages, as it does anew after one by a caller."""
        self._lock = threading.RLock()
        self._committing = threading.RLock()
        self._in_commit = False
        self._work = Bell()
        self._hurry = Bell()
        self._thread: threading.Thread | None = None

    @property
    def uncommitted(self) -> Sequence[Stretch]:
        """What was handed on, and could not be committed."""
        return self._uncommitted

    def start(self) -> None:
        """Start the thread that commits, where one is needed; if none can be had, each caller commits."""
        if not self._each:
            thread = threading.Thread(target=self._run, name="instrument-spool", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # too many, or the process is about to exit
                self._each = True
            else:
                self._thread = thread

    def put(self, envelope: Parts) -> None:
        """Take an envelope over, or the parts of one.

        Raises:
            Refusal: the bound is reached, the spool cannot be written, or the client is closed.
        """
        body = envelope[1]
        size = len(body)
        lock = self._lock
        try:  # what `with lock` does, in half the time
            lock.acquire()
            taken = self._taken_bytes + size
            if taken > self._bound or self._failing:  # a closed intake has a bound that nothing keeps
                raise self._refusal()  # noqa: TRY301 - the lock is let go of in one place
            self._taken_bytes = taken
            self.accepted += 1
            self._waiting += envelope  # its id and its body: both or none
        except BaseException:  # refused; or a signal handler raised, perhaps while the lock was waited for
            # Without `suppress`: a second handler could raise inside of that, and leave the lock taken for good.
            try:  # noqa: SIM105
                lock.release()
            except RuntimeError:
                pass
            raise
        lock.release()
        if self._each:
            self._commit_now(body)
        elif self._work.muted():
            self._since = monotonic()
            self._work.ring()
        elif not self.accepted & _CALLS_BETWEEN_LOOKS and monotonic() - self._since > self._late_after:
            self._help()

    def settled(self, size: int) -> None:
        """Take note of how many bytes every destination has by now, since the beginning."""
        with self._lock:
            self._bound = _NOTHING if self._closed else self._max_bytes + size

    def commit(self, *, once: bool = False) -> bool:
        """Commit what waits, and hand it on; where the spool cannot be written, hand it on all the same.

        Args:
            once: whether what comes meanwhile is left to others: a caller would serve all the other callers for ever.

        Returns:
            Whether that was done: not where a signal handler calls, inside of a commit that goes on after it.
        """
        with self._committing:
            if self._in_commit:
                return False
            self._in_commit = True
            try:
                if self._uncommitted and not self._waiting:
                    self._write(self._uncommitted)
                while self._waiting:
                    self._commit_waiting()
                    if once:
                        break
                if not self._uncommitted:
                    self._failing = False  # also where it was a signal handler that raised in the last commit
            finally:
                self._in_commit = False
        return True

    def replace(self, damaged: Spool) -> bool:
        """Go on in another file; answer whether one could be had."""
        with self._committing:
            if self._spool is not damaged:
                return True  # somebody else has seen the damage first
            spool = self._receiver.replace(damaged)
            if spool is None:
                return False
            self._spool = spool
            return True

    def close(self) -> bool:
        """Take no more envelopes, and commit what waits; answer whether that was done, as `commit` does."""
        with self._lock:
            self._closed = True
            self._bound = _NOTHING
        self._hurry.ring()
        self._work.ring()
        return self.commit()

    def _help(self) -> None:
        """Commit on the caller, who must not wait for a disk that is slow, nor hear of one that fails."""
        self._since = monotonic()
        try:
            if self._committing.acquire(timeout=_AT_MOST):
                self._commit_safely(once=True)
        finally:
            # Also where a signal handler raised as soon as the lock was taken. Where it is not, this thread has it not.
            try:  # noqa: SIM105 - as in `put`
                self._committing.release()
            except RuntimeError:
                pass

    def _commit_safely(self, *, once: bool = False) -> None:
        try:
            self.commit(once=once)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the commits for good
            self._failing = True
            self._receiver.spool_failed(SpoolError(f"a commit raised {type(error).__name__}"))

    def _commit_now(self, body: bytes) -> None:
        """Commit an envelope before its caller goes on; whoever comes first commits for all who wait behind.

        Raises:
            Refusal: it could not be committed.
        """
        with self._committing:
            self.commit(once=True)
            if not any(each is body for each in self._lost):
                return
            self._lost = [each for each in self._lost if each is not body]
            with self._lock:
                self.accepted -= 1
                self._taken_bytes -= len(body)
        raise self._spool_failed()

    def _commit_waiting(self) -> None:
        """Commit what waits and hand it on; only then it does not wait any more."""
        # Without the lock, which the thread may hold that a signal handler waits in for this commit.
        waiting = self._waiting.copy()
        batch = Envelopes(waiting[::2], waiting[1::2])
        stretch = Stretch.of(self.last + 1, time(), batch)
        committed = self._spool is not None and self._write([*self._uncommitted, stretch])
        if self._each and self._spool is not None and not committed:
            self._lost += batch.bodies
        else:
            self._receiver.distribute(stretch, committed=committed)
            self.last = stretch.last
        del self._waiting[: len(waiting)]

    def _write(self, stretches: list[Stretch]) -> bool:
        """Commit envelopes if that can be; answer whether it could."""
        stretch = joined(stretches)
        try:
            self._append(stretch)
        except SpoolError as error:
            if not self._each:
                self._uncommitted, self._failing = stretches, True
            self._receiver.spool_failed(error)
            return False
        self._uncommitted, self._failing = [], False
        self._receiver.spooled(len(stretch.envelopes))
        return True

    def _append(self, stretch: Stretch) -> None:
        spool = self._spool
        assert spool is not None
        try:
            spool.append(stretch)
        except SpoolDamaged:
            if not self.replace(spool) or self._spool is None:
                raise
            self._spool.append(stretch)

    def _refusal(self) -> Refusal:
        if self._closed:
            return Refusal(Reason.CLOSED, "the client is closed")
        if self._failing:
            return self._spool_failed()
        return Refusal(Reason.QUEUE_FULL, "the queue is full (spool_max_bytes)")

    def _spool_failed(self) -> Refusal:
        return Refusal(Reason.SPOOL_FAILED, "the spool cannot be written; the log has the reason")

    def _run(self) -> None:
        while not self._closed:
            self._work.wait(_TRY_AGAIN_AFTER if self._failing else None)
            # Anew where a caller has committed meanwhile: a commit of a few messages more would take the interpreter
            # from the callers, and from who sends. So does every look, of which there are fewer from then on.
            watching = 0.0
            while (rest := self._since + _COMMIT_EVERY - monotonic()) > 0 and not self._hurry.wait(rest + watching):
                watching = _COMMIT_EVERY
            self._work.mute()
            self._commit_safely()
