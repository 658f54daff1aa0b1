"""The file of the queue: whose it is, who reads it, and what is saved of it when it is damaged."""

from __future__ import annotations

import os
import random
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instrument import Limits
from instrument.delivery.adoption import adopted
from instrument.delivery.pages import PAGE_SIZE
from instrument.delivery.spool import Spool, database_and_log, files_of, lock_of, partition
from tests.delivery.spools import stretch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAMES = ("first", "second")
TOTAL = 20
EVERYTHING = Limits(count=10_000, size=1 << 30)
# Two of them would not fit into a page.
PAD = 9_000
_ID = re.compile(rb'"messageId":"message-(\d+)"')


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(directory: Path) -> Iterator[Spool]:
    made = Spool.create(directory, NAMES)
    yield made
    made.close(remove=True)


def numbers(spool: Spool, after: int = 0) -> list[int]:
    found: list[int] = []
    while (batch := spool.read(after, EVERYTHING)) is not None:
        found += [int(each.message_id.removeprefix("message-")) for each in batch.envelopes]
        after = batch.last
    return found


def numbers_within(parts: Iterable[bytes]) -> set[int]:
    return {int(each) for part in parts for each in _ID.findall(part)}


def abandoned(directory: Path, *, in_log: bool, pad: int = PAD, done: int = 0) -> Path:
    """Leave the file of a process that ended, or of one that was killed and left its log."""
    spool = Spool.create(directory, NAMES)
    for number in range(1, TOTAL + 1):
        spool.append(stretch(number, number, pad=pad))
    if done:
        spool.set_cursors(dict.fromkeys(NAMES, done))
    left = {each: each.read_bytes() for each in database_and_log(spool.path) if each.exists()}
    spool.close(remove=False)
    if in_log:
        for each, content in left.items():
            each.write_bytes(content)
    return spool.path


def adopted_from(path: Path) -> tuple[Spool, int]:
    spool, lost = adopted(path, NAMES, fsync=False)
    assert spool is not None
    return spool, lost


def assert_set_aside(path: Path, content: bytes) -> None:
    aside = path.with_suffix(".damaged")
    assert aside.read_bytes() == content
    assert not any(each.exists() for each in (path, path.with_suffix(".lock"), *files_of(path)))


def test_two_destinations_go_through_it_each_at_its_own_pace(spool: Spool) -> None:
    spool.append(stretch(1, 10))
    spool.advance("first", 4)
    spool.advance("second", 7)
    assert dict(spool.cursors) == {"first": 4, "second": 7}
    assert [numbers(spool, spool.cursor(name)) for name in NAMES] == [[5, 6, 7, 8, 9, 10], [8, 9, 10]]
    assert [spool.backlog(spool.cursor(name)).messages for name in NAMES] == [6, 3]


def test_the_backlog_counts_what_waits_and_tells_since_when(spool: Spool) -> None:
    spool.append(stretch(1, 1))
    spool.append(stretch(2, 2, at=2.0))
    backlog = spool.backlog(1)
    assert (backlog.messages, backlog.size, backlog.oldest) == (1, stretch(2, 2).size, 2.0)
    empty = spool.backlog(2)
    assert (empty.messages, empty.size, empty.oldest) == (0, 0, None)


def test_cursors_survive_a_change_of_owner(directory: Path) -> None:
    first = Spool.create(directory, NAMES)
    first.append(stretch(1, 10))
    first.advance("first", 10)
    first.advance("second", 3)
    first.close(remove=False)
    spool, lost = adopted_from(first.path)
    assert (dict(spool.cursors), lost, spool.last) == ({"first": 10, "second": 3}, 0, 10)
    assert numbers(spool, spool.cursor("second")) == list(range(4, 11))
    spool.close(remove=True)


def test_every_file_of_it_is_for_its_owner_only(spool: Spool, directory: Path) -> None:
    spool.append(stretch(1, 1))
    modes = {each.suffix: stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()}
    assert modes == {".spool": 0o600, ".spool-wal": 0o600, ".spool-shm": 0o600, ".lock": 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_umask_does_not_open_it_to_others(directory: Path) -> None:
    before = os.umask(0)
    try:
        spool = Spool.create(directory, NAMES)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()}
    spool.close(remove=True)
    assert modes == {0o600}


@pytest.mark.parametrize("remove", [False, True])
def test_giving_it_up_leaves_it_to_others_or_removes_all_of_it(directory: Path, remove: bool) -> None:
    spool = Spool.create(directory, NAMES)
    spool.append(stretch(1, 1))
    spool.close(remove=remove)
    left = sorted(each.suffix for each in directory.iterdir())
    assert left == ([] if remove else [".lock", ".spool"])


_OWNER = """
import sys
from pathlib import Path
from instrument.delivery.spool import Spool
from instrument.delivery.stretch import Envelopes, Stretch
from instrument import Envelope
spool = Spool.create(Path(sys.argv[1]), ["first", "second"])
body = b'{"type":"track","messageId":"message-1"}'
spool.append(Stretch.of(1, 1.0, Envelopes(["message-1"], [body])))
print(spool.path, flush=True)
sys.stdin.read()
"""


