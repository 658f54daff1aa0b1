"""An intake goes on after a commit that was ended from outside, as a signal handler that raises does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from instrument.delivery.intake import Intake
from instrument.errors import Reason, Refusal
from tests.delivery.envelopes import envelope

if TYPE_CHECKING:
    from instrument.delivery.spool import Spool, SpoolError
    from instrument.delivery.stretch import Stretch


class InterruptionError(Exception):
    """What the handler raises."""


class Interrupted:
    """A receiver in whose first turn a signal handler raises."""

    def __init__(self) -> None:
        self.turns = 0
        self.places: list[int] = []
        self.failures: list[str] = []

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        self.turns += 1
        if self.turns == 1:
            raise InterruptionError
        self.places += range(stretch.first, stretch.last + 1)

    def spooled(self, number: int) -> None:
        raise AssertionError(number)

    def spool_failed(self, error: SpoolError) -> None:
        self.failures.append(str(error))

    def replace(self, damaged: Spool) -> Spool | None:
        raise AssertionError(damaged)


@pytest.fixture
def receiver() -> Interrupted:
    return Interrupted()


@pytest.fixture
def intake(receiver: Interrupted) -> Intake:
    """An intake without a thread, in memory, in which every eighth caller commits."""
    return Intake(None, receiver, each=False, max_bytes=1 << 20, late=-1.0)


def test_what_is_in_memory_is_taken_again_after_a_commit_that_was_ended(intake: Intake, receiver: Interrupted) -> None:
    for number in range(8):
        intake.put(envelope(number))
    assert receiver.failures == ["a commit raised InterruptionError"]
    with pytest.raises(Refusal) as refused:
        intake.put(envelope(8))
    assert refused.value.reason is Reason.SPOOL_FAILED

    assert intake.commit()
    intake.put(envelope(8))
    assert intake.commit()
    assert receiver.places == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_refused_envelope_leaves_no_lock_taken(intake: Intake) -> None:
    assert intake.close()
    for number in range(3):
        with pytest.raises(Refusal) as refused:
            intake.put(envelope(number))
        assert refused.value.reason is Reason.CLOSED
    other = threading.Thread(target=intake.settled, args=(0,), daemon=True)
    other.start()
    other.join(20)
    assert not other.is_alive()


def test_what_is_settled_after_a_close_opens_nothing(intake: Intake, receiver: Interrupted) -> None:
    receiver.turns = 1
    intake.put(envelope(1))
    assert intake.close()
    intake.settled(1 << 20)
    with pytest.raises(Refusal) as refused:
        intake.put(envelope(2))
    assert refused.value.reason is Reason.CLOSED


class Besieged(Interrupted):
    """A receiver during whose turns other callers put more."""

    def __init__(self) -> None:
        super().__init__()
        self.intake: Intake | None = None

    def distribute(self, stretch: Stretch, *, committed: bool) -> None:
        assert self.intake is not None
        self.turns += 1
        self.places += range(stretch.first, stretch.last + 1)
        if self.turns < 100:
            self.intake.put(envelope(stretch.last + 1))


@pytest.mark.parametrize("each", [True, False])
def test_a_caller_who_commits_does_not_serve_all_others_for_ever(each: bool) -> None:
    receiver = Besieged()
    intake = receiver.intake = Intake(None, receiver, each=each, max_bytes=1 << 20, late=-1.0)
    puts = 1 if each else 8
    for number in range(puts):
        intake.put(envelope(number))
    assert receiver.places == [*range(1, puts + 1)]
    assert intake.commit()  # who closes or flushes commits all of it
    assert receiver.turns == 100
