"""Dead letters: envelopes that a destination will never take, kept with its reason until somebody looks."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Final

from instrument.delivery.envelope import Envelope
from instrument.forks import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "dead-letters.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, destination TEXT NOT NULL, reason TEXT NOT NULL,
    message_id TEXT NOT NULL, body BLOB NOT NULL
)
"""
_COLUMNS = "id, at, destination, reason, message_id, body"
_BUSY_SECONDS = 5.0

log: Final = logging.getLogger("instrument")

# One for every file, and around its opening too: closing any descriptor of a file gives up all locks that this
# process has on it (fcntl(2)), those of a thread that is just writing among them.
_guard = Guard()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An envelope that was given up.

    Attributes:
        id: its number in the file.
        at: when it was given up, in seconds since 1970.
        destination: who would not take it.
        reason: what the destination said.
        envelope: what was sent.
    """

    id: int
    at: float
    destination: str
    reason: str
    envelope: Envelope


class DeadLetters:
    """The dead letters of one directory, shared by the processes that use it.

    Every call opens the file anew: letters are rare, and a connection that is kept would not survive a fork.

    Args:
        directory: where the file lies; both are made when the first letter comes.
    """

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / FILE_NAME

    def add(self, destination: str, envelope: Envelope, reason: str) -> None:
        """Keep an envelope; where the file is damaged, in a new one.

        Args:
            destination: the name of who refused it.
            envelope: what was refused.
            reason: why, without any value of the message.

        Raises:
            OSError, sqlite3.Error: it could not be written.
        """
        row = (time(), destination, reason, *envelope)
        with _guard.lock:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._insert(row)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # the others are of what cannot be done just now
                    raise
                self._set_aside()
                self._insert(row)

    def letters(self, ids: list[int] | None = None) -> list[DeadLetter]:
        """Return the letters, oldest first; with `ids`, only those.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        if not self.path.exists():
            return []
        with _guard.lock, self._opened() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM letters ORDER BY id").fetchall()  # noqa: S608 - a constant
        every = [DeadLetter(row[0], row[1], row[2], row[3], Envelope(*row[4:])) for row in rows]
        return every if ids is None else [letter for letter in every if letter.id in ids]

    def remove(self, ids: list[int]) -> int:
        """Remove letters; answer how many there were.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        if not self.path.exists():
            return 0
        with _guard.lock, self._opened() as connection:
            return sum(connection.execute("DELETE FROM letters WHERE id = ?", (each,)).rowcount for each in ids)

    def _insert(self, row: tuple[object, ...]) -> None:
        with self._opened() as connection:
            connection.execute(
                "INSERT INTO letters (at, destination, reason, message_id, body) VALUES (?,?,?,?,?)", row
            )

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.stem}-{secrets.token_hex(6)}.damaged")
        self.path.rename(aside)
        log.warning("%s is damaged. It is set aside as %s.", self.path, aside.name)

    def _opened(self) -> _Opened:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        return _Opened(self.path)


class _Opened:
    """A connection that commits and closes itself at the end of a block."""

    __slots__ = ("_connection",)

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.execute(_SCHEMA)
        except BaseException:
            self._connection.close()
            raise
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.commit()
        finally:
            self._connection.close()


def directories(root: Path) -> Iterator[Path]:
    """Name the directories below a spool directory that hold dead letters."""
    for path in sorted(root.glob(f"*/{FILE_NAME}")):
        yield path.parent
