from __future__ import annotations

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument import Limits
from instrument.delivery.adoption import adopted
from instrument.delivery.spool import Spool, SpoolClosed, SpoolError, lock_of, partition, spool_files
from tests.delivery.scripted import ids
from tests.delivery.spools import NAMES, contents, killed, left_by_dead_process, stretch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = Limits()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool.create(tmp_path / "own", NAMES)
    yield spool
    spool.close(remove=True)


def test_what_is_appended_is_read_in_order(spool: Spool) -> None:
    spool.append(stretch(1, 1))
    spool.append(stretch(2, 40, pad=300))
    assert contents(spool, LIMITS) == ids(range(1, 41))


def test_an_envelope_is_read_as_it_was_written(spool: Spool) -> None:
    written = stretch(1, 30, pad=5_000)
    spool.append(written)
    assert spool.read(0, LIMITS) == written


@pytest.mark.parametrize("after", range(13))
def test_reading_begins_behind_any_place(spool: Spool, after: int) -> None:
    spool.append(stretch(1, 7, pad=900))
    spool.append(stretch(8, 12))
    assert contents(spool, LIMITS, after) == ids(range(after + 1, 13))


@pytest.mark.parametrize("limits", [Limits(count=3), Limits(size=1_000), Limits(size=1)])
def test_a_batch_keeps_within_count_and_size_but_holds_one_at_least(spool: Spool, limits: Limits) -> None:
    spool.append(stretch(1, 20, pad=50))
    batch = spool.read(0, limits)
    assert batch is not None
    assert len(batch.envelopes) <= limits.count
    assert sum(len(each.body) + 1 for each in batch.envelopes) <= limits.size or len(batch.envelopes) == 1
    assert contents(spool, limits) == ids(range(1, 21))


def test_what_every_destination_has_is_forgotten(tmp_path: Path) -> None:
    with closing_spool(Spool.create(tmp_path, ("one", "two"))) as spool:
        spool.append(stretch(1, 100, pad=1_000))
        left: list[int] = []
        for name, place in (("one", 100), ("two", 60), ("two", 100)):
            spool.advance(name, place)
            spool.tidy()
            left.append(spool.backlog().messages)
        assert left[0] == 100
        assert 40 <= left[1] < 60
        assert left[2] == 0


def test_messages_are_committed_while_many_others_are_forgotten(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    committed: list[bool] = []

    def commit_elsewhere() -> None:
        thread = threading.Thread(target=spool.append, args=(stretch(spool.last + 1, spool.last + 1),), daemon=True)
        thread.start()
        thread.join(10)
        committed.append(not thread.is_alive())

    monkeypatch.setattr("instrument.delivery.spool.let_others_run", commit_elsewhere)
    spool.append(stretch(1, 3_000, pad=1_000))
    spool.advance("one", 3_000)
    spool.tidy()
    assert len(committed) > 1
    assert all(committed)
    assert contents(spool, LIMITS) == ids(range(3_001, 3_001 + len(committed)))


def test_the_oldest_is_that_behind_the_cursor(spool: Spool) -> None:
    spool.append(stretch(1, 3))
    assert spool.oldest(2) == 1.5
    assert spool.oldest(3) is None


def test_a_file_is_readable_by_its_owner_only_and_so_is_its_directory(spool: Spool) -> None:
    spool.append(stretch(1, 2))
    directory = spool.path.parent
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (directory, *directory.iterdir())}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert len(modes) == len([directory, "database", "log", "index", "lock"])


def test_a_file_that_is_removed_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, NAMES)
    spool.append(stretch(1, 2))
    spool.close(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_closing_again_does_nothing(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, NAMES)
    spool.close(remove=False)
    spool.close(remove=False)
    with closing_spool(adopted_spool(spool.path)) as again:
        spool.close(remove=True)
        again.append(stretch(1, 1))


def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, NAMES)
    spool.close(remove=True)
    with pytest.raises(SpoolClosed):
        spool.read(0, LIMITS)
    with pytest.raises(SpoolClosed):
        spool.append(stretch(1, 1))


def test_a_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match=r"file/below cannot be written \(Not a directory\)"):
        Spool.create(tmp_path / "file" / "below", NAMES)


def test_a_spool_of_a_living_process_is_not_adopted(spool: Spool) -> None:
    assert adopted(spool.path, NAMES, fsync=False) == (None, 0)


