"""A spool that somebody else has written to: what is sound in it is sent, the rest set aside and counted, none of it run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from instrument import Client, Limits, Scope, Track
from instrument.delivery.spool import _seal, cursor_seal
from instrument.routes import source_directory
from instrument.settings import Settings
from tests.delivery.envelopes import envelope
from tests.delivery.scripted import PATIENCE, Scripted
from tests.delivery.spools import left_by_dead_process, stretch
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instrument import Envelope, Stats

LOST = "lay in a damaged part of the spool"
LEFT = range(1, 61)
PAD = 900


class ForgedScope(Scope):
    user_id: int


class ForgedCounted(Track, ForgedScope):
    """What the client that adopts accepts itself."""


class Row:
    """A row of the spool, which a few messages share."""

    def __init__(self, seq: int, count: int, at: float, message_ids: str, bodies: bytes) -> None:
        self.seq = seq
        self.count = count
        self.columns: tuple[Any, ...] = (seq, count, at, message_ids, bodies)

    @property
    def numbers(self) -> set[int]:
        """Those of its messages, which are their places."""
        return {*range(self.seq, self.seq + self.count)}

    def sealed(self, **changed: Any) -> tuple[Any, ...]:
        """Return the row with other columns, and the seal that goes with them."""
        columns = {**dict(zip(("seq", "count", "at", "message_ids", "bodies"), self.columns, strict=True)), **changed}
        return (*columns.values(), _seal(*columns.values()))


class Spools:
    """The spools of an application: what a process that died has left, and a client that finds it."""

    def __init__(self, directory: Path) -> None:
        self.destination = Scripted(limits=Limits(count=7))
        self._settings = Settings(spool_dir=directory)
        self._directory = source_directory(self._settings, [self.destination])
        self._client: Client | None = None

    def leave(self) -> Path:
        """Leave messages as a process does that was killed; return the file."""
        left = left_by_dead_process(self._directory, [stretch(1, len(LEFT), pad=PAD)], [self.destination.name])
        assert len(_rows(left)) > 3
        return left

    def adopt(self, expected: set[int]) -> Stats:
        """Let a new client send what is there, compare what comes, and return what the client has counted."""
        self._client = Client(destinations=[self.destination], spool_dir=self._settings.spool_dir)
        assert self._client.track(ForgedCounted(user_id=7))
        wait_until(lambda: len(self.destination.taken) > len(expected) and len(self.left) == 1)
        found = [each for each in self.destination.taken if each.message_id.startswith("message-")]
        assert sorted(found, key=_number) == [envelope(number, pad=PAD) for number in sorted(expected)]
        stats = self._client.stats()
        assert self._client.close(PATIENCE)
        assert self.left == []
        return stats

    def close(self) -> None:
        if self._client is not None:
            self._client.close(0)

    @property
    def aside(self) -> Path:
        """The file that was set aside."""
        (path,) = self._directory.glob("*.damaged")
        return path

    @property
    def left(self) -> list[str]:
        """What is there to be adopted, or is in use."""
        return sorted(each.name for each in self._directory.glob("*.spool"))


def _number(found: Envelope) -> int:
    return int(found.message_id.rpartition("-")[2])


def _rows(path: Path) -> list[Row]:
    with closing(sqlite3.connect(path)) as connection:
        return [Row(*row) for row in connection.execute("SELECT seq, count, at, message_ids, bodies FROM envelopes")]


class Forge(Protocol):
    """Writes into a spool as its format asks for, or nearly so; returns what of it is no longer sound."""

    def __call__(self, connection: sqlite3.Connection, rows: list[Row]) -> set[int]: ...


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[Spools]:
    made = Spools(tmp_path)
    yield made
    made.close()


def forged(path: Path, forge: Callable[[sqlite3.Connection, list[Row]], set[int]]) -> set[int]:
    """Write into the file, and return the numbers of the messages that are spoilt."""
    rows = _rows(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return forge(connection, rows)


def replace(connection: sqlite3.Connection, row: Row, columns: tuple[Any, ...]) -> set[int]:
    connection.execute("DELETE FROM envelopes WHERE seq = ?", (row.seq,))
    connection.execute("INSERT INTO envelopes VALUES (?,?,?,?,?,?)", columns)
    return row.numbers


def _other_bodies(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    row = rows[1]
    *_, seal = row.sealed()
    return replace(connection, row, (*row.sealed(bodies=row.columns[4].replace(b'"number"', b'"Number"'))[:-1], seal))


def _other_ids(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    row = rows[1]
    *_, seal = row.sealed()
    return replace(connection, row, (*row.sealed(message_ids=row.columns[3].upper())[:-1], seal))


def _seal_of_another_row(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], (*rows[1].sealed()[:-1], rows[2].sealed()[-1]))


def _a_text_for_bodies(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    columns = list(rows[1].sealed())
    columns[4] = columns[4].decode()
    return replace(connection, rows[1], tuple(columns))


def _a_text_for_the_time(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(at="yesterday"))


def _bytes_for_ids(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(message_ids=rows[1].columns[3].encode()))


def _a_text_for_the_count(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(count="many"))


def _bytes_for_the_seal(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], (*rows[1].sealed()[:-1], b"seal"))


def _a_higher_count(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(count=rows[1].count + 3))


def _a_lower_count(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(count=rows[1].count - 1))


def _fewer_ids_than_bodies(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    fewer = rows[1].columns[3].rpartition("\n")[0]
    return replace(connection, rows[1], rows[1].sealed(message_ids=fewer))


def _a_place_beyond_the_limit(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(seq=2**63 - 100))


def _a_place_before_the_first(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
    return replace(connection, rows[1], rows[1].sealed(seq=-5))


@pytest.mark.parametrize(
    "forge",
    [
        *(_other_bodies, _other_ids, _seal_of_another_row),
        *(_a_text_for_bodies, _a_text_for_the_time, _bytes_for_ids, _a_text_for_the_count, _bytes_for_the_seal),
        *(_a_higher_count, _a_lower_count, _fewer_ids_than_bodies),
        *(_a_place_beyond_the_limit, _a_place_before_the_first),
    ],
)
def test_a_row_that_is_none_of_ours_costs_its_own_messages_which_are_counted(spools: Spools, forge: Forge) -> None:
    spoilt = forged(spools.leave(), forge)
    stats = spools.adopt({*LEFT} - spoilt)
    assert stats.dead == {LOST: len(spoilt)}
    assert spools.aside.exists()


WITNESS = "CREATE TABLE witness (what)"


@pytest.mark.parametrize(
    "statements",
    [
        (WITNESS, "CREATE TRIGGER t AFTER DELETE ON envelopes BEGIN INSERT INTO witness VALUES ('deleted'); END"),
        (WITNESS, "CREATE TRIGGER t AFTER INSERT ON envelopes BEGIN INSERT INTO witness VALUES ('inserted'); END"),
        (WITNESS, "CREATE TRIGGER t AFTER INSERT ON cursors BEGIN INSERT INTO witness VALUES ('begun'); END"),
        (WITNESS, "CREATE TRIGGER t BEFORE UPDATE ON cursors BEGIN INSERT INTO witness VALUES ('moved'); END"),
        (WITNESS,),
        ("CREATE VIEW v AS SELECT * FROM envelopes",),
        (
            "ALTER TABLE envelopes RENAME TO hidden",
            "CREATE VIEW envelopes AS SELECT * FROM hidden WHERE seq < 0",
        ),
        ("CREATE INDEX i ON envelopes (at)",),
    ],
)
def test_what_is_added_to_the_schema_is_not_run_and_costs_no_message(
    spools: Spools, statements: tuple[str, ...]
) -> None:
    path = spools.leave()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    assert spools.adopt({*LEFT}).dead == {}
    assert spools.aside.exists()
    if WITNESS in statements:
        with closing(sqlite3.connect(spools.aside)) as connection:
            assert connection.execute("SELECT what FROM witness").fetchall() == []


@pytest.mark.parametrize("seal", [0, 2**40, "seal", b"seal"])
def test_a_cursor_with_another_seal_hides_no_message(spools: Spools, seal: object) -> None:
    path = spools.leave()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE cursors SET seq = ?, seal = ?", (LEFT[-1], seal))
    assert spools.adopt({*LEFT}).dead == {}
    assert spools.aside.exists()


@pytest.mark.parametrize("destination", ["", "somebody else", "x" * 5_000, b"bytes"])
def test_a_cursor_of_nobody_with_another_seal_is_not_waited_for(spools: Spools, destination: object) -> None:
    path = spools.leave()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO cursors VALUES (?, 3, 7)", (destination,))
    assert spools.adopt({*LEFT}).dead == {}
    assert spools.aside.exists()


def test_a_cursor_beyond_every_place_hides_no_message(spools: Spools) -> None:
    name, beyond = spools.destination.name, 2**53 + 1
    path = spools.leave()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE cursors SET seq = ?, seal = ?", (beyond, cursor_seal(name, beyond)))
    assert spools.adopt({*LEFT}).dead == {}
    assert spools.aside.exists()


def test_a_sound_cursor_still_counts_where_a_row_is_none_of_ours(spools: Spools) -> None:
    """What a destination had before is not sent to it again."""

    def forge(connection: sqlite3.Connection, rows: list[Row]) -> set[int]:
        done = rows[0].count
        connection.execute("UPDATE cursors SET seq = ?, seal = ?", (done, cursor_seal(spools.destination.name, done)))
        return _other_bodies(connection, rows)

    path = spools.leave()
    sent = _rows(path)[0].numbers
    spoilt = forged(path, forge)
    assert spools.adopt({*LEFT} - sent - spoilt).dead == {LOST: len(spoilt)}
