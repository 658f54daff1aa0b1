from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import time
from typing import TYPE_CHECKING

import pytest

from instrument.delivery.dead_letters import DeadLetters, directories
from tests.delivery.envelopes import envelope

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path / "source")


def test_a_letter_is_kept_with_its_reason(letters: DeadLetters) -> None:
    before = time()
    letters.add("one", envelope(1), "too green")
    letters.add("two", envelope(2), "too blue")
    kept = letters.letters()
    assert [(each.destination, each.reason, each.envelope) for each in kept] == [
        ("one", "too green", envelope(1)),
        ("two", "too blue", envelope(2)),
    ]
    assert all(before <= each.at <= time() for each in kept)


def test_letters_are_chosen_and_removed_by_their_numbers(letters: DeadLetters) -> None:
    for number in range(4):
        letters.add("one", envelope(number), "no")
    chosen = [each.id for each in letters.letters()][1:3]
    assert [each.id for each in letters.letters(chosen)] == chosen
    assert letters.remove([*chosen, 10_000]) == 2
    assert [each.envelope for each in letters.letters()] == [envelope(0), envelope(3)]


def test_where_there_are_none_nothing_is_made(letters: DeadLetters) -> None:
    assert letters.letters() == []
    assert letters.remove([1]) == 0
    assert not letters.path.parent.exists()


def test_letters_are_readable_by_their_owner_only(letters: DeadLetters) -> None:
    letters.add("one", envelope(1), "no")
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(letters.path.parent.stat().st_mode) == 0o700


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    letters: DeadLetters, caplog: pytest.LogCaptureFixture
) -> None:
    letters.add("one", envelope(1), "no")
    letters.path.write_bytes(b"\xa5" * 10_000)
    letters.add("one", envelope(2), "no")
    assert [each.envelope for each in letters.letters()] == [envelope(2)]
    assert len(list(letters.path.parent.glob("*.damaged"))) == 1
    assert f"{letters.path} is damaged. It is set aside as" in caplog.text


def test_a_file_that_is_only_locked_is_waited_for(letters: DeadLetters) -> None:
    letters.add("one", envelope(1), "no")
    with ThreadPoolExecutor(1) as pool, closing(sqlite3.connect(letters.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting = pool.submit(letters.add, "one", envelope(2), "no")
        other.execute("ROLLBACK")
        waiting.result(timeout=20)
    assert [each.envelope for each in letters.letters()] == [envelope(1), envelope(2)]


def test_many_threads_keep_letters_at_once(letters: DeadLetters) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: letters.add("one", envelope(number), "no"), range(40)))
    assert sorted(each.envelope for each in letters.letters()) == sorted(map(envelope, range(40)))


def test_directories_with_letters_are_found(letters: DeadLetters, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    letters.add("one", envelope(1), "no")
    assert list(directories(tmp_path)) == [letters.path.parent]
