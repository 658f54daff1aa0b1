"""The durable queue on disk: one SQLite file for each process, with a cursor for each destination.

Committed means that the death of the process loses nothing; with `fsync`, neither does a loss of power. The file
belongs to the process that holds the `flock` on the lock file beside it, never to a process id: when the process
has died, the next one that asks for the lock gets it, and the file with it.

Every row carries a checksum, since SQLite has none: a damaged file is known for what it is (see `salvage`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import zlib
from contextlib import suppress
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

from instrument.delivery.destination import Limits
from instrument.delivery.ownership import Lock
from instrument.delivery.pages import PAGE_SIZE, are_sound, let_others_run
from instrument.delivery.stretch import Envelopes, Stretch, joined
from instrument.errors import InstrumentError
from instrument.forks import Guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_SUFFIX = ".spool"  # of this format; another one will have another suffix
# A row holds a few messages that follow one another, one a line (JSON has no line break of its own), and fits into a
# page: a row for each would take longer than all the rest, and a damaged page costs no more than what lies in it.
_SCHEMA = (
    "CREATE TABLE cursors (destination TEXT PRIMARY KEY, seq INTEGER NOT NULL, seal INTEGER NOT NULL)",
    """CREATE TABLE envelopes (
    seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, at REAL NOT NULL, message_ids TEXT NOT NULL, bodies BLOB NOT NULL,
    seal INTEGER NOT NULL
)""",
)
_ROW_BYTES, _MOST_ROW_BYTES = 15_900, 16_250
_ROWS_AT_ONCE = 32
_INSERTS = [
    "INSERT INTO envelopes VALUES " + ",".join(["(?,?,?,?,?,?)"] * rows)  # noqa: S608 - of constants
    for rows in range(_ROWS_AT_ONCE + 1)
]
"""By the number of rows."""
_READ = """
SELECT seq, count, at, message_ids, bodies, seal FROM envelopes
WHERE seq >= coalesce((SELECT max(seq) FROM envelopes WHERE seq <= :next), :next) ORDER BY seq
"""
BACKLOG = """
SELECT coalesce(sum(min(count, seq + count - 1 - :after)), 0), coalesce(sum(length(bodies)), 0), min(at)
FROM envelopes WHERE seq + count - 1 > :after
"""
_SET_CURSOR = (
    "INSERT INTO cursors (destination, seq, seal) VALUES (?, ?, ?)"
    " ON CONFLICT (destination) DO UPDATE SET seq = excluded.seq, seal = excluded.seal"
)
_TIDY = """
DELETE FROM envelopes WHERE seq IN (
    SELECT seq FROM envelopes WHERE seq <= :done AND seq + count - 1 <= :done ORDER BY seq LIMIT :most
)
"""
_TIDIED_AT_ONCE = 64
"""Rows, of a page each, that are overwritten while nothing can be committed."""
_SEALED_AT_ONCE = 5 << 10
"""Bytes from which on zlib lets other threads run, and who seals a commit's rows would wait for them at each."""
LAST_PLACE = 1 << 53
"""A place that no spool reaches, from which on SQLite and Python do not count alike."""
_BUSY_MILLISECONDS = 30
_CACHE_KIBIBYTES = 512
"""Room for the pages that a commit touches; what is read back is read once."""
_CHECKED_AT_ONCE = Limits(count=100, size=4 << 20)
"""What is looked through without a break, in which the process can fork."""
_CHECKED_WHOLE = 500
"""Pages of a file whose whole structure is looked through, without a break."""


class SpoolError(InstrumentError):
    """The spool cannot be written or read now: a full or read-only disk, a locked file."""


class SpoolDamaged(SpoolError):
    """The file holds something else than what was written."""


