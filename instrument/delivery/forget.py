"""Removing a user's messages from what lies on this machine, while other processes go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from instrument.delivery.dead_letters import FILE_NAME, DeadLetters
from instrument.delivery.spool import database_and_log, lock_of, rows_of, spool_files, stretch_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from instrument.delivery.envelope import Envelope
    from instrument.delivery.stretch import Stretch

Doomed = Callable[["Envelope"], bool]

_KEYS = ("userId", "anonymousId", "previousId")
_BUSY_SECONDS = 5.0
_READ = "SELECT seq, count, at, message_ids, bodies, seal FROM envelopes WHERE seq = ?"
_INSERT = "INSERT INTO envelopes VALUES (?,?,?,?,?,?)"


@dataclass(slots=True)
class Forgotten:
    """What became of a user's messages.

    Attributes:
        spooled: messages that were removed from spools.
        letters: messages that were removed from the dead letters.
        living: spools of processes that live, which may have messages in memory, and deliver those.
        out_of_reach: what could not be looked through, by its file: why.
    """

    spooled: int = 0
    letters: int = 0
    living: list[str] = field(default_factory=list[str])
    out_of_reach: dict[str, str] = field(default_factory=dict[str, str])


def forget(root: Path, ids: Collection[str]) -> Forgotten:
    """Remove every message of a user from the spools and dead letters of every source.

    Args:
        root: the spool directory.
        ids: what the user is called: the id as it is sent, its hash.
    """
    forgotten = Forgotten()
    doomed = _of_user(ids)
    for directory in sorted(root.glob("*/")):
        for path in spool_files(directory):
            _forget_in_spool(path, doomed, forgotten)
        _forget_in_letters(directory, doomed, forgotten)
        for path in sorted(directory.glob("*.damaged")):
            forgotten.out_of_reach[str(path)] = "it is damaged, and was set aside; remove it yourself"
    return forgotten


def _of_user(ids: Collection[str]) -> Doomed:
    needles = [to_json(each) for each in ids]

    def is_of_user(envelope: Envelope) -> bool:
        if not any(needle in envelope.body for needle in needles):
            return False
        message: Any = from_json(envelope.body)
        return any(message.get(key) in ids for key in _KEYS)

    return is_of_user


def _forget_in_spool(path: Path, doomed: Doomed, forgotten: Forgotten) -> None:
    # With the lock, nobody adopts it meanwhile. Without it, its owner lives, and SQLite keeps the two apart.
    lock = lock_of(path)
    try:
        if path.exists():
            forgotten.spooled += _removed(path, doomed)
            if lock is None:
                forgotten.living.append(str(path))
    except (sqlite3.Error, ValueError) as error:
        if path.exists():  # else its owner has delivered it to its end
            forgotten.out_of_reach[str(path)] = str(error)
    finally:
        if lock is not None:
            lock.release()


def _removed(path: Path, doomed: Doomed) -> int:
    """Remove messages from a spool, leaving gaps; answer how many there were."""
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA secure_delete=ON")
        count = 0
        # Each row for itself: the owner waits for no more than a moment.
        for place in connection.execute("SELECT seq FROM envelopes ORDER BY seq").fetchall():
            row = connection.execute(_READ, place).fetchone()
            if row is not None:  # else its owner has delivered it by now
                count += _removed_from_row(connection, row, doomed)
        if count:
            _empty_log(connection, path)
    return count


def _removed_from_row(connection: sqlite3.Connection, row: tuple[Any, ...], doomed: Doomed) -> int:
    stretch = stretch_of(row)
    if stretch is None:
        raise ValueError("a part of it is damaged")
    gone = [place for place, each in enumerate(stretch.envelopes, stretch.first) if doomed(each)]
    if not gone:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("DELETE FROM envelopes WHERE seq = ?", (stretch.first,)).rowcount:
            connection.execute("PRAGMA user_version=1")  # places are missing, which is no damage
            for kept in _between(stretch, gone):
                connection.executemany(_INSERT, rows_of(kept))
        else:
            gone = []
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return len(gone)


def _between(stretch: Stretch, gone: Sequence[int]) -> Iterator[Stretch]:
    """Yield what lies between places."""
    first = stretch.first
    for place in (*gone, stretch.last + 1):
        if place > first:
            yield stretch.after(first - 1).until(place - 1)
        first = place + 1


def _empty_log(connection: sqlite3.Connection, path: Path) -> None:
    """Write the log into the database and cut it off, since it holds what was removed.

    Raises:
        ValueError: a process uses the file, so that the log stays.
    """
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    _, log = database_and_log(path)
    if busy or (log.exists() and log.stat().st_size):
        raise ValueError("removed, though its log could not be cut off, since a process uses it; run this again")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _forget_in_letters(directory: Path, doomed: Doomed, forgotten: Forgotten) -> None:
    letters = DeadLetters(directory)
    try:
        gone = [each.id for each in letters.letters() if doomed(each.envelope)]
        forgotten.letters += letters.remove(gone)
    except (sqlite3.Error, ValueError) as error:
        forgotten.out_of_reach[str(directory / FILE_NAME)] = str(error)
