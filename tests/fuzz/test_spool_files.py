"""Any file in the spool's directory: what is ours in it is saved as it was, the rest is said, and nobody waits for it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instrument import Limits
from instrument.delivery.adoption import Adoption, adopted
from instrument.delivery.spool import _SCHEMA, Spool, SpoolError, _seal, cursor_seal, database_and_log
from instrument.delivery.status import source
from tests.delivery.envelopes import envelopes
from tests.delivery.spools import NAMES, contents, killed, left_by_dead_process, stretch
from tests.fuzz.fuzzing import any_text, examples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMITS = Limits(size=64 << 20)
NUMBERS = range(1, 61)

_integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, 1, 2, 3, 2**62, 2**63 - 1, -(2**63)])
_cells = (
    st.none()
    | _integers
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.binary(max_size=30)
)
_rows = st.tuples(_integers, _cells, _cells, _cells, _cells, _cells)
_cursors = st.tuples(st.sampled_from([*NAMES, "other"]) | any_text.filter(str.isascii), _integers, st.booleans())
_ids = st.lists(st.sampled_from(["a", "b", ""]), max_size=3).map("\n".join)
_forged = st.tuples(_integers, _integers, st.floats(allow_nan=False) | st.just(1.5), _ids, st.binary(max_size=30))


@st.composite
def _damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Return what changes a file: flips, cuts, zeroes, doubles, or replaces a part of it."""
    where, length = draw(st.floats(0, 1)), draw(st.integers(1, 20_000))
    kind = draw(st.sampled_from(["flip", "cut", "zero", "double", "noise", "drop"]))
    noise = draw(st.binary(min_size=1, max_size=64))

    def damaged(content: bytes) -> bytes:
        place = int(where * len(content))
        part, rest = content[place : place + length], content[place + length :]
        changed = {
            "flip": bytes([part[0] ^ (1 << noise[0] % 8)]) + part[1:] if part else b"",
            "zero": bytes(len(part)),
            "double": part * 2,
            "noise": noise + part[len(noise) :],
            "drop": b"",
        }
        return content[:place] if kind == "cut" else content[:place] + changed[kind] + rest

    return damaged


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The database and the log of a spool whose process was killed."""
    directory = tmp_path_factory.mktemp("whole")
    spool = Spool.create(directory / "alive", NAMES)
    spool.append(stretch(1, 20, pad=900))
    spool.append(stretch(21, 30, pad=20_000))
    spool.close_file()
    again, _ = adopted(killed(spool, directory / "between"), NAMES, fsync=False)
    assert again is not None
    again.append(stretch(31, 60, pad=900))
    database, log = database_and_log(killed(again, directory / "dead"))
    again.close(remove=True)
    spool.close(remove=True)
    return database.read_bytes(), log.read_bytes()


def placed(directory: Path, name: str = "1-feed") -> Path:
    """Return where a spool may lie, with the lock of a dead process beside it."""
    (directory / f"{name}.lock").touch()
    return directory / f"{name}.spool"


def taken_over(path: Path) -> list[Any]:
    """Take a file over, and return the envelopes that are sent of it; the one error that may come is ours."""
    source(path.parent)
    try:
        spool, lost = adopted(path, NAMES, fsync=False)
    except SpoolError:
        return []
    assert lost >= 0
    if spool is None:
        return []
    found: list[Any] = []
    after = spool.cursor(NAMES[0])
    with suppress(SpoolError):
        while (batch := spool.read(after, LIMITS)) is not None:
            assert batch.last > after
            found += batch.envelopes
            after = batch.last
        spool.advance(NAMES[0], after)
    spool.close(remove=True)
    return found


@examples(25)
@given(of_database=st.lists(_damage(), max_size=2), of_log=st.lists(_damage(), max_size=2))
def test_whatever_is_damaged_what_is_sent_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    whole: tuple[bytes, bytes],
    of_database: list[Callable[[bytes], bytes]],
    of_log: list[Callable[[bytes], bytes]],
) -> None:
    database, log = whole
    for damaged in of_database:
        database = damaged(database)
    for damaged in of_log:
        log = damaged(log)
    path = placed(tmp_path_factory.mktemp("damaged"))
    for file, content in zip(database_and_log(path), (database, log), strict=True):
        file.write_bytes(content)
    written = {
        each.message_id: each for pad in (900, 20_000) for each in envelopes(NUMBERS, pad=pad) if _is_of(each, pad)
    }
    found = taken_over(path)
    assert [written[each.message_id] for each in found] == found
    assert of_database or of_log or len(found) == len(NUMBERS)


def _is_of(each: Any, pad: int) -> bool:
    return (21 <= int(each.message_id.rpartition("-")[2]) <= 30) == (pad == 20_000)


@examples(25)
@given(
    rows=st.lists(_rows, max_size=3),
    forged=st.lists(_forged, max_size=3),
    cursors=st.lists(_cursors, max_size=3, unique_by=lambda each: each[0]),
    more=st.sampled_from(
        [
            "",
            "CREATE TRIGGER t AFTER DELETE ON envelopes BEGIN DELETE FROM cursors; END",
            "CREATE VIEW v AS SELECT 1",
            "CREATE TABLE other (x)",
            "CREATE INDEX i ON envelopes (at)",
            "PRAGMA user_version=1",
            "PRAGMA application_id=7",
            "DROP TABLE cursors",
            "ALTER TABLE envelopes ADD COLUMN more",
        ]
    ),
)
@example(rows=[], forged=[(2**63 - 1, 1, 1.5, "", b"")], cursors=[], more="")
@example(rows=[], forged=[(2**63 - 1, 1, 1.5, "", b"")], cursors=[("first", 2**63 - 1, True)], more="")
def test_a_file_of_ours_that_somebody_else_wrote_is_read_or_said_to_be_damaged(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], forged: list[Any], cursors: list[Any], more: str
) -> None:
    path = placed(tmp_path_factory.mktemp("forged"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=16384")
        connection.execute("PRAGMA journal_mode=WAL")
        for statement in _SCHEMA:
            connection.execute(statement)
        sealed = [(*each, _seal(*each)) for each in forged]
        connection.executemany("INSERT OR REPLACE INTO envelopes VALUES (?,?,?,?,?,?)", [*rows_that_fit(rows), *sealed])
        seals = [(name, seq, cursor_seal(name, seq) if sealed else 7) for name, seq, sealed in cursors]
        connection.executemany("INSERT INTO cursors VALUES (?,?,?)", seals)
        connection.execute(more)
    taken_over(path)


def rows_that_fit(rows: list[Any]) -> list[Any]:
    return [row for row in rows if None not in row]


@examples(25)
@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(lambda rest: b"SQLite format 3\0" + rest))
def test_any_bytes_are_set_aside(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = placed(tmp_path_factory.mktemp("bytes"))
    path.write_bytes(content)
    assert taken_over(path) == []


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def _a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _a_link_to_a_directory(path: Path) -> None:
    path.symlink_to("..")


def _a_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _a_pipe(path: Path) -> None:
    os.mkfifo(path)


def _an_empty_file(path: Path) -> None:
    path.touch()


def _text(path: Path) -> None:
    path.write_text("canary " * 1_000)


STRANGERS = (
    *(_a_directory, _a_link_to_nowhere, _a_link_to_itself, _a_link_to_a_directory, _a_link_to_a_device, _a_pipe),
    *(_an_empty_file, _text),
)


class Heirs:
    """Remembers what is inherited."""

    def __init__(self) -> None:
        self.spools: list[Spool] = []

    def inherit(self, spool: Spool) -> None:
        self.spools.append(spool)

    def renounce(self, spool: Spool) -> None:
        self.spools.remove(spool)

    def lost(self, number: int) -> None: ...


@pytest.mark.parametrize("place", ["spool", "lock"])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_is_no_file_of_ours_stands_before_none_that_is(
    tmp_path: Path, stranger: Callable[[Path], None], place: str
) -> None:
    other = tmp_path / f"1-feed.{place}"
    stranger(other)
    beside = tmp_path / f"1-feed.{'lock' if place == 'spool' else 'spool'}"
    beside.touch()
    os.utime(beside, (1, 1))
    path = left_by_dead_process(tmp_path, [stretch(1, 5)])
    heirs = Heirs()
    adoption = Adoption(tmp_path, NAMES, heirs, fsync=False)
    adoption._look()
    assert [each.path for each in heirs.spools] == [path]
    assert contents(heirs.spools[0], LIMITS) == [f"message-{number}" for number in range(1, 6)]
    source(tmp_path)
    adoption.give_all_back()
