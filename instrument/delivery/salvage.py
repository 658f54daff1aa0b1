"""What can be saved of a spool that is damaged: everything but what lay in the damaged pages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from instrument.delivery.pages import records
from instrument.delivery.spool import LAST_PLACE, Spool, SpoolError, cursor_seal, database_and_log, files_of, stretch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from instrument.delivery.ownership import Lock
    from instrument.delivery.spool import SpoolDamaged
    from instrument.delivery.stretch import Stretch

log: Final = logging.getLogger("instrument")


@dataclass(frozen=True, slots=True)
class Saved:
    """What could be saved.

    Attributes:
        spool: a new spool that holds it; `None` where there is nothing.
        lost: how many messages are missing, those at the end of the file not counted, of which nothing tells.
    """

    spool: Spool | None
    lost: int


def salvage(path: Path, lock: Lock, destinations: Iterable[str], damage: SpoolDamaged, *, fsync: bool) -> Saved:
    """Put what can be read of a damaged file into a new spool, then set the file aside.

    Args:
        path: the file, whose owner has died.
        lock: its lock, which is ours.
        destinations: as for `Spool`.
        damage: what is wrong with it.
        fsync: as for `Spool`.
    """
    try:
        cursors = _cursors(path)
        spool = Spool.create(path.parent, {*destinations, *cursors}, fsync=fsync)
        try:
            saved = _save(path, spool, cursors)
            aside = _set_aside(path)
        except BaseException:
            spool.close(remove=True)
            raise
    except (OSError, SpoolError) as failed:
        log.warning("%s, and cannot be salvaged now (%s).", damage, type(failed).__name__)
        lock.release()
        return Saved(None, 0)
    lock.remove()
    begin = min(cursors.values(), default=0)
    lost = max(saved, default=begin) - begin - len(saved)
    log.warning(
        "%s. It is set aside as %s; messages saved of it: %d, lost: %d or more.", damage, aside.name, len(saved), lost
    )
    if not saved:
        spool.close(remove=True)
    return Saved(spool if saved else None, lost)


def _save(path: Path, spool: Spool, cursors: Mapping[str, int]) -> set[int]:
    """Copy the envelopes that some destination lacks; return their places.

    Args:
        path: the damaged file.
        spool: what they are copied to.
        cursors: up to which place each destination has everything.
    """
    begin = min(cursors.values(), default=0)
    spool.expect_gaps()
    saved: set[int] = set()
    for stretch in _stretches(path):
        if stretch.last <= begin:
            continue
        rest = stretch.after(begin)
        places = set(range(rest.first, rest.last + 1))
        # The same row may be found in several versions of its page.
        if not places & saved:
            spool.restore(rest)
        else:
            for place in sorted(places - saved):
                spool.restore(rest.after(place - 1).until(place))
        saved |= places
    spool.set_cursors({**dict.fromkeys(spool.cursors, begin), **cursors})
    return saved


def _cursors(path: Path) -> dict[str, int]:
    """Return the furthest place of each destination."""
    cursors: dict[str, int] = {}
    for _, values in records(*database_and_log(path)):
        match values:
            case (str(destination), int(seq), int(sealed)) if (
                sealed == cursor_seal(destination, seq) and 0 <= seq <= LAST_PLACE
            ):
                cursors[destination] = max(seq, cursors.get(destination, 0))
            case _:
                pass
    return cursors


def _stretches(path: Path) -> Iterator[Stretch]:
    for seq, values in records(*database_and_log(path)):
        match values:
            case (None, int(count), float() | int() as at, str(message_ids), bytes(bodies), int(sealed)):
                stretch = stretch_of((seq, count, float(at), message_ids, bodies, sealed))
                if stretch is not None:
                    yield stretch
            case _:
                pass


def _set_aside(path: Path) -> Path:
    aside = path.with_suffix(".damaged")
    for each in files_of(path):
        if each.exists():
            each.rename(aside.with_name(each.name.replace(path.name, aside.name)))
    return aside
