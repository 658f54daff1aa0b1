"""A destination that does what a test tells it to."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from instrument import Limits, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from instrument import Envelope

PATIENCE = 20.0


class Scripted:
    """Takes every batch, unless it is told otherwise.

    Args:
        name: its name.
        limits: what one batch may hold.
    """

    remote = False

    def __init__(self, name: str = "scripted", limits: Limits | None = None) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.taken: list[Envelope] = []
        self.batches: list[tuple[str, ...]] = []
        """The ids of every batch that was sent, taken or not."""
        self.closed = 0
        self.forgot_connections = 0
        self._answers: deque[BaseException] = deque()
        self._always: BaseException | None = None
        self._poison: Callable[[Envelope], bool] = lambda _: False
        self._hangs = False
        self._let_through = 0
        self._changed = threading.Condition()

    def answer(self, *answers: BaseException) -> None:
        """Raise these, one for each of the next batches."""
        self._answers.extend(answers)

    def go_down(self, answer: BaseException) -> None:
        """Raise this for every batch, until `come_back`."""
        self._always = answer

    def come_back(self) -> None:
        self._always = None

    def reject(self, message_ids: Iterable[str]) -> None:
        """Reject every batch that holds one of these."""
        poison = frozenset(message_ids)
        self._poison = lambda envelope: envelope.message_id in poison

    def hang(self) -> None:
        """Answer no batch, until `let_go`."""
        self._hangs = True

    def let_one_go(self) -> None:
        with self._changed:
            self._let_through += 1
            self._changed.notify_all()

    def let_go(self) -> None:
        with self._changed:
            self._hangs = False
            self._changed.notify_all()

    def send(self, batch: Sequence[Envelope]) -> None:
        with self._changed:
            self.batches.append(tuple(each.message_id for each in batch))
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._let_through or not self._hangs, PATIENCE)
            self._let_through -= self._let_through > 0
        if self._answers:
            raise self._answers.popleft()
        if self._always is not None:
            raise self._always
        if any(map(self._poison, batch)):
            raise Rejected("the scripted destination does not take this")
        with self._changed:
            self.taken.extend(batch)
            self._changed.notify_all()

    def forget_connections(self) -> None:
        self.forgot_connections += 1

    def close(self) -> None:
        self.closed += 1

    @property
    def ids(self) -> list[str]:
        """The ids of what was taken, in order."""
        return [each.message_id for each in self.taken]

    def wait_for(self, number: int) -> list[str]:
        """Wait until so many envelopes were taken, and return their ids."""
        self._wait(lambda: len(self.taken) >= number)
        return self.ids

    def wait_for_batches(self, number: int) -> list[tuple[str, ...]]:
        """Wait until so many batches were sent, and return their ids."""
        self._wait(lambda: len(self.batches) >= number)
        return list(self.batches)

    def _wait(self, come: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(come, PATIENCE), f"taken: {self.ids}; batches: {self.batches}"


def ids(numbers: Iterable[int]) -> list[str]:
    """Return the ids of the envelopes that `envelopes` makes."""
    return [f"message-{number}" for number in numbers]
