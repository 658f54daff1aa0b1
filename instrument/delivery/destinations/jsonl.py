"""A destination that appends to a file, one JSON document a line (https://jsonlines.org)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from instrument.delivery.destination import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope


class JsonLinesDestination:
    """Append every envelope to a file, readable by its owner only.

    Several processes may write to one file: a batch is one write at the end of the file.

    Args:
        path: the file; it and its directory are made when the first batch comes.
        name: the name in counts and logs; by default after the file.
    """

    remote = False

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or f"jsonl:{self.path.name}"
        self.limits = Limits()
        self._file: BinaryIO | None = None

    def send(self, batch: Sequence[Envelope]) -> None:
        """Append a batch.

        Raises:
            OSError: the file cannot be written; nothing of the batch is then in it but a part of a line.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab", buffering=0, opener=_owner_only)  # noqa: SIM115 - closed by `close`
        lines = b"".join(envelope.body + b"\n" for envelope in batch)
        written = self._file.write(lines)
        if written != len(lines):
            raise OSError(f"{self.path}: only {written} of {len(lines)} bytes were written")

    def forget_connections(self) -> None:
        """Do nothing: a file that is appended to can be shared."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
