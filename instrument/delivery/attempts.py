"""Sending while somebody waits for it: again after a failure, in halves after a rejection.

A client has lanes for this, which nobody waits for; here one thread sends what it has in hand, and is told of each
envelope's fate as it is settled.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from instrument.delivery.destination import Held, Rejected, Unavailable
from instrument.delivery.retry import Backoff
from instrument.errors import InstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instrument.delivery.destination import Destination, Limits
    from instrument.delivery.envelope import Envelope


class Addressed(Protocol):
    """Whatever holds an envelope."""

    @property
    def envelope(self) -> Envelope:
        """What is to be sent."""
        ...


Item = TypeVar("Item", bound=Addressed)
Heard_contra = TypeVar("Heard_contra", bound=Addressed, contravariant=True)


class Listener(Protocol[Heard_contra]):
    """Who is told."""

    def taken(self, items: Sequence[Heard_contra]) -> None:
        """The destination took these."""
        ...

    def refused(self, item: Heard_contra, reason: str) -> None:
        """The destination will never take this one."""
        ...

    def failed(self, error: Exception, attempt: int) -> None:
        """An attempt failed, and may be repeated."""
        ...


class GaveUp(InstrumentError):
    """Sending ended before everything was settled."""


@dataclass(slots=True)
class Patience:
    """How long failures are borne.

    Attributes:
        seconds: how long nothing may be taken before it is given up; `None` for ever, also where a destination
            says that somebody has to act first.
        stopped: set when nothing more shall be begun: the batch in hand has its first attempt, and no other.
        backoff: how long to wait between attempts.
    """

    seconds: float | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    backoff: Backoff = field(default_factory=Backoff)
    _since: float = field(default_factory=monotonic)

    def renew(self) -> None:
        """Begin anew: something was taken."""
        self._since = monotonic()

    def wait(self, error: Exception, attempt: int) -> None:
        """Wait before the next attempt.

        Raises:
            GaveUp: there shall be none.
        """
        asked = error.retry_after if isinstance(error, Unavailable) else None
        pause = self.backoff.wait(attempt) if asked is None else min(max(0.0, asked), threading.TIMEOUT_MAX)
        if self.seconds is not None:
            if isinstance(error, Held):
                raise GaveUp(tell(error))
            if monotonic() + pause > self._since + self.seconds:
                raise GaveUp(f"{tell(error)}; nothing was taken for {self.seconds:g} seconds")
        if self.stopped.wait(pause):
            raise GaveUp(tell(error))


@dataclass(frozen=True, slots=True)
class Sending(Generic[Item]):
    """Sends whatever it is given to one destination, and tells what became of it.

    Attributes:
        destination: where to.
        listener: who is told.
        patience: how long failures are borne.
    """

    destination: Destination
    listener: Listener[Item]
    patience: Patience

    def send(self, items: Sequence[Item]) -> None:
        """Send, and return when each is taken or refused.

        Raises:
            GaveUp: what the listener has not heard of is not settled.
        """
        for number, batch in enumerate(cut(items, self.destination.limits)):
            if number and self.patience.stopped.is_set():
                raise GaveUp("it was stopped")
            self._send(batch)

    def _send(self, batch: Sequence[Item]) -> None:
        attempt = 0
        while True:
            try:
                self.destination.send([each.envelope for each in batch])
            except Rejected as rejected:  # noqa: PERF203 - each attempt may fail
                self._split(batch, str(rejected))
                return
            except Exception as error:  # noqa: BLE001 - whatever a destination raises, the batch is tried again
                attempt += 1
                self.listener.failed(error, attempt)
                self.patience.wait(error, attempt)
            else:
                self.patience.renew()
                self.listener.taken(batch)
                return

    def _split(self, batch: Sequence[Item], reason: str) -> None:
        """Halve a batch that was rejected until the message that spoils it stands alone."""
        if len(batch) == 1:
            self.patience.renew()
            self.listener.refused(batch[0], reason)
            return
        middle = len(batch) // 2
        self._send(batch[:middle])
        self._send(batch[middle:])


def cut(items: Sequence[Item], limits: Limits) -> Iterator[Sequence[Item]]:
    """Cut a sequence into batches, none of them larger than a destination takes."""
    begin, size = 0, 0
    for index, item in enumerate(items):
        length = len(item.envelope.body) + 1
        if index > begin and (index - begin == limits.count or size + length > limits.size):
            yield items[begin:index]
            begin, size = index, 0
        size += length
    if begin < len(items):
        yield items[begin:]


def tell(error: Exception) -> str:
    """Tell why an attempt failed, without what a stranger's error may hold of the messages."""
    return str(error) if isinstance(error, Unavailable) else f"sending raised {type(error).__name__}"