def test_a_spool_that_is_gone_is_not_adopted(tmp_path: Path) -> None:
    path = left_by_dead_process(tmp_path, [])
    path.unlink()
    assert adopted(path, NAMES, fsync=False) == (None, 0)
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_adopt_at_once_one_gets_it(tmp_path: Path) -> None:
    path = left_by_dead_process(tmp_path, [stretch(1, 5)])
    ready = threading.Barrier(8)

    def adopt(_: int) -> Spool | None:
        ready.wait()
        return adopted(path, NAMES, fsync=False)[0]

    with ThreadPoolExecutor(8) as pool:
        found = [each for each in pool.map(adopt, range(8)) if each is not None]
    assert len(found) == 1
    found[0].close(remove=True)


@pytest.mark.parametrize("fsync", [False, True])
def test_what_was_committed_survives_the_process(tmp_path: Path, *, fsync: bool) -> None:
    with closing_spool(Spool.create(tmp_path / "alive", NAMES, fsync=fsync)) as spool:
        spool.append(stretch(1, 10))
        spool.advance("one", 4)
        path = killed(spool, tmp_path / "dead")
    with closing_spool(adopted_spool(path)) as again:
        assert again.cursor("one") == 4
        assert contents(again, LIMITS, again.cursor("one")) == ids(range(5, 11))


def test_a_new_destination_gets_what_there_is(tmp_path: Path) -> None:
    with closing_spool(Spool.create(tmp_path / "alive", ("one",))) as spool:
        spool.append(stretch(1, 10))
        spool.advance("one", 10)
        spool.append(stretch(11, 12))
        path = killed(spool, tmp_path / "dead")
    first, _ = adopted(path, ("one", "two"), fsync=False)
    assert first is not None
    assert contents(first, LIMITS, first.cursor("two")) == ids([11, 12])
    first.close(remove=False)
    with closing_spool(adopted_spool(path, "one", "two")) as again:
        assert contents(again, LIMITS, again.cursor("two")) == ids([11, 12])
    assert list(path.parent.glob("*.damaged")) == []


def test_a_locked_file_is_an_error_and_then_works_again(spool: Spool) -> None:
    with closing(sqlite3.connect(spool.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SpoolError, match="locked"):
            spool.append(stretch(1, 1))
        other.execute("ROLLBACK")
    spool.append(stretch(1, 3))
    assert contents(spool, LIMITS) == ids([1, 2, 3])


def test_spools_are_found_oldest_first(tmp_path: Path) -> None:
    paths = [left_by_dead_process(tmp_path, []) for _ in range(3)]
    for age, path in enumerate(paths):
        lower_the_time(path, age)
    assert spool_files(tmp_path) == paths[::-1]


def test_sources_have_directories_of_their_own(tmp_path: Path) -> None:
    assert partition(tmp_path, "a") == partition(tmp_path, "a") != partition(tmp_path, "b")


def test_a_lock_that_somebody_has_is_not_to_be_had(spool: Spool) -> None:
    assert lock_of(spool.path) is None


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    pads=st.lists(st.sampled_from([0, 80, 700, 3_000, 9_000]), min_size=8, max_size=8),
    done=st.integers(0, 480),
)
def test_any_appends_and_any_cursor_survive_the_process(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], pads: list[int], done: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    with closing_spool(Spool.create(directory / "alive", NAMES)) as spool:
        last = 0
        for length, pad in zip(lengths, pads, strict=False):
            spool.append(stretch(last + 1, last + length, pad=pad))
            last += length
        done = min(done, last)
        spool.advance("one", done)
        path = killed(spool, directory / "dead")
    with closing_spool(adopted_spool(path)) as again:
        assert contents(again, LIMITS, again.cursor("one")) == ids(range(done + 1, last + 1))
        assert again.backlog(done).messages == last - done


def closing_spool(spool: Spool) -> _Closing:
    return _Closing(spool)


class _Closing:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def __enter__(self) -> Spool:
        return self._spool

    def __exit__(self, *_: object) -> None:
        self._spool.close(remove=True)


def adopted_spool(path: Path, *names: str) -> Spool:
    spool, lost = adopted(path, names or NAMES, fsync=False)
    assert spool is not None
    assert lost == 0
    return spool


def lower_the_time(path: Path, by: int) -> None:
    import os

    now = path.stat().st_mtime
    os.utime(path, (now - by * 10, now - by * 10))
