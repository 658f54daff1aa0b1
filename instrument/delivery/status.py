"""What lies in a spool directory, looked at without getting into the way of the processes that use it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instrument.delivery.dead_letters import FILE_NAME as LETTERS
from instrument.delivery.spool import BACKLOG, Backlog, files_of, share_lock_of, spool_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BUSY_SECONDS = 1.0
_NOTHING = Backlog(0, 0, None)


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """One spool.

    Attributes:
        path: the file.
        alive: whether a process owns it.
        backlog: what waits in it.
        waiting: what waits for each destination that has taken anything of it.
        cursors: how far each of them has come.
        problem: why it cannot be read, if it cannot.
    """

    path: Path
    alive: bool
    backlog: Backlog
    waiting: Mapping[str, Backlog]
    cursors: Mapping[str, int]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What lies in the directory of one source.

    Attributes:
        directory: where.
        spools: each spool, oldest first.
        letters: how many dead letters there are, by destination.
        damaged: files that were set aside, since they could not be read whole.
        problem: why the dead letters cannot be read, if they cannot.
    """

    directory: Path
    spools: tuple[SpoolStatus, ...]
    letters: Mapping[str, int]
    damaged: tuple[Path, ...]
    problem: str | None = None


def sources(root: Path) -> list[SourceStatus]:
    """Return what lies in each source's directory below a spool directory."""
    found = (source(directory) for directory in sorted(root.glob("*/")))
    return [each for each in found if each.spools or each.letters or each.damaged or each.problem]


def source(directory: Path) -> SourceStatus:
    """Return what lies in the directory of one source."""
    looked_at = (spool(path) for path in spool_files(directory))
    letters, problem = _letters(directory / LETTERS)
    return SourceStatus(
        directory=directory,
        spools=tuple(each for each in looked_at if each is not None),
        letters=letters,
        damaged=tuple(sorted(directory.glob("*.damaged"))),
        problem=problem,
    )


def spool(path: Path) -> SpoolStatus | None:
    """Return what lies in one spool; `None` where it is gone.

    A spool without an owner is kept from being adopted meanwhile. One with an owner is read beside it, which
    SQLite's write-ahead log allows (https://sqlite.org/wal.html).
    """
    try:
        lock = share_lock_of(path)
    except OSError:  # a lock file that is missing is held by nobody
        return _read(path, alive=False)
    if lock is None:
        return _read(path, alive=True)
    try:
        return _read(path, alive=False)
    finally:
        lock.release()


def _read(path: Path, *, alive: bool) -> SpoolStatus | None:
    _, log, *_ = files_of(path)
    if alive and not log.exists():
        # Its owner is just making it, or giving it up: a reader could keep it from changing the journal's mode.
        return SpoolStatus(path, alive, _NOTHING, {}, {}) if path.exists() else None
    try:
        with closing(_read_only(path)) as connection:
            connection.execute("BEGIN")
            cursors: dict[str, int] = dict(connection.execute("SELECT destination, seq FROM cursors"))
            waiting = {name: _backlog(connection, seq) for name, seq in cursors.items()}
            backlog = _backlog(connection, 0)
    except sqlite3.Error as error:
        return SpoolStatus(path, alive, _NOTHING, {}, {}, problem=str(error)) if path.exists() else None
    return SpoolStatus(path, alive, backlog, waiting, cursors)


def _backlog(connection: sqlite3.Connection, after: int) -> Backlog:
    return Backlog(*connection.execute(BACKLOG, {"after": after}).fetchone())


def _letters(path: Path) -> tuple[Mapping[str, int], str | None]:
    if not path.exists():
        return {}, None
    try:
        with closing(_read_only(path)) as connection:
            return dict(connection.execute("SELECT destination, count(*) FROM letters GROUP BY 1 ORDER BY 1")), None
    except sqlite3.Error as error:
        return {}, str(error)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
