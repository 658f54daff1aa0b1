from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instrument import Envelope, Limits
from instrument.delivery.adoption import adopted
from instrument.delivery.pages import PAGE_SIZE, are_sound, records
from instrument.delivery.spool import Spool, SpoolDamaged, database_and_log, stretch_of
from tests.delivery.scripted import ids
from tests.delivery.spools import NAMES, contents, killed, stretch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMITS = Limits(size=64 << 20)
FRAME = PAGE_SIZE + 24
LENGTH = 120
"""Messages in a damaged spool."""
MOST_IN_A_PAGE = PAGE_SIZE // 150


@dataclass(frozen=True)
class Scene:
    """A spool whose process was killed: of its messages, half lie in the database, half in the log."""

    path: Path

    @property
    def log(self) -> Path:
        return database_and_log(self.path)[1]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    half = LENGTH // 2
    spool = Spool.create(tmp_path / "alive", NAMES)
    spool.append(stretch(1, half, pad=1_000))
    spool.append(stretch(half + 1, half + 10, pad=30_000))
    spool.close_file()  # which moves everything into the database
    again, _ = adopt(killed(spool, tmp_path / "between"))
    assert again is not None
    again.append(stretch(half + 11, LENGTH - 10, pad=1_000))
    again.append(stretch(LENGTH - 9, LENGTH, pad=30_000))
    path = killed(again, tmp_path / "dead")
    again.close(remove=True)
    spool.close(remove=True)
    return Scene(path)


def adopt(path: Path) -> tuple[Spool | None, int]:
    return adopted(path, NAMES, fsync=False)


def saved_of(path: Path) -> list[str]:
    spool, _ = adopt(path)
    if spool is None:
        return []
    try:
        return contents(spool, LIMITS)
    finally:
        spool.close(remove=False)


def overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def page_with(path: Path, text: bytes, page_size: int, start: int = 0) -> int:
    """Return where the page begins that holds a text."""
    found = path.read_bytes().find(text)
    assert found >= 0
    return start + (found - start) // page_size * page_size


def test_a_spool_that_was_not_damaged_is_not_taken_for_damaged(scene: Scene) -> None:
    assert saved_of(scene.path) == ids(range(1, LENGTH + 1))
    assert list(scene.path.parent.glob("*.damaged")) == []


