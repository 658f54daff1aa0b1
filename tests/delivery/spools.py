"""Spools as a test finds or leaves them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from instrument.delivery.spool import Spool, files_of
from instrument.delivery.stretch import Envelopes, Stretch
from tests.delivery.envelopes import envelopes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from instrument import Limits

NAMES = ("one",)


def stretch(first: int, last: int, *, pad: int = 0, at: float = 1.5) -> Stretch:
    """Return the envelopes that are numbered by their places."""
    return Stretch.of(first, at, Envelopes.of(envelopes(range(first, last + 1), pad=pad)))


def contents(spool: Spool, limits: Limits, after: int = 0) -> list[str]:
    """Return the ids of what lies in a spool behind a place."""
    found: list[str] = []
    while (batch := spool.read(after, limits)) is not None:
        found += [each.message_id for each in batch.envelopes]
        after = batch.last
    return found


def killed(spool: Spool, directory: Path) -> Path:
    """Leave a copy of a spool in another directory, as its process would that is killed now."""
    directory.mkdir(parents=True, exist_ok=True)
    for each in (*files_of(spool.path), spool.path.with_suffix(".lock")):
        if each.exists() and not each.name.endswith("-shm"):
            shutil.copy(each, directory / each.name)
    return directory / spool.path.name


def left_by_dead_process(directory: Path, stretches: Iterable[Stretch], names: Iterable[str] = NAMES) -> Path:
    """Leave a spool that nobody owns."""
    spool = Spool.create(directory, names)
    for each in stretches:
        spool.append(each)
    spool.close(remove=False)
    return spool.path
