"""What senders write down outside of the client: which message was accepted, when, and what the call took."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORMAT = struct.Struct("<IIBxxxdd")


class Record(NamedTuple):
    """One call of a client.

    Attributes:
        run: which process it was.
        number: which of its messages.
        accepted: what the client answered.
        at: when it answered, in seconds of the machine's monotonic clock, which is the same in every process.
        took: seconds that the call took.
    """

    run: int
    number: int
    accepted: bool
    at: float
    took: float


class Recording:
    """A file of records, written without a buffer: what is written survives the death of the process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, run: int, number: int, accepted: bool, at: float, took: float) -> None:  # noqa: FBT001
        """Write a record; it is there before this returns."""
        os.write(self._descriptor, _FORMAT.pack(run, number, accepted, at, took))


def written(path: Path) -> int:
    """Return how many records there are."""
    return path.stat().st_size // _FORMAT.size if path.exists() else 0


def read(path: Path, skip: int = 0) -> Iterator[Record]:
    """Return what was written, in order, but for so many of the first."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(skip * _FORMAT.size)
        content = file.read()
    whole = len(content) - len(content) % _FORMAT.size
    for run, number, accepted, at, took in _FORMAT.iter_unpack(content[:whole]):
        yield Record(run, number, bool(accepted), at, took)
