"""Taking over the spools of processes that died."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from instrument.delivery.bell import Bell
from instrument.delivery.said import Said
from instrument.delivery.salvage import salvage
from instrument.delivery.spool import Spool, SpoolDamaged, SpoolError, lock_of, spool_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log: Final = logging.getLogger("instrument")

_EVERY = 10.0
"""Seconds between two looks."""
_MOST = 4
"""How many spools are open at a time: a process that dies again and again leaves many, and descriptors are few."""


class Heir(Protocol):
    """Who sends what dead processes left."""

    def inherit(self, spool: Spool) -> None:
        """Send what is in a spool, and tell of each destination that has everything."""
        ...

    def renounce(self, spool: Spool) -> None:
        """Send nothing more of a spool."""
        ...

    def lost(self, number: int) -> None:
        """So many messages could not be saved of a damaged file."""
        ...


class Adoption:
    """Looks for spools without an owner, now and every few seconds, on a thread of its own.

    Args:
        directory: where they lie.
        destinations: the names of those that their envelopes go to.
        heir: who sends them.
        fsync: as for `Spool`.
    """

    def __init__(self, directory: Path, destinations: Sequence[str], heir: Heir, *, fsync: bool) -> None:
        self._directory = directory
        self._destinations = destinations
        self._heir = heir
        self._fsync = fsync
        self._said = Said(log)
        self._left: set[Path] = set()
        self._unfinished: dict[Spool, set[str]] = {}
        """What is adopted now, and which destinations do not have all of it."""
        self._lock = threading.RLock()
        self._stopped = False
        self._look_now = Bell()

    def start(self) -> None:
        """Begin to look."""
        with suppress(RuntimeError):  # no thread can be had: another process will look
            threading.Thread(target=self._run, name="instrument-adoption", daemon=True).start()

    def hurry(self) -> None:
        """Look now."""
        self._look_now.ring()

    @property
    def spools(self) -> Sequence[Spool]:
        """What is adopted now."""
        with self._lock:
            return tuple(self._unfinished)

    def finished(self, destination: str, spool: Spool) -> None:
        """Take note that a destination has everything; when the last one has, the file is removed."""
        with self._lock:
            names = self._unfinished.get(spool, set())
            names.discard(destination)
            if names or self._unfinished.pop(spool, None) is None:
                return
        others = [name for name, seq in spool.cursors.items() if name not in self._destinations and seq < spool.last]
        if others:
            self._left.add(spool.path)
            self._said.warn("others", "%s is left for a process that sends to %s.", spool.path, " and ".join(others))
        spool.close(remove=not others)
        self.hurry()

    def give_back(self, spool: Spool) -> None:
        """Leave a spool that cannot be read to the next look, at which it is checked."""
        with self._lock:
            if self._unfinished.pop(spool, None) is None:
                return
        self._heir.renounce(spool)
        spool.close(remove=False)

    def stop(self) -> None:
        """Look no more."""
        with self._lock:
            self._stopped = True
        self.hurry()

    def give_all_back(self) -> None:
        """Leave to others what is not finished."""
        for spool in self.spools:
            self.give_back(spool)

    def _run(self) -> None:
        while not self._stopped:
            self._look_now.mute()
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - the next look may fare better
                self._said.warn("look", "looking into %s raised %s.", self._directory, type(error).__name__)
            self._look_now.wait(_EVERY)

    def _look(self) -> None:
        for path in spool_files(self._directory):
            if self._stopped or len(self._unfinished) >= _MOST:
                return
            if path not in self._left:
                self._take_over(path)

    def _take_over(self, path: Path) -> None:
        try:
            spool, lost = adopted(path, self._destinations, fsync=self._fsync)
        except SpoolError as error:
            self._said.warn("adopt", "%s. What lies in it waits.", error)
            return
        except Exception as error:  # noqa: BLE001 - no file that is not ours may stand before those that are
            self._said.warn("adopt", "%s: reading it raised %s. What lies in it waits.", path, type(error).__name__)
            return
        if lost:
            self._heir.lost(lost)
        if spool is not None:
            self._hand_over(spool)

    def _hand_over(self, spool: Spool) -> None:
        with self._lock:
            stopped = self._stopped
            if not stopped:
                self._unfinished[spool] = set(self._destinations)
        if stopped:
            spool.close(remove=False)
        else:
            self._heir.inherit(spool)


def adopted(path: Path, destinations: Sequence[str], *, fsync: bool) -> tuple[Spool | None, int]:
    """Take over a spool if its process has died, or what can be saved of it if it is damaged.

    Args:
        path: the file.
        destinations: the names of those that it is sent to.
        fsync: whether each commit also survives a loss of power.

    Returns:
        The spool, or `None` where its process lives, another was faster, or nothing could be saved; and how many
        messages are lost.

    Raises:
        SpoolError: it cannot be opened now.
    """
    lock = lock_of(path)
    if lock is None:
        return None, 0
    try:
        return Spool.adopt(path, lock, destinations, fsync=fsync), 0
    except SpoolDamaged as damage:
        saved = salvage(path, lock, destinations, damage, fsync=fsync)
        return saved.spool, saved.lost
    except BaseException:
        lock.release()
        raise
