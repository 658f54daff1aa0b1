"""Taking over the spools of processes that died."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instrument.delivery.salvage import salvage
from instrument.delivery.spool import Spool, SpoolError, spool_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger("instrument")

_EVERY = 10.0
"""Seconds between two looks."""


class Adoption:
    """Looks for spools without an owner, now and every few seconds, on a thread of its own.

    Args:
        directory: where they lie.
        adopted: called with each spool that is ours now.
        fsync: as for `Spool`.
    """

    def __init__(self, directory: Path, adopted: Callable[[Spool], None], *, fsync: bool) -> None:
        self._directory = directory
        self._adopted = adopted
        self._fsync = fsync
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="instrument-adoption", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._look()
            self._stopped.wait(_EVERY)

    def _look(self) -> None:
        for path in spool_files(self._directory):
            if self._stopped.is_set():
                return
            try:
                spool = Spool.adopt(path, fsync=self._fsync)
            except SpoolError as error:
                spool = salvage(path, error, fsync=self._fsync)
            if spool is not None:
                self._adopted(spool)