def test_another_process_keeps_its_file_until_it_is_killed(directory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            assert owner.stdout is not None
            path = directory / owner.stdout.readline().strip().rpartition("/")[2]
            assert lock_of(path) is None
            assert adopted(path, NAMES, fsync=False) == (None, 0)
        finally:
            owner.kill()
    spool, lost = adopted_from(path)
    assert (numbers(spool), lost) == ([1], 0)
    spool.close(remove=True)


def test_a_file_that_was_removed_meanwhile_has_no_lock_to_take(directory: Path) -> None:
    spool = Spool.create(directory, NAMES)
    spool.close(remove=False)
    spool.path.unlink()
    assert lock_of(spool.path) is None
    assert list(directory.iterdir()) == []


def test_each_source_has_a_directory_whose_name_does_not_tell_the_key(tmp_path: Path) -> None:
    one, same, other = (partition(tmp_path, key) for key in ("key-1", "key-1", "key-2"))
    assert one == same != other
    assert one.parent == tmp_path
    assert "key" not in one.name


@pytest.mark.parametrize("in_log", [False, True], ids=["database", "log"])
def test_a_sound_file_is_adopted_as_it_is(directory: Path, in_log: bool) -> None:
    path = abandoned(directory, in_log=in_log)
    spool, lost = adopted_from(path)
    assert (spool.path, numbers(spool), lost) == (path, list(range(1, TOTAL + 1)), 0)
    spool.close(remove=True)


@pytest.mark.parametrize("page", [0, 1, 2, 3, 7, 12, 18, 22])
def test_of_a_database_only_what_lies_in_the_damaged_page_is_lost(directory: Path, page: int) -> None:
    path = abandoned(directory, in_log=False)
    content = bytearray(path.read_bytes())
    start = page * PAGE_SIZE
    assert start < len(content)
    gone = numbers_within([bytes(content[start : start + PAGE_SIZE])])
    content[start : start + PAGE_SIZE] = random.Random(page).randbytes(PAGE_SIZE)
    path.write_bytes(content)
    spool, lost = adopted_from(path)
    left = [number for number in range(1, TOTAL + 1) if number not in gone]
    assert numbers(spool) == left
    assert lost == max(left) - len(left)
    assert_set_aside(path, bytes(content))
    spool.close(remove=True)


def test_a_zeroed_header_costs_nothing(directory: Path) -> None:
    path = abandoned(directory, in_log=False)
    content = bytes(100) + path.read_bytes()[100:]
    path.write_bytes(content)
    spool, lost = adopted_from(path)
    assert (numbers(spool), lost) == (list(range(1, TOTAL + 1)), 0)
    assert_set_aside(path, content)
    spool.close(remove=True)


@pytest.mark.parametrize("in_log", [False, True], ids=["database", "log"])
def test_of_a_truncated_file_what_is_left_is_saved(directory: Path, in_log: bool) -> None:
    path = abandoned(directory, in_log=in_log)
    cut = database_and_log(path)[in_log]
    content = cut.read_bytes()[: cut.stat().st_size // 2]
    cut.write_bytes(content)
    left = sorted(numbers_within([content]))
    assert 0 < len(left) < TOTAL
    spool, lost = adopted_from(path)
    # The last message may be cut through right behind its id.
    assert numbers(spool) in (left, left[:-1])
    assert lost == 0
    spool.close(remove=True)


def test_of_a_damaged_log_what_lies_in_other_frames_is_saved(directory: Path) -> None:
    path = abandoned(directory, in_log=True)
    _, log = database_and_log(path)
    content = bytearray(log.read_bytes())
    start = len(content) // 2
    content[start : start + 1_000] = random.Random(1).randbytes(1_000)
    log.write_bytes(content)
    spool, _ = adopted_from(path)
    saved = numbers(spool)
    assert saved == sorted(saved)
    assert len(saved) >= TOTAL - 1
    assert path.with_suffix(".damaged").exists()
    assert not path.exists()
    spool.close(remove=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"no database", random.Random(2).randbytes(5 * PAGE_SIZE)],
    ids=["nothing", "text", "random bytes"],
)
def test_of_garbage_nothing_is_saved_and_it_is_set_aside(directory: Path, content: bytes) -> None:
    path = abandoned(directory, in_log=False)
    path.write_bytes(content)
    assert adopted(path, NAMES, fsync=False) == (None, 0)
    assert_set_aside(path, content)
    assert [each.suffix for each in directory.iterdir()] == [".damaged"]


def test_what_every_destination_has_is_not_sent_again_out_of_a_damaged_file(directory: Path) -> None:
    path = abandoned(directory, in_log=False, done=5)
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    spool, lost = adopted_from(path)
    assert dict(spool.cursors) == {"first": 5, "second": 5}
    assert (numbers(spool), lost) == (list(range(6, TOTAL + 1)), 0)
    spool.close(remove=True)


def test_what_was_saved_with_gaps_is_no_damage_to_the_next_owner(directory: Path) -> None:
    path = abandoned(directory, in_log=False)
    content = bytearray(path.read_bytes())
    content[8 * PAGE_SIZE : 9 * PAGE_SIZE] = bytes(PAGE_SIZE)
    path.write_bytes(content)
    first, _ = adopted_from(path)
    saved = numbers(first)
    assert 0 < len(saved) < TOTAL
    first.close(remove=False)
    second, lost = adopted_from(first.path)
    assert (second.path, numbers(second), lost) == (first.path, saved, 0)
    second.close(remove=True)


def test_the_log_says_what_became_of_a_damaged_file(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = abandoned(directory, in_log=False)
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    spool, _ = adopted_from(path)
    spool.close(remove=True)
    aside = path.with_suffix(".damaged").name
    assert caplog.messages == [
        f"{path}: damaged. It is set aside as {aside}; messages saved of it: {TOTAL}, lost: 0 or more."
    ]
