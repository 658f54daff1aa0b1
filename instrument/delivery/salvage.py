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
from instrument.delivery.spool import Queued, Spool, SpoolError, files_of, lock_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("instrument")

_ROWS = "SELECT seq, at, message_id, type, name, body FROM envelopes WHERE seq {} ? ORDER BY seq LIMIT 1"
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
        queued, cursors = _saved(aside)
        spool = Spool.create(path.parent, fsync=fsync) if queued else None
        if spool is not None:
            spool.append(queued)
            spool.restore(cursors)
    except (OSError, SpoolError) as failed:
        log.warning("%s is damaged, and could not be salvaged (%s).", path, type(failed).__name__)
        lock.release()
        return None
    lock.remove()
    log.warning("%s. It is set aside as %s; %d messages were saved of it.", error, aside.name, len(queued))
    return spool


def _set_aside(path: Path) -> Path:
    aside = path.with_suffix(".damaged")
    for each in files_of(path):
        if each.exists():
            each.rename(aside.with_name(each.name.replace(path.name, aside.name)))
    return aside


def _saved(path: Path) -> tuple[list[Queued], dict[str, int]]:
    cursors: dict[str, int] = {}
    queued: dict[int, Queued] = {}
    whole = False
    try:
        with closing(sqlite3.connect(path)) as connection:
            cursors = _cursors(connection)
            whole = _read_rows(connection, queued)
    except sqlite3.Error:
        pass
    if not whole:
        seen = {each.envelope.message_id for each in queued.values()}
        after = max([*queued, *cursors.values(), 0])
        for envelope in _found_in_bytes(path):
            if envelope.message_id not in seen:
                seen.add(envelope.message_id)
                after += 1
                queued[after] = Queued(after, time(), envelope)
    return [queued[seq] for seq in sorted(queued)], cursors


def _cursors(connection: sqlite3.Connection) -> dict[str, int]:
    try:
        return dict(connection.execute("SELECT destination, seq FROM cursors"))
    except sqlite3.Error:
        return {}


def _read_rows(connection: sqlite3.Connection, queued: dict[int, Queued]) -> bool:
    """Read row by row, and place by place where a page is damaged; answer whether nothing was."""
    seq, damaged, probes = 0, False, 0
    while probes < _MOST_PROBES:
        comparison = "=" if damaged else ">"
        try:
            row = connection.execute(_ROWS.format(comparison), (seq + 1 if damaged else seq,)).fetchone()
        except sqlite3.Error:
            row, damaged = None, True
        if row is not None:
            seq = row[0]
            queued[seq] = Queued(seq, row[1], Envelope(*row[2:]))
            continue
        if not damaged:
            return probes == 0
        probes += 1
        seq += 1
    return False


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
                name = message.get("event") or message.get("name") or ""
                yield Envelope(message["messageId"], message["type"], name, text[:end].encode())
