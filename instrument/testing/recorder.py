"""Record messages instead of sending them: with or without pytest."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from instrument.client import Client, swap_default_client
from instrument.messages import Track

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instrument.delivery.envelope import Envelope
    from instrument.messages import Message, SegmentTrack
    from instrument.stamps import Stamps

M = TypeVar("M", bound="Message")


class Recorder:
    """The messages that were emitted, in order.

    Attributes:
        client: the client that records.
        envelopes: what would have been sent.

    >>> from instrument import Scope, Track, default_client
    >>> from instrument.testing import recording
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class NoteSaved(Track, UserScope):
    ...     length: int
    >>> with recording() as tracked:
    ...     _ = default_client().track(NoteSaved(user_id=7, length=3))
    >>> tracked.events == [NoteSaved(user_id=7, length=3)]
    True
    """

    def __init__(self, *, strict: bool = True, debug: bool = False, stamps: Stamps | None = None) -> None:
        self.envelopes: list[Envelope] = []
        self._messages: list[Message | SegmentTrack] = []
        self._lock = threading.Lock()
        self.client = Client(transport=self, strict=strict, debug=debug, stamps=stamps, enabled=True)

    @property
    def messages(self) -> list[Any]:
        """Every message, in the order of emission."""
        with self._lock:
            return list(self._messages)

    @property
    def events(self) -> list[Any]:
        """The tracks among them."""
        return [message for message in self.messages if isinstance(message, Track)]

    def of(self, kind: type[M]) -> list[M]:
        """Return the messages of one class, in the order of emission."""
        return [message for message in self.messages if isinstance(message, kind)]

    def one(self, kind: type[M]) -> M:
        """Return the one message of a class.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = self.of(kind)
        if len(found) == 1:
            return found[0]
        seen = ", ".join(type(message).__name__ for message in self.messages) or "nothing"
        raise AssertionError(f"expected one {kind.__name__}, but {len(found)} were emitted; recorded: {seen}")

    def clear(self) -> None:
        """Forget what was recorded."""
        with self._lock:
            self._messages.clear()
            self.envelopes.clear()

    @property
    def errors(self) -> Sequence[BaseException]:
        """What went wrong in the instrumentation of handlers that raised an exception of their own."""
        return tuple(self.client.faults.deferred)

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        return len(self.envelopes)

    @property
    def queued(self) -> int:
        """How many envelopes wait: none ever does."""
        return 0

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Record a message."""
        with self._lock:
            self.envelopes.append(envelope)
            self._messages.append(message)

    def flush(self, timeout: float) -> bool:
        """Answer at once: nothing waits."""
        del timeout
        return True

    def close(self, timeout: float) -> bool:
        """Answer at once: nothing waits."""
        return self.flush(timeout)


@contextmanager
def recording(*, strict: bool = True, debug: bool = False, stamps: Stamps | None = None) -> Iterator[Recorder]:
    """Make the default client a recording one for a `with` block.

    Args:
        strict: raise what goes wrong in the instrumentation.
        debug: put into each envelope where its fields came from.
        stamps: the clock and the ids.

    Raises:
        Exception: on leaving, in strict mode: what went wrong in the instrumentation of a handler that raised.
    """
    recorder = Recorder(strict=strict, debug=debug, stamps=stamps)
    before = swap_default_client(recorder.client)
    try:
        yield recorder
    finally:
        swap_default_client(before)
    if recorder.errors:
        raise cast("Exception", recorder.errors[0])