def test_a_damaged_page_costs_what_lay_in_it(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    page = page_with(scene.path, b'"messageId":"message-30"', PAGE_SIZE)
    overwrite(scene.path, page, b"\xa5" * PAGE_SIZE)
    spool, lost = adopt(scene.path)
    assert spool is not None
    left = contents(spool, LIMITS)
    spool.close(remove=True)
    gone = [each for each in ids(range(1, LENGTH + 1)) if each not in left]
    assert "message-30" in gone
    assert len(gone) == lost <= MOST_IN_A_PAGE
    assert f"messages saved of it: {LENGTH - lost}, lost: {lost} or more" in caplog.text
    assert len(list(scene.path.parent.glob("*.damaged"))) == 1


def test_a_damaged_frame_of_the_log_costs_what_lay_in_it_and_nothing_behind_it(scene: Scene) -> None:
    frame = page_with(scene.log, b'"messageId":"message-75"', FRAME, 32)
    overwrite(scene.log, frame + 24, b"\xa5" * PAGE_SIZE)
    left = saved_of(scene.path)
    gone = [each for each in ids(range(1, LENGTH + 1)) if each not in left]
    assert "message-75" in gone
    assert len(gone) <= MOST_IN_A_PAGE
    assert left[-10:] == ids(range(LENGTH - 9, LENGTH + 1))


def commits_in(log: bytes) -> list[int]:
    """Return at which places of a log the last frame of each transaction begins."""
    frames = range(32, len(log), FRAME)
    salts = log[16:24]
    return [each for each in frames if log[each + 8 : each + 16] == salts and log[each + 4 : each + 8] != bytes(4)]


@pytest.mark.parametrize("frames_after", [0, 1], ids=["in its last page", "in the page before"])
@pytest.mark.parametrize("written", [24 + 1, FRAME // 2, FRAME - 1])
def test_a_commit_that_a_kill_broke_off_is_no_damage(
    scene: Scene, written: int, frames_after: int, caplog: pytest.LogCaptureFixture
) -> None:
    last = commits_in(scene.log.read_bytes())[-1]
    with scene.log.open("r+b") as file:
        file.truncate(last - frames_after * FRAME + written)
    assert saved_of(scene.path) == ids(range(1, LENGTH - 9))
    assert list(scene.path.parent.glob("*.damaged")) == []
    assert caplog.records == []


@pytest.mark.parametrize(("frames_after", "damaged"), [(0, 1), (1, 0)], ids=["in its last page", "in the page before"])
def test_a_commit_that_a_kill_broke_off_over_an_old_one_loses_nothing_before_it(
    tmp_path: Path, frames_after: int, damaged: int
) -> None:
    spool = Spool.create(tmp_path / "alive", NAMES)
    log = database_and_log(spool.path)[1]
    spool.append(stretch(1, 200, pad=3_000))
    with closing(sqlite3.connect(spool.path)) as reader:
        reader.execute("PRAGMA wal_checkpoint(RESTART)")  # what is written from now on begins at the log's start again
    old = log.read_bytes()
    spool.append(stretch(201, 220, pad=3_000))
    spool.append(stretch(221, 240, pad=3_000))
    path = killed(spool, tmp_path / "dead")
    spool.close(remove=True)
    dead = database_and_log(path)[1]
    last = commits_in(dead.read_bytes())[-1]
    assert last + FRAME < len(old)
    half = last - frames_after * FRAME + FRAME // 2
    overwrite(dead, half, old[half:])
    left = saved_of(path)
    assert left[:220] == ids(range(1, 221))
    assert bool(left[220:]) == bool(damaged)  # what is whole of the broken commit is saved along
    assert len(list(path.parent.glob("*.damaged"))) == damaged


def test_a_broken_frame_before_the_end_of_its_transaction_is_damage(scene: Scene) -> None:
    last = commits_in(scene.log.read_bytes())[-1]
    overwrite(scene.log, last - FRAME // 2, b"\xa5" * 100)
    left = saved_of(scene.path)
    assert set(ids(range(1, LENGTH - 9))) < set(left)
    assert len(list(scene.path.parent.glob("*.damaged"))) == 1


@pytest.mark.parametrize("length", [100, PAGE_SIZE])
def test_a_zeroed_header_costs_no_message(scene: Scene, length: int) -> None:
    overwrite(scene.path, 0, bytes(length))
    assert saved_of(scene.path) == ids(range(1, LENGTH + 1))


def test_a_zeroed_header_of_the_log_costs_no_message(scene: Scene) -> None:
    overwrite(scene.log, 0, bytes(32))
    assert saved_of(scene.path) == ids(range(1, LENGTH + 1))


def test_a_file_that_was_cut_off_keeps_what_is_before_the_cut(scene: Scene) -> None:
    content = scene.path.read_bytes()
    scene.path.write_bytes(content[: len(content) // 2])
    left = saved_of(scene.path)
    assert left[:20] == ids(range(1, 21))
    assert left[-10:] == ids(range(LENGTH - 9, LENGTH + 1))


def test_a_database_that_was_emptied_leaves_the_log(scene: Scene) -> None:
    scene.path.write_bytes(b"")
    assert set(ids(range(LENGTH // 2 + 11, LENGTH + 1))) <= set(saved_of(scene.path))


@pytest.mark.parametrize("size", [0, 1, 5_000])
def test_garbage_is_set_aside_and_said(scene: Scene, size: int, caplog: pytest.LogCaptureFixture) -> None:
    scene.path.write_bytes(b"\xa5" * size)
    scene.log.unlink()
    assert adopt(scene.path) == (None, 0)
    assert [each.name for each in scene.path.parent.iterdir()] == [scene.path.with_suffix(".damaged").name]
    assert "messages saved of it: 0" in caplog.text


def test_a_message_whose_bytes_were_changed_is_never_sent(scene: Scene) -> None:
    place = scene.path.read_bytes().find(b'"number":30,')
    overwrite(scene.path, place, b'"number":31,')
    left = saved_of(scene.path)
    assert "message-30" not in left
    assert len(left) >= LENGTH - MOST_IN_A_PAGE


def test_what_was_delivered_is_not_brought_back(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path / "alive", NAMES)
    spool.append(stretch(1, 50, pad=900))
    spool.advance("one", 40)
    path = killed(spool, tmp_path / "dead")
    spool.close(remove=True)
    overwrite(path, 0, bytes(100))
    assert saved_of(path) == ids(range(41, 51))


def test_each_destination_goes_on_where_it_was(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path / "alive", ("one", "two"))
    spool.append(stretch(1, 20))
    spool.advance("one", 20)
    spool.advance("two", 5)
    path = killed(spool, tmp_path / "dead")
    spool.close(remove=True)
    overwrite(path, 0, bytes(100))
    again, lost = adopted(path, ("one", "two"), fsync=False)
    assert again is not None
    assert (lost, again.cursors) == (0, {"one": 20, "two": 5})
    assert contents(again, LIMITS, again.cursor("two")) == ids(range(6, 21))
    again.close(remove=True)


def test_what_was_saved_can_be_adopted_again_without_another_salvage(scene: Scene) -> None:
    overwrite(scene.path, page_with(scene.path, b'"messageId":"message-30"', PAGE_SIZE), b"\xa5" * PAGE_SIZE)
    left = saved_of(scene.path)
    (path,) = scene.path.parent.glob("*.spool")
    assert path != scene.path
    assert saved_of(path) == left


def test_a_directory_without_room_for_a_new_spool_keeps_the_damaged_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    overwrite(scene.path, 0, bytes(100))
    aside = scene.path.with_suffix(".damaged")
    aside.mkdir()  # where the damaged file would go
    (aside / "taken").touch()
    assert adopt(scene.path) == (None, 0)
    assert "cannot be salvaged now" in caplog.text
    (aside / "taken").unlink()
    aside.rmdir()
    assert saved_of(scene.path) == ids(range(1, LENGTH + 1))


def test_messages_are_not_shown_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    overwrite(scene.path, page_with(scene.path, b'"messageId":"message-30"', PAGE_SIZE), b"\xa5" * 2_000)
    saved_of(scene.path)
    assert "xxx" not in caplog.text
    assert "userId" not in caplog.text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from([0, 300, 2_000, 15_000]), st.integers(0, 200)),
        min_size=1,
        max_size=12,
    )
)
def test_the_pages_hold_what_sqlite_reads(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("pages")
    spool = Spool.create(directory / "alive", NAMES)
    last = 0
    for length, pad, done in steps:
        spool.append(stretch(last + 1, last + length, pad=pad))
        last += length
        spool.advance("one", max(spool.cursor("one"), min(done, last)))
    path = killed(spool, directory / "dead")
    expected = contents(spool, LIMITS, spool.cursor("one"))
    spool.close(remove=True)

    assert are_sound(*database_and_log(path))
    rows = [(rowid, *values[1:]) for rowid, values in records(*database_and_log(path)) if len(values) == 6]
    found = [stretch_of((row[0], row[1], float(row[2]), *row[3:])) for row in rows]  # type: ignore[arg-type]
    assert None not in found
    assert set(expected) <= {envelope.message_id for each in found if each for envelope in each.envelopes}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_nothing_is_changed_and_what_is_lost_lay_there(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("damage")
    spool = Spool.create(directory / "alive", NAMES)
    for first in range(1, 201, 20):
        spool.append(stretch(first, first + 19, pad=data.draw(st.sampled_from([0, 400, 3_000]))))
    path = killed(spool, directory / "dead")
    written = {each.message_id: each for each in spool_envelopes(spool)}
    spool.close(remove=True)
    database, log = database_and_log(path)
    which, page, start = data.draw(st.sampled_from([(database, PAGE_SIZE, 0), (log, FRAME, 32)]))
    before = which.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=64))
    overwrite(which, place, damage[: len(before) - place])
    first, last = ((each - start) // page * page + start for each in (place, place + len(damage)))
    damaged = before[max(0, first) : last + page]

    again, _ = adopt(path)
    assert again is not None
    left = spool_envelopes(again)
    again.close(remove=True)
    assert [written[each.message_id] for each in left] == left
    lay_there = {each.decode() for each in re.findall(rb"message-[0-9]+", damaged)}
    assert written.keys() - {each.message_id for each in left} <= lay_there


def spool_envelopes(spool: Spool) -> list[Envelope]:
    batch = spool.read(0, LIMITS)
    assert batch is not None
    found: list[Envelope] = list(batch.envelopes)
    while (batch := spool.read(batch.last, LIMITS)) is not None:
        found += batch.envelopes
    return found


def _read(spool: Spool) -> None:
    spool.read(0, LIMITS)


def _check(spool: Spool) -> None:
    spool.check()


@pytest.mark.parametrize("use", [_read, _check])
def test_a_file_that_is_damaged_while_it_is_used_is_said_to_be(tmp_path: Path, use: Callable[[Spool], None]) -> None:
    spool = Spool.create(tmp_path, NAMES)
    spool.append(stretch(1, 3_000, pad=1_000))
    log = database_and_log(spool.path)[1]
    log.write_bytes(b"")
    with pytest.raises(SpoolDamaged):
        use(spool)
    spool.close(remove=True)
