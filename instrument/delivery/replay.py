"""Sending dead letters again."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, cast

from pydantic_core import from_json

from instrument.delivery.attempts import GaveUp, Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.delivery.attempts import Patience
    from instrument.delivery.dead_letters import DeadLetter, DeadLetters
    from instrument.delivery.destination import Destination

DEDUPE_WINDOW = timedelta(hours=24)
"""How long Segment remembers a messageId (https://segment.com/docs/guides/duplicate-data/)."""


@dataclass(slots=True)
class Replayed:
    """What became of dead letters that were sent again.

    Attributes:
        delivered: the numbers of those that were taken, and removed.
        refused: why the others will never be taken, by their numbers.
        left: the numbers of those that were not tried to the end.
        problem: why they were not.
    """

    delivered: list[int] = field(default_factory=list[int])
    refused: dict[int, str] = field(default_factory=dict[int, str])
    left: list[int] = field(default_factory=list[int])
    problem: str | None = None


def replay(
    letters: DeadLetters,
    chosen: Sequence[DeadLetter],
    destination: Destination,
    patience: Patience,
    heard: Callable[[Replayed], object] = lambda _: None,
) -> Replayed:
    """Send letters again with the ids that they had; remove each when it was taken.

    Args:
        letters: where they lie.
        chosen: which.
        destination: where they go.
        patience: how long failures are borne.
        heard: called with what was done whenever that changes.
    """
    replayed = Replayed()
    try:
        Sending(destination, _Account(letters, replayed, heard), patience).send(chosen)
    except GaveUp as gave_up:
        settled = {*replayed.delivered, *replayed.refused}
        replayed.left = [each.id for each in chosen if each.id not in settled]
        replayed.problem = str(gave_up)
    return replayed


def beyond_dedupe_window(letter: DeadLetter, now: datetime) -> bool:
    """Whether a letter is so old that Segment may keep it beside a copy that it has."""
    return now - _first_sent(letter) > DEDUPE_WINDOW


def _first_sent(letter: DeadLetter) -> datetime:
    """Return when a letter may first have been sent: when it was given up, or when it happened, whichever is older."""
    given_up = datetime.fromtimestamp(letter.at, timezone.utc)
    try:
        message: object = from_json(letter.envelope.body)
    except ValueError:
        return given_up
    happened = cast("dict[str, object]", message).get("timestamp") if isinstance(message, dict) else None
    try:
        return min(given_up, datetime.fromisoformat(str(happened).replace("Z", "+00:00")))
    except (ValueError, TypeError):  # no time, or one without a zone
        return given_up


@dataclass(frozen=True, slots=True)
class _Account:
    letters: DeadLetters
    replayed: Replayed
    heard: Callable[[Replayed], object]

    def taken(self, items: Sequence[DeadLetter]) -> None:
        taken = [each.id for each in items]
        try:
            self.letters.remove(taken)
        except sqlite3.Error as error:
            raise GaveUp(f"what was taken cannot be removed ({type(error).__name__})") from None
        self.replayed.delivered += taken
        self.heard(self.replayed)

    def refused(self, item: DeadLetter, reason: str) -> None:
        self.replayed.refused[item.id] = reason
        self.heard(self.replayed)

    def failed(self, error: Exception, attempt: int) -> None:
        """Say nothing: whoever waits is told at the end."""
