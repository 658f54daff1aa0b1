"""A destination that appends to a file, one JSON document a line (https://jsonlines.org)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import from_json

from instrument.delivery.destination import Limits, Unavailable
from instrument.home import from_home

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO

    from instrument.delivery.envelope import Envelope

_TAIL = 64 << 10
"""Bytes at the end of a file that are looked at: more than a message takes."""


class JsonLinesDestination:
    """Append every envelope to a file, readable by its owner only.

    Several processes may write to one file, also while it is rotated: each holds a lock on it (flock(2)) while it
    appends a batch. A batch that cannot be written whole is taken back, and tried again; where the process or the
    machine dies in the middle of one, the half of a line that it leaves is removed before the next.

    Args:
        path: the file; it and its directory are made when the first batch comes. A leading `~` is the user's home.
        name: the name in counts and logs; by default after the file.
        max_bytes: how large the file may grow before it is renamed to `<path>.1`, that one to `<path>.2`, and so
            on; `None` for no bound. No batch is torn apart: one that is larger has a file of its own.
        keep: how many such files are kept; the oldest beyond them is removed.

    Raises:
        ValueError: `max_bytes` or `keep` is less than 1, or the path is in the home of a user that there is not.
    """

    remote = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        max_bytes: int | None = None,
        keep: int = 10,
    ) -> None:
        if keep < 1 or (max_bytes is not None and max_bytes < 1):
            raise ValueError("`max_bytes` and `keep` are 1 or more")
        self.path: Path = from_home(Path(path))
        self.name: str = name or f"jsonl:{self.path.name}"
        self.limits: Limits = Limits()
        self._max_bytes = max_bytes
        self._keep = keep
        self._file: FileIO | None = None

    def send(self, batch: Sequence[Envelope]) -> None:
        """Append a batch.

        Raises:
            Unavailable: the file cannot be written; nothing of the batch is in it then.
        """
        lines = b"".join([envelope.body + b"\n" for envelope in batch])
        try:
            file = self._locked(len(lines))
            try:
                _append(file, lines)
            finally:
                _unlock(file)
        except OSError as error:
            self.close()
            why = error.strerror or type(error).__name__
            raise Unavailable(f"{self.path} cannot be written ({why})") from None

    def forget_connections(self) -> None:
        """Open the file anew in a forked child, which would share the parent's lock on it."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _locked(self, size: int) -> FileIO:
        """Return the file that stands at the path and has room, with a lock on it."""
        while True:
            file = self._opened()
            _lock(file)
            if not _stands_at(file, self.path):  # another process has rotated it
                self.close()
            elif self._has_room(file, size):
                return file
            else:
                _rotate(self.path, self._keep)
                self.close()

    def _opened(self) -> FileIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab+", buffering=0, opener=_owner_only)  # noqa: SIM115 - closed by `close`
        return self._file

    def _has_room(self, file: FileIO, size: int) -> bool:
        there = os.fstat(file.fileno()).st_size
        return self._max_bytes is None or there == 0 or there + size <= self._max_bytes


def _append(file: FileIO, lines: bytes) -> None:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe: nothing in it can be taken back
        _write(file, lines)
        return
    _end_last_line(file)
    end = file.seek(0, os.SEEK_END)
    try:
        _write(file, lines)
    except OSError:
        with suppress(OSError):
            file.truncate(end)
        raise


def _write(file: FileIO, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[file.write(left) :]


def _end_last_line(file: FileIO) -> None:
    """Remove half a line at the end of the file; end a whole one that somebody else has left open."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    last = tail[tail.rfind(b"\n") + 1 :]
    if last and (len(last) == _TAIL or _is_json(last)):
        file.write(b"\n")
    elif last:
        file.truncate(size - len(last))


def _is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


def _rotate(path: Path, keep: int) -> None:
    older = [path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1)]
    # Not beyond a gap, which an interrupted rotation leaves: the files behind it have moved already.
    free = next((index for index, each in enumerate(older) if not each.exists()), keep - 1)
    for index in range(free, 0, -1):
        older[index - 1].replace(older[index])
    path.replace(older[0])


def _stands_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: FileIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def _unlock(file: FileIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