class SpoolClosed(SpoolError):
    """The file was given up."""


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
        destinations: the names of those that its envelopes go to, besides any that the file knows already.
        fsync: whether a commit waits until the disk has it.

    Raises:
        SpoolDamaged: the file is none of ours.
        SpoolError: the file cannot be opened.
    """

    def __init__(self, path: Path, lock: Lock, destinations: Iterable[str], *, fsync: bool = False) -> None:
        self.path = path
        self._ownership = lock
        self._guard = Guard()
        self._appending = False
        self._tidied = 0
        self._errors = _Errors(path, reading=False)
        self._reading_errors = _Errors(path, reading=True)
        with self._guard.lock:
            self._connection = _connect(path, fsync=fsync)
            try:
                with self._errors:
                    self._cursors = self._prepared(destinations)
                    newest = self._connection.execute("SELECT max(seq + count - 1) FROM envelopes").fetchone()[0] or 0
                self.last: int = self._checked_place(max([newest, *self._cursors.values()]))
                """The place of the newest envelope."""
            except BaseException:
                self._connection.close()
                raise

    @classmethod
    def create(cls, directory: Path, destinations: Iterable[str], *, fsync: bool = False) -> Spool:
        """Make a new file of our own in a directory.

        Args:
            directory: where; it is made where there is none, for its user only.
            destinations: their names; each has a cursor of its own.
            fsync: whether each commit also survives a loss of power.

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
        try:
            # Made by us first, so that it is readable by its owner only from its first moment on.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            spool = cls(path, lock, destinations, fsync=fsync)
        except (OSError, SpoolError) as error:
            _remove(path, lock)
            raise SpoolError(f"{directory} cannot be written ({_cause(error)})") from None
        if fsync:
            _sync_directories(directory)
        return spool

    @classmethod
    def adopt(cls, path: Path, lock: Lock, destinations: Iterable[str], *, fsync: bool = False) -> Spool:
        """Take over a file whose process has died, and whose lock is ours.

        Args:
            path: the file.
            lock: ours, on the file beside it.
            destinations: their names; one that the file does not know begins with the oldest message that is kept.
            fsync: whether each commit also survives a loss of power.

        Raises:
            SpoolDamaged: the file is damaged; see `salvage`.
            SpoolError: it cannot be opened now.
        """
        try:
            sound = are_sound(*database_and_log(path))
        except OSError as error:
            raise SpoolError(f"{path}: {_cause(error)}") from None
        if not sound:
            raise SpoolDamaged(f"{path}: damaged")
        spool = cls(path, lock, destinations, fsync=fsync)
        try:
            spool.check()
        except BaseException:
            spool.close_file()
            raise
        return spool

    def append(self, stretch: Stretch) -> None:
        """Commit envelopes, all or none; those that an interrupted call may have committed are replaced.

        Raises:
            SpoolError: nothing was committed.
        """
        rows = rows_of(stretch)
        with self._guard.lock, self._errors:
            again = self._appending or stretch.first <= self.last
            self._appending = True
            if len(rows) <= _ROWS_AT_ONCE and not again:
                self._insert(rows)  # a transaction of its own
            else:
                with _Transaction(self._connection):
                    if again:
                        self._connection.execute("DELETE FROM envelopes WHERE seq >= ?", (stretch.first,))
                    self._insert(rows)
            self.last = max(self.last, stretch.last)
            self._appending = False

    def restore(self, stretch: Stretch) -> None:
        """Commit envelopes whose places may come before others that are committed already.

        Raises:
            SpoolError: nothing was committed.
        """
        with self._guard.lock, self._errors, _Transaction(self._connection):
            self._insert(rows_of(stretch))
        self.last = max(self.last, stretch.last)

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        # Each statement lets other threads run, and may wait for them: one for as many rows as can be.
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            self._connection.execute(_INSERTS[len(some)], [value for row in some for value in row])

    def check(self) -> None:
        """Look through the file for damage.

        Raises:
            SpoolDamaged: there is some.
            SpoolError: the file cannot be read now.
        """
        with self._guard.lock, self._reading_errors:
            gaps = self._pragma("user_version")
            if self._pragma("page_count") <= _CHECKED_WHOLE and self._pragma("quick_check(1)") != "ok":
                raise self._damaged()
        after = min(self._cursors.values())
        while (stretch := self.read(after, _CHECKED_AT_ONCE)) is not None:
            if stretch.first != after + 1 and not gaps:
                raise self._damaged()
            after = stretch.last
            let_others_run()

    def expect_gaps(self) -> None:
        """Note in the file that places are missing in it, which is no damage.

        Raises:
            SpoolError: it cannot be written.
        """
        with self._guard.lock, self._errors:
            self._connection.execute("PRAGMA user_version=1")

    @property
    def cursors(self) -> Mapping[str, int]:
        """Up to which place each destination has everything."""
        return self._cursors

    def cursor(self, destination: str) -> int:
        """Return the place up to which a destination has everything."""
        return self._cursors.get(destination, 0)

    def read(self, after: int, limits: Limits) -> Stretch | None:
        """Return the next envelopes behind a place, as many as fit into one batch; `None` where there are none.

        Raises:
            SpoolDamaged: they are damaged.
            SpoolError: the file cannot be read now.
        """
        found: list[Stretch] = []
        count = size = 0
        with self._guard.lock, self._reading_errors:
            for row in self._connection.execute(_READ, {"next": after + 1}):
                stretch = stretch_of(row)
                if stretch is None:
                    raise self._damaged()
                if stretch.last <= after:
                    continue
                enough = count >= limits.count or size > limits.size
                if found and (enough or stretch.first != found[-1].last + 1):
                    break
                found.append(stretch.after(after))
                count += len(found[-1].envelopes)
                size += found[-1].size
        return joined(found).cut(limits) if found else None

    def advance(self, destination: str, seq: int) -> None:
        """Move a destination's cursor.

        Raises:
            SpoolError: nothing was changed; the envelopes will be sent again.
        """
        with self._guard.lock, self._errors:
            self._connection.execute(_SET_CURSOR, _cursor_row(destination, seq))
            self._cursors = {**self._cursors, destination: seq}

    def set_cursors(self, moved: Mapping[str, int]) -> None:
        """Move several cursors, all or none.

        Raises:
            SpoolError: nothing was changed.
        """
        with self._guard.lock, self._errors:
            with _Transaction(self._connection):
                self._connection.executemany(_SET_CURSOR, [_cursor_row(*each) for each in moved.items()])
            self._cursors = {**self._cursors, **moved}

    def tidy(self) -> None:
        """Overwrite and remove what every destination has; that takes longer than moving a cursor.

        Raises:
            SpoolError: nothing was changed.
        """
        done = min(self._cursors.values())
        while done > self._tidied:
            with self._guard.lock, self._errors:
                removed = self._connection.execute(_TIDY, {"done": done, "most": _TIDIED_AT_ONCE}).rowcount
            if removed < _TIDIED_AT_ONCE:
                self._tidied = done
            else:
                let_others_run()

    def oldest(self, after: int) -> float | None:
        """Return when the oldest envelope behind a place was accepted, in seconds since 1970.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._guard.lock, self._reading_errors:
            row = self._connection.execute(
                "SELECT at FROM envelopes WHERE seq + count - 1 > ? ORDER BY seq LIMIT 1", (after,)
            ).fetchone()
        return None if row is None else row[0]

    def backlog(self, after: int = 0) -> Backlog:
        """Return what waits behind a place.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._guard.lock, self._reading_errors:
            row = self._connection.execute(BACKLOG, {"after": after}).fetchone()
        return Backlog(*row)

    def close(self, *, remove: bool) -> None:
        """Give the file up, for others to adopt, or remove it; once more does nothing."""
        if self.close_file() and remove:
            _remove(self.path, self._ownership)
        else:
            self._ownership.release()

    def close_file(self) -> bool:
        """Close the file without giving it up; answer whether that went well."""
        with self._guard.lock:
            try:
                self._connection.close()
            except sqlite3.Error:
                return False
        return True

    def abandon_after_fork(self) -> None:
        """Let go of the parent's file in a forked child, without touching it.

        The connection is neither closed nor collected, since SQLite would take the child for its owner.
        """
        _parents_connections.append(self._connection)

    def _prepared(self, destinations: Iterable[str]) -> dict[str, int]:
        """Make the tables, if there are none, and a cursor for each destination; return the cursors.

        Raises:
            SpoolDamaged: the tables or cursors are none of ours.
        """
        connection = self._connection
        with _Transaction(connection):
            with self._reading_errors:
                schema = tuple(row[0] for row in connection.execute(_TABLES))
            if not schema and self._pragma("page_count") <= 1:
                for statement in _SCHEMA:
                    connection.execute(statement)
            elif schema != _SCHEMA:
                raise self._damaged()
            with self._reading_errors:
                rows = connection.execute("SELECT destination, seq, seal FROM cursors").fetchall()
            if any(row != _cursor_row(row[0], row[1]) for row in rows):
                raise self._damaged()
            cursors: dict[str, int] = {destination: seq for destination, seq, _ in rows}
            # A new destination gets what there is, which begins behind the place that all the others have reached.
            begin = min(cursors.values(), default=0)
            new = {name: begin for name in destinations if name not in cursors}
            connection.executemany(_SET_CURSOR, [_cursor_row(*each) for each in new.items()])
        return {**cursors, **new}

    def _pragma(self, what: str) -> Any:
        return self._connection.execute(f"PRAGMA {what}").fetchone()[0]

    def _checked_place(self, place: int) -> int:
        if place > LAST_PLACE:
            raise self._damaged()
        return place

    def _damaged(self) -> SpoolDamaged:
        return SpoolDamaged(f"{self.path}: damaged")


