"""The durable queue on disk: one SQLite file for each process, with a cursor for each destination.

Committed means that the death of the process loses nothing; with `fsync`, neither does a loss of power. The file
belongs to the process that holds the `flock` on the lock file beside it, never to a process id: when the process
has died, the next one that asks for the lock gets it, and the file with it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from instrument.delivery.envelope import Envelope
from instrument.delivery.ownership import Lock
from instrument.errors import InstrumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instrument.delivery.destination import Limits

_SUFFIX = ".spool"
# A row holds a few messages that follow one another, one a line (JSON has no line break of its own), and fits into a
# page: a row for each would take longer than all the rest, and a damaged page costs no more than what lies in it.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS envelopes (
    seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, at REAL NOT NULL, message_ids TEXT NOT NULL, bodies BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS cursors (destination TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""
_ROW_BYTES = 3_900
_ROWS_AT_ONCE = (32, 8, 1)
_INSERTS = {
    rows: "INSERT INTO envelopes VALUES " + ",".join(["(?,?,?,?,?)"] * rows)  # noqa: S608 - of constants
    for rows in _ROWS_AT_ONCE
}
_READ = """
SELECT seq, count, at, message_ids, bodies FROM envelopes
WHERE seq >= coalesce((SELECT max(seq) FROM envelopes WHERE seq <= :next), :next) ORDER BY seq
"""
BACKLOG = """
SELECT coalesce(sum(min(count, seq + count - 1 - :after)), 0), coalesce(sum(length(bodies)), 0), min(at)
FROM envelopes WHERE seq + count - 1 > :after
"""
_BUSY_MILLISECONDS = 30


class SpoolError(InstrumentError):
    """The spool cannot be written or read now: a full or read-only disk, a locked or damaged file."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Envelopes that follow one another in a queue.

    Attributes:
        first: the place of the first; places count up from 1 in each spool.
        at: when the first was accepted, in seconds since 1970.
        envelopes: what is sent, at least one.
        size: the bytes of their bodies.
    """

    first: int
    at: float
    envelopes: Sequence[Envelope]
    size: int

    @property
    def last(self) -> int:
        """The place of the last."""
        return self.first + len(self.envelopes) - 1

    def after(self, place: int) -> Stretch:
        """Return what follows a place."""
        return self if place < self.first else self._part(self.envelopes[place + 1 - self.first :], place + 1)

    def until(self, place: int) -> Stretch:
        """Return what comes up to a place."""
        return self if place >= self.last else self._part(self.envelopes[: place + 1 - self.first], self.first)

    def halves(self) -> tuple[Stretch, Stretch]:
        """Return two of about the same length."""
        middle = self.first + len(self.envelopes) // 2 - 1
        return self.until(middle), self.after(middle)

    def cut(self, limits: Limits) -> Stretch:
        """Return the beginning that fits into one batch, and at least one envelope."""
        count = min(len(self.envelopes), limits.count)
        if self.size + count > limits.size:
            size = 0
            for number, envelope in enumerate(self.envelopes[:count]):
                size += len(envelope.body) + 1
                if size > limits.size:
                    count = max(number, 1)
                    break
        return self.until(self.first + count - 1)

    def _part(self, envelopes: Sequence[Envelope], first: int) -> Stretch:
        return Stretch(first, self.at, envelopes, sum([len(each.body) for each in envelopes]))


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a spool.

    Attributes:
        messages: how many envelopes.
        size: the bytes of their bodies.
        oldest: when the oldest of them was accepted, in seconds since 1970; `None` where there is none.
    """

    messages: int
    size: int
    oldest: float | None


