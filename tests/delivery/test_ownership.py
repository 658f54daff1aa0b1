from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from instrument.delivery.ownership import Lock

if TYPE_CHECKING:
    from pathlib import Path


def taken(path: Path, *, create: bool = True, shared: bool = False) -> Lock:
    lock = Lock.take(path, create=create, shared=shared)
    assert lock is not None
    return lock


def test_a_lock_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    lock = taken(tmp_path / "lock")
    assert Lock.take(tmp_path / "lock") is None
    lock.release()
    taken(tmp_path / "lock").release()


def test_a_lock_is_shared_by_those_who_only_look(tmp_path: Path) -> None:
    locks = [taken(tmp_path / "lock", shared=True) for _ in range(2)]
    assert Lock.take(tmp_path / "lock") is None
    for each in locks:
        each.release()
    taken(tmp_path / "lock").release()


def test_a_lock_that_is_not_made_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock.take(tmp_path / "lock", create=False)


def test_a_removed_lock_leaves_no_file_and_can_be_made_anew(tmp_path: Path) -> None:
    taken(tmp_path / "lock").remove()
    assert list(tmp_path.iterdir()) == []
    taken(tmp_path / "lock").remove()


def test_releasing_again_closes_nobody_elses_file(tmp_path: Path) -> None:
    lock = taken(tmp_path / "lock")
    lock.release()
    with (tmp_path / "other").open("w") as other:  # gets the descriptor that the lock had
        lock.release()
        os.fstat(other.fileno())


def test_a_lock_file_that_was_removed_after_it_was_opened_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(tmp_path / "lock")
    opened = os.open

    def open_late(path: Path, flags: int, mode: int) -> int:
        descriptor = opened(path, flags, mode)
        first.remove()
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    assert Lock.take(tmp_path / "lock") is None
