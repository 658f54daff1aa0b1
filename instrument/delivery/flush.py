"""Delivering what dead processes left, while somebody waits for it."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from instrument.delivery.adoption import adopted
from instrument.delivery.attempts import GaveUp, Patience, Sending, tell
from instrument.delivery.reader import Reader
from instrument.delivery.said import Said
from instrument.delivery.spool import SpoolError, spool_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from instrument.delivery.dead_letters import DeadLetters
    from instrument.delivery.destination import Destination
    from instrument.delivery.envelope import Envelope
    from instrument.delivery.spool import Spool

log: Final = logging.getLogger("instrument")


@dataclass(slots=True)
class Flushed:
    """What became of the spools of a directory. A message counts once for each destination.

    Attributes:
        delivered: messages that a destination took.
        dead: messages that a destination never will, and that lie with the dead letters now.
        left: messages that stay in the spools.
        lost: messages of damaged spools that could not be saved.
        owned: spools that belong to a process that lives, and delivers them itself.
        others: messages that wait for destinations that were not asked for, by their names.
        problems: why a destination was given up, by its name, and why a spool was, by its file.
    """

    delivered: int = 0
    dead: int = 0
    left: int = 0
    lost: int = 0
    owned: int = 0
    others: dict[str, int] = field(default_factory=dict[str, int])
    problems: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Flush:
    """Adopts the spools without an owner, one after the other, and sends what is in them.

    One destination being down holds back no other; it is not tried again for the next spool.

    Attributes:
        directory: where the spools lie.
        destinations: where their messages go, each to all of them.
        letters: where those go that a destination refuses.
        patience: how long failures are borne, for each destination.
        fsync: as for `Spool`.
        heard: called with the counts whenever they change.
    """

    directory: Path
    destinations: Sequence[Destination]
    letters: DeadLetters
    patience: Callable[[], Patience]
    fsync: bool = False
    heard: Callable[[Flushed], object] = lambda _: None

    def run(self, flushed: Flushed | None = None) -> Flushed:
        """Send, and return when nothing is left that can be sent.

        Args:
            flushed: what became of other directories, to count on from.
        """
        flushed = flushed or Flushed()
        for path in spool_files(self.directory):
            self._take_over(path, flushed)
        return flushed

    def _take_over(self, path: Path, flushed: Flushed) -> None:
        try:
            spool, lost = adopted(path, [each.name for each in self.destinations], fsync=self.fsync)
            flushed.lost += lost
            if spool is not None:
                self._empty(spool, flushed)
            elif path.exists():
                flushed.owned += 1
        except SpoolError as error:
            flushed.problems[path.name] = str(error)

    def _empty(self, spool: Spool, flushed: Flushed) -> None:
        waiting = 0
        everything = False
        try:
            for destination in self.destinations:
                reader = Reader(destination.name, spool)
                if destination.name not in flushed.problems:
                    self._send(reader, destination, flushed)
                waiting += spool.backlog(reader.cursor).messages
            everything = waiting + self._waiting_for_others(spool, flushed) == 0
        finally:
            flushed.left += waiting
            spool.close(remove=everything)

    def _waiting_for_others(self, spool: Spool, flushed: Flushed) -> int:
        """Count what waits for destinations that are not ours: they have shared this source, and may again."""
        ours = {each.name for each in self.destinations}
        waiting = {name: spool.backlog(seq).messages for name, seq in spool.cursors.items() if name not in ours}
        for name, count in waiting.items():
            if count:
                flushed.others[name] = flushed.others.get(name, 0) + count
        return sum(waiting.values())

    def _send(self, reader: Reader, destination: Destination, flushed: Flushed) -> None:
        account = _Account(reader, destination.name, self.letters, Said(log), flushed, self.heard)
        sending = Sending(destination, account, self.patience())
        try:
            while (stretch := reader.next(destination.limits)) is not None:
                sending.send([_Placed(place, each) for place, each in enumerate(stretch.envelopes, stretch.first)])
        except GaveUp as gave_up:
            flushed.problems[destination.name] = str(gave_up)
        finally:
            reader.tidy()


@dataclass(frozen=True, slots=True)
class _Placed:
    """An envelope and its place in the spool."""

    place: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class _Account:
    """Keeps account of what one destination does with the messages of one spool."""

    reader: Reader
    destination: str
    letters: DeadLetters
    said: Said
    flushed: Flushed
    heard: Callable[[Flushed], object]

    def taken(self, items: Sequence[_Placed]) -> None:
        self.reader.done(items[-1].place)
        self.flushed.delivered += len(items)
        self.heard(self.flushed)

    def refused(self, item: _Placed, reason: str) -> None:
        try:
            self.letters.add(self.destination, item.envelope, reason)
        except (OSError, sqlite3.Error) as error:
            raise GaveUp(f"a dead letter could not be kept ({type(error).__name__})") from None
        self.reader.done(item.place)
        self.flushed.dead += 1
        self.said.warn(f"dead {reason}", "%s will never take a message: %s.", self.destination, reason)
        self.heard(self.flushed)

    def failed(self, error: Exception, attempt: int) -> None:
        if attempt == 1:
            self.said.warn("failed", "%s: %s. It is tried again.", self.destination, tell(error))