class Spool:
    """One file of the queue, owned by this process. Every method may be called from any thread.

    Args:
        path: the file.
        lock: the lock that makes it ours.
        fsync: whether a commit waits until the disk has it.

    Raises:
        SpoolError: the file cannot be opened, or is damaged.
    """

    def __init__(self, path: Path, lock: Lock, *, fsync: bool = False) -> None:
        self.path = path
        self._ownership = lock
        self._lock = threading.Lock()
        self._connection = _connect(path, fsync=fsync)
        with self._errors():
            self._cursors: dict[str, int] = dict(self._connection.execute("SELECT destination, seq FROM cursors"))
            last = self._connection.execute("SELECT max(seq + count - 1) FROM envelopes").fetchone()[0] or 0
        self.last = max([last, *self._cursors.values()])
        """The place of the newest envelope."""

    @classmethod
    def create(cls, directory: Path, *, fsync: bool = False) -> Spool:
        """Make a new file of our own in a directory.

        Raises:
            SpoolError: the directory cannot be written.
        """
        path = directory / f"{os.getpid()}-{secrets.token_hex(6)}{_SUFFIX}"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = Lock.take(_lock_path(path))
        except OSError as error:
            raise SpoolError(f"{directory} cannot be written ({error.strerror or type(error).__name__})") from None
        if lock is None:
            raise SpoolError(f"{path} belongs to another process")
        return cls._opened(path, lock, fsync=fsync)

    @classmethod
    def adopt(cls, path: Path, *, fsync: bool = False) -> Spool | None:
        """Take over a file whose process has died; `None` where its process lives, or another was faster.

        Raises:
            SpoolError: the file is ours now, but damaged; see `salvage`.
        """
        try:
            lock = Lock.take(_lock_path(path), create=False)
        except OSError:
            return None
        if lock is None:
            return None
        if not path.exists():  # delivered to its end and removed, between our look and our lock
            lock.remove()
            return None
        spool = cls._opened(path, lock, fsync=fsync)
        try:
            spool.check()
        except SpoolError:
            spool.close(remove=False)
            raise
        return spool

    @classmethod
    def _opened(cls, path: Path, lock: Lock, *, fsync: bool) -> Spool:
        try:
            return cls(path, lock, fsync=fsync)
        except BaseException:
            lock.release()
            raise

    def append(self, stretch: Stretch) -> None:
        """Commit envelopes, all or none.

        Raises:
            SpoolError: nothing was committed.
        """
        rows = list(_rows(stretch))
        with self._lock, self._errors():
            if len(rows) == 1:
                self._connection.execute(_INSERTS[1], rows[0])
            else:
                with _transaction(self._connection):
                    self._insert(rows)
            self.last = stretch.last

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        # Each statement lets other threads run, and may wait for them: few statements for many rows.
        done = 0
        for at_once in _ROWS_AT_ONCE:
            while len(rows) - done >= at_once:
                values = [value for row in rows[done : done + at_once] for value in row]
                self._connection.execute(_INSERTS[at_once], values)
                done += at_once

    def check(self) -> None:
        """Look through the file for damage.

        Raises:
            SpoolError: there is some.
        """
        with self._lock, self._errors():
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise SpoolError(f"{self.path}: damaged")

    def restore(self, cursors: dict[str, int]) -> None:
        """Set the cursors to what they were in another file.

        Raises:
            SpoolError: nothing was changed.
        """
        with self._lock, self._errors(), _transaction(self._connection):
            self._connection.executemany("REPLACE INTO cursors VALUES (?, ?)", list(cursors.items()))
        self._cursors.update(cursors)

    def hold(self, deadline: float) -> bool:
        """Keep every thread out, before a fork; answer whether that could be had by a time of `time.monotonic`."""
        return self._lock.acquire(timeout=max(0.0, deadline - monotonic()))

    def release(self) -> None:
        """Let threads in again."""
        self._lock.release()

    def cursor(self, destination: str) -> int:
        """Return the place up to which a destination has everything."""
        return self._cursors.get(destination, 0)

    def read(self, after: int, limits: Limits) -> Stretch | None:
        """Return the next envelopes behind a place, as many as fit into one batch; `None` where there are none.

        Raises:
            SpoolError: the file cannot be read.
        """
        found: list[Stretch] = []
        size = 0
        with self._lock, self._errors():
            for row in self._connection.execute(_READ, {"next": after + 1}):
                stretch = stretch_of(row)
                if stretch.last <= after:
                    continue
                if found and (stretch.first != found[-1].last + 1 or size > limits.size):
                    break
                found.append(stretch.after(after))
                size += stretch.size
        return joined(found).cut(limits) if found else None

    def advance(self, destination: str, seq: int, all_of: Sequence[str]) -> None:
        """Move a destination's cursor, and forget what every destination has.

        Args:
            destination: the one that has everything up to the place.
            seq: the place.
            all_of: every destination that the envelopes go to.

        Raises:
            SpoolError: nothing was changed; the envelopes will be sent again.
        """
        with self._lock, self._errors():
            cursors = {**self._cursors, destination: seq}
            with _transaction(self._connection):
                self._connection.execute("REPLACE INTO cursors VALUES (?, ?)", (destination, seq))
                done = min(cursors.get(each, 0) for each in all_of)
                self._connection.execute(
                    "DELETE FROM envelopes WHERE seq <= :done AND seq + count - 1 <= :done", {"done": done}
                )
            self._cursors = cursors

    def backlog(self, after: int = 0) -> Backlog:
        """Return what waits behind a place.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._lock, self._errors():
            row = self._connection.execute(BACKLOG, {"after": after}).fetchone()
        return Backlog(*row)

    def close(self, *, remove: bool) -> None:
        """Give the file up, for others to adopt, or remove it."""
        with self._lock:
            try:
                self._connection.close()
            except sqlite3.Error:
                remove = False
            if remove:
                for path in files_of(self.path):
                    path.unlink(missing_ok=True)
                self._ownership.remove()
            else:
                self._ownership.release()

    def abandon_after_fork(self) -> None:
        """Let go of the parent's file in a forked child, without touching it.

        The connection is neither closed nor collected, since SQLite would take the child for its owner; the lock's
        descriptor is closed, which leaves the parent's lock as it is.
        """
        _parents_connections.append(self._connection)
        self._ownership.abandon_after_fork()

    def _errors(self) -> _Errors:
        return _Errors(self.path)


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """Make one stretch of several that follow one another."""
    if len(stretches) == 1:
        return stretches[0]
    envelopes = [envelope for each in stretches for envelope in each.envelopes]
    return Stretch(stretches[0].first, stretches[0].at, envelopes, sum(each.size for each in stretches))


def stretch_of(row: Sequence[Any]) -> Stretch:
    """Return what a row holds."""
    first, _, at, message_ids, bodies = row
    lines = bodies.split(b"\n")
    envelopes = [Envelope(*each) for each in zip(message_ids.split("\n"), lines, strict=True)]
    return Stretch(first, at, envelopes, len(bodies) - len(lines) + 1)


def _rows(stretch: Stretch) -> Iterator[tuple[Any, ...]]:
    envelopes = stretch.envelopes
    count = max(1, _ROW_BYTES * len(envelopes) // (stretch.size + 37 * len(envelopes)))
    for start in range(0, len(envelopes), count):
        part = envelopes[start : start + count]
        ids = "\n".join([each.message_id for each in part])
        yield stretch.first + start, len(part), stretch.at, ids, b"\n".join([each.body for each in part])


_parents_connections: list[sqlite3.Connection] = []


@dataclass(frozen=True, slots=True)
class _Errors:
    """Turns the errors of SQLite into ours."""

    path: Path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise SpoolError(f"{self.path}: {error}") from error


class _transaction:  # noqa: N801 - reads as a statement
    """A transaction that is rolled back where its block raises."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def partition(root: Path, key: str) -> Path:
    """Return the directory for the messages of one source: no other source's process may adopt them."""
    return root / hashlib.sha256(key.encode()).hexdigest()[:16]


def spool_files(directory: Path) -> list[Path]:
    """Return the spools of a directory, oldest first, whoever owns them."""
    return sorted(directory.glob(f"*{_SUFFIX}"), key=_modified)


def files_of(path: Path) -> Iterator[Path]:
    """Name the files that make up a spool: the database, its log and its index."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        yield path.with_name(path.name + suffix)


def lock_of(path: Path) -> Lock | None:
    """Take the lock of a spool; `None` where another process has it.

    Raises:
        OSError: the lock file cannot be opened.
    """
    return Lock.take(_lock_path(path))


def share_lock_of(path: Path) -> Lock | None:
    """Keep others from adopting a spool while we look at it; `None` where it has an owner.

    Raises:
        OSError: there is no lock file, or it cannot be opened.
    """
    return Lock.take(_lock_path(path), create=False, shared=True)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time()


def _connect(path: Path, *, fsync: bool) -> sqlite3.Connection:
    try:
        # Made by us first, so that it is readable by its owner only from its first moment on.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MILLISECONDS / 1e3
        )
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"{path}: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if fsync else 'OFF'}")
        connection.execute("PRAGMA secure_delete=ON")
        connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise SpoolError(f"{path}: {error}") from error
    return connection
