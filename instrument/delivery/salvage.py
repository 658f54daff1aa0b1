"""What can be saved of a spool that is damaged: everything but what lay in the damaged pages."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from contextlib import closing
from time import time
from typing import TYPE_CHECKING

from instrument.delivery.envelope import MAX_BYTES, Envelope
from instrument.delivery.spool import Spool, SpoolError, Stretch, files_of, lock_of, stretch_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("instrument")

_ROWS = "SELECT seq, count, at, message_ids, bodies FROM envelopes WHERE seq {} ? ORDER BY seq LIMIT 1"
_MOST_PROBES = 100_000
"""How many places are tried one by one behind a damaged page."""
_START = re.compile(rb'\{"type":"(?:track|identify|group|page|screen|alias)"')


def salvage(path: Path, error: SpoolError, *, fsync: bool) -> Spool | None:
    """Set a damaged file aside, and put what can be read of it into a new spool.

    Args:
        path: the file, whose owner has died.
        error: why it could not be opened.
        fsync: as for `Spool`.

    Returns:
        The new spool; `None` where another process is at it, or nothing could be saved.
    """
    try:
        lock = lock_of(path)
    except OSError:
        return None
    if lock is None or not path.exists():
        return None
    try:
        aside = _set_aside(path)
        saved, cursors = _saved(aside)
        spool = Spool.create(path.parent, fsync=fsync) if saved else None
        if spool is not None:
            for stretch in saved:
                spool.append(stretch)
            spool.restore(cursors)
    except (OSError, SpoolError) as failed:
        log.warning("%s is damaged, and could not be salvaged (%s).", path, type(failed).__name__)
        lock.release()
        return None
    lock.remove()
    count = sum(len(each.envelopes) for each in saved)
    log.warning("%s. It is set aside as %s; %d messages were saved of it.", error, aside.name, count)
    return spool


def _set_aside(path: Path) -> Path:
    aside = path.with_suffix(".damaged")
    for each in files_of(path):
        if each.exists():
            each.rename(aside.with_name(each.name.replace(path.name, aside.name)))
    return aside


def _saved(path: Path) -> tuple[list[Stretch], dict[str, int]]:
    cursors: dict[str, int] = {}
    saved: list[Stretch] = []
    whole = False
    try:
        with closing(sqlite3.connect(path)) as connection:
            cursors = _cursors(connection)
            whole = _read_rows(connection, saved)
    except sqlite3.Error:
        pass
    if not whole:
        seen = {envelope.message_id for each in saved for envelope in each.envelopes}
        after = max([*(each.last for each in saved), *cursors.values(), 0])
        found = [envelope for envelope in _found_in_bytes(path) if envelope.message_id not in seen]
        unique = list({envelope.message_id: envelope for envelope in found}.values())
        if unique:
            saved.append(Stretch(after + 1, time(), unique, sum(len(each.body) for each in unique)))
    return saved, cursors


def _cursors(connection: sqlite3.Connection) -> dict[str, int]:
    try:
        return dict(connection.execute("SELECT destination, seq FROM cursors"))
    except sqlite3.Error:
        return {}


def _read_rows(connection: sqlite3.Connection, saved: list[Stretch]) -> bool:
    """Read row by row, and place by place where a page is damaged; answer whether nothing was."""
    place, damaged, probes = 0, False, 0
    while probes < _MOST_PROBES:
        try:
            query = _ROWS.format("=" if damaged else ">")
            row = connection.execute(query, (place + 1 if damaged else place,)).fetchone()
            stretch = None if row is None else _sound(stretch_of(row))
        except (sqlite3.Error, ValueError, TypeError, AttributeError):
            stretch, damaged = None, True
        if stretch is not None:
            saved.append(stretch)
            place = stretch.last
        elif not damaged:
            return probes == 0
        else:
            probes += 1
            place += 1
    return False


def _sound(stretch: Stretch) -> Stretch:
    """Check that what was read is what was written: SQLite sees no damage inside of a value.

    Raises:
        ValueError: it is not.
    """
    for envelope in stretch.envelopes:
        if json.loads(envelope.body)["messageId"] != envelope.message_id:
            raise ValueError
    return stretch


def _found_in_bytes(path: Path) -> Iterator[Envelope]:
    """Find whole envelopes in the bytes of the files: most lie within one page (https://sqlite.org/fileformat2.html)."""
    decoder = json.JSONDecoder()
    for each in files_of(path):
        content = each.read_bytes() if each.exists() else b""
        for match in _START.finditer(content):
            text = content[match.start() : match.start() + MAX_BYTES].decode("utf-8", errors="replace")
            try:
                message, end = decoder.raw_decode(text)
            except ValueError:
                continue
            if "\ufffd" not in text[:end] and isinstance(message.get("messageId"), str):
                yield Envelope(message["messageId"], text[:end].encode())