# Everything that has a definition: a trigger or a view is none of ours either.
_TABLES = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
_parents_connections: list[sqlite3.Connection] = []


def stretch_of(row: Sequence[Any]) -> Stretch | None:
    """Return what a row holds; `None` where that is not what was written, which SQLite does not see."""
    first, count, at, message_ids, bodies, sealed = row
    if not isinstance(bodies, bytes) or sealed != _seal(first, count, at, message_ids, bodies):
        return None
    if not (isinstance(message_ids, str) and isinstance(at, float) and isinstance(first, int)):
        return None
    if not 0 < first <= LAST_PLACE:
        return None
    lines = bodies.split(b"\n")
    if not count == len(lines) == message_ids.count("\n") + 1:
        return None
    return Stretch.of(first, at, Envelopes(message_ids.split("\n"), lines))


def rows_of(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Make the rows of a stretch."""
    envelopes = stretch.envelopes
    number = len(envelopes)
    count = max(1, _ROW_BYTES * number // (stretch.size + 37 * number))
    if number <= count:
        return _rows_of(stretch.first, stretch.at, envelopes)
    return [
        row
        for start in range(0, number, count)
        for row in _rows_of(stretch.first + start, stretch.at, envelopes[start : start + count])
    ]


def _rows_of(first: int, at: float, envelopes: Envelopes) -> list[tuple[Any, ...]]:
    """Make a row, or several where one would be too long, as it can be where lengths differ much."""
    number = len(envelopes)
    ids = "\n".join(envelopes.ids)
    bodies = b"\n".join(envelopes.bodies)
    if number == 1 or len(ids) + len(bodies) <= _MOST_ROW_BYTES:
        return [(first, number, at, ids, bodies, _seal(first, number, at, ids, bodies))]
    middle = number // 2
    return _rows_of(first, at, envelopes[:middle]) + _rows_of(first + middle, at, envelopes[middle:])


def _seal(first: int, count: int, at: float, message_ids: str, bodies: bytes) -> int:
    """Return the checksum of a row.

    Args:
        first: the place of the first message.
        count: how many there are.
        at: when the first was accepted, in seconds since 1970.
        message_ids: one a line.
        bodies: one a line.
    """
    seal = zlib.crc32(f"{first} {count} {at!r} {message_ids}".encode())
    view = memoryview(bodies)
    for start in range(0, len(view), _SEALED_AT_ONCE):
        seal = zlib.crc32(view[start : start + _SEALED_AT_ONCE], seal)
    return seal


def cursor_seal(destination: str, seq: int) -> int:
    """Return the checksum of a cursor."""
    return zlib.crc32(f"{seq} {destination}".encode())


def _cursor_row(destination: str, seq: int) -> tuple[str, int, int]:
    return destination, seq, cursor_seal(destination, seq)


@dataclass(frozen=True, slots=True)
class _Errors:
    """Turns the errors of SQLite into ours.

    Attributes:
        path: the file.
        reading: whether nothing is written, so that every error but a lock is one of the file's content.
    """

    path: Path
    reading: bool

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise _translated(self.path, error, reading=self.reading) from error


def _translated(path: Path, error: sqlite3.Error, *, reading: bool) -> SpoolError:
    if isinstance(error, sqlite3.ProgrammingError):
        return SpoolClosed(f"{path}: {error}")
    # "Malformed" and "not a database" come as the base class itself; what cannot be decoded, as an operational error.
    damaged = type(error) is sqlite3.DatabaseError or (
        reading and isinstance(error, sqlite3.OperationalError) and "locked" not in str(error)
    )
    return (SpoolDamaged if damaged else SpoolError)(f"{path}: {error}")


class _Transaction:
    """A transaction that is rolled back where its block raises."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._roll_back()  # what an exception out of a signal handler may have left open
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def partition(root: Path, key: str) -> Path:
    """Return the directory for the messages of one source: no other source's process may adopt them."""
    return root / hashlib.sha256(key.encode()).hexdigest()[:16]


def spool_files(directory: Path) -> list[Path]:
    """Return the spools of a directory, oldest first, whoever owns them."""
    found = directory.glob(f"*{_SUFFIX}")
    # A pipe of that name would be waited for.
    return sorted([each for each in found if each.is_file()], key=_modified)


def files_of(path: Path) -> Iterator[Path]:
    """Name the files that make up a spool: the database, its log and its index."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        yield path.with_name(path.name + suffix)


def database_and_log(path: Path) -> tuple[Path, Path]:
    """Name the files of a spool that hold its content."""
    database, log, *_ = files_of(path)
    return database, log


def lock_of(path: Path) -> Lock | None:
    """Take the lock of a spool whose process has died; `None` where it lives, or another was faster."""
    try:
        lock = Lock.take(_lock_path(path), create=False)
    except OSError:
        return None
    if lock is not None and not path.exists():  # delivered to its end and removed, between our look and our lock
        lock.remove()
        return None
    return lock


def share_lock_of(path: Path) -> Lock | None:
    """Keep others from adopting a spool while we look at it; `None` where it has an owner.

    Raises:
        OSError: there is no lock file, or it cannot be opened.
    """
    return Lock.take(_lock_path(path), create=False, shared=True)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _remove(path: Path, lock: Lock) -> None:
    for each in files_of(path):
        each.unlink(missing_ok=True)
    lock.remove()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time()


def _connect(path: Path, *, fsync: bool) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MILLISECONDS / 1e3
        )
    except sqlite3.Error as error:
        raise _translated(path, error, reading=False) from error
    try:
        connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if fsync else 'OFF'}")
        connection.execute("PRAGMA secure_delete=ON")
    except sqlite3.Error as error:
        connection.close()
        raise _translated(path, error, reading=False) from error
    return connection


def _sync_directories(directory: Path) -> None:
    """Let the names of new files survive a loss of power, as far as the file system can."""
    for each in (directory, directory.parent):
        with suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
