"""JSON Lines: nothing is lost or torn, whoever else writes, and whatever goes wrong."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instrument import JsonLinesDestination, Unavailable
from tests.delivery.envelopes import envelope, envelopes, numbers_in

if TYPE_CHECKING:
    from pathlib import Path

SIZE = len(envelope(1).body) + 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_a_batch_is_appended_line_by_line_as_it_is(path: Path) -> None:
    destination = JsonLinesDestination(path)
    destination.send([envelope(1), envelope(2)])
    destination.send([envelope(3)])
    destination.close()
    assert path.read_bytes() == b"".join(each.body + b"\n" for each in envelopes([1, 2, 3]))


def test_the_path_may_begin_at_the_home_of_the_user(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    destination = JsonLinesDestination("~/events.jsonl")
    destination.send([envelope(1)])
    destination.close()
    assert numbers_in(path) == [1]
    with pytest.raises(ValueError, match="~nobody-of-this-name is no home directory that is known"):
        JsonLinesDestination("~nobody-of-this-name/events.jsonl")


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    destination = JsonLinesDestination(path)
    destination.send([envelope(1)])
    destination.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_is_renamed_and_the_oldest_removed(path: Path) -> None:
    destination = JsonLinesDestination(path, max_bytes=2 * SIZE, keep=2)
    for number in range(1, 8):
        destination.send([envelope(number)])
    destination.close()
    kept = {each.name: numbers_in(each) for each in path.parent.iterdir()}
    assert kept == {"events.jsonl": [7], "events.jsonl.1": [5, 6], "events.jsonl.2": [3, 4]}


def test_a_batch_above_the_bound_has_a_file_of_its_own(path: Path) -> None:
    destination = JsonLinesDestination(path, max_bytes=2 * SIZE)
    destination.send([envelope(1)])
    destination.send(envelopes([2, 3, 4]))
    destination.send([envelope(5)])
    destination.close()
    assert [numbers_in(path.with_name(name)) for name in ("events.jsonl.2", "events.jsonl.1", "events.jsonl")] == [
        [1],
        [2, 3, 4],
        [5],
    ]


def test_an_interrupted_rotation_costs_no_file(path: Path) -> None:
    for number in (2, 3):  # as if `.1` had been renamed already, and its process had died then
        path.with_name(f"events.jsonl.{number}").write_bytes(envelope(number).body + b"\n")
    destination = JsonLinesDestination(path, max_bytes=1, keep=3)
    destination.send([envelope(0)])
    destination.send([envelope(1)])
    destination.close()
    assert {each.name: numbers_in(each) for each in path.parent.iterdir()} == {
        "events.jsonl": [1],
        "events.jsonl.1": [0],
        "events.jsonl.2": [2],
        "events.jsonl.3": [3],
    }


@pytest.mark.parametrize("bounds", [{"max_bytes": 0}, {"keep": 0}])
def test_a_bound_that_cannot_be_kept_is_refused(path: Path, bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="`max_bytes` and `keep` are 1 or more"):
        JsonLinesDestination(path, **bounds)  # type: ignore[arg-type]


def test_a_file_that_somebody_else_renamed_is_made_anew(path: Path) -> None:
    destination = JsonLinesDestination(path)
    destination.send([envelope(1)])
    path.rename(path.with_name("archived"))
    destination.send([envelope(2)])
    destination.close()
    assert (numbers_in(path.with_name("archived")), numbers_in(path)) == ([1], [2])


def test_several_processes_lose_and_tear_nothing_while_the_file_is_rotated(path: Path) -> None:
    code = f"""if True:
        import sys
        from instrument import JsonLinesDestination
        from tests.delivery.envelopes import envelopes
        start = int(sys.argv[1])
        destination = JsonLinesDestination({str(path)!r}, max_bytes={20 * (SIZE + 3)}, keep=1_000)
        sys.stdin.read()
        for number in range(start, start + 400, 4):
            destination.send(envelopes(range(number, number + 4)))
    """
    starts = (0, 1_000, 2_000)
    writers = [subprocess.Popen([sys.executable, "-c", code, str(each)], stdin=subprocess.PIPE) for each in starts]
    for each in writers:
        assert each.stdin is not None
        each.stdin.close()  # now that all of them have begun
    assert [each.wait(60) for each in writers] == [0, 0, 0]
    files = list(path.parent.iterdir())
    assert len(files) > 20
    assert sorted(numbers_in(*files)) == [start + number for start in starts for number in range(400)]
    assert max(each.stat().st_size for each in files) <= 20 * (SIZE + 3)


def test_a_forked_child_does_not_share_the_lock_of_its_parent(path: Path) -> None:
    """In a process of its own: Python warns of a fork where there are threads."""
    code = f"""if True:
        import os
        from instrument import JsonLinesDestination
        from tests.delivery.envelopes import envelope
        destination = JsonLinesDestination({str(path)!r})
        destination.send([envelope(1)])
        pid = os.fork()
        destination.send([envelope(2)]) if pid else destination.forget_connections()
        if pid == 0:
            destination.send([envelope(3)])
            raise SystemExit
        assert os.waitpid(pid, 0)[1] == 0
        destination.send([envelope(4)])
        destination.close()
    """
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
    assert sorted(numbers_in(path)) == [1, 2, 3, 4]


def test_what_a_full_disk_took_of_a_batch_is_taken_back(path: Path) -> None:
    """A limit on the size of files acts as a disk that is full in the middle of a write."""
    code = f"""if True:
        import resource
        from pathlib import Path
        from instrument import JsonLinesDestination, Unavailable
        from tests.delivery.envelopes import envelope, envelopes
        destination = JsonLinesDestination({str(path)!r})
        destination.send([envelope(1)])
        resource.setrlimit(resource.RLIMIT_FSIZE, ({SIZE * 2 + 7}, resource.RLIM_INFINITY))
        try:
            destination.send(envelopes([2, 3, 4]))
        except Unavailable as error:
            print(error)
        print(Path({str(path)!r}).stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        destination.send(envelopes([2, 3, 4]))
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == [f"{path} cannot be written (File too large)", str(SIZE)]
    assert numbers_in(path) == [1, 2, 3, 4]


def test_half_a_line_is_removed_before_the_next_batch(path: Path) -> None:
    path.write_bytes(envelope(1).body + b"\n" + envelope(2).body[:50])
    destination = JsonLinesDestination(path)
    destination.send([envelope(2)])
    destination.close()
    assert numbers_in(path) == [1, 2]


@pytest.mark.parametrize(
    "there",
    [pytest.param(b'{"properties":{"number":0}}', id="whole JSON"), pytest.param(b"x" * 70_000, id="not our writing")],
)
def test_what_is_no_half_line_of_ours_is_kept_and_ended(path: Path, there: bytes) -> None:
    path.write_bytes(there)
    destination = JsonLinesDestination(path)
    destination.send([envelope(1)])
    destination.close()
    assert path.read_bytes() == there + b"\n" + envelope(1).body + b"\n"


def test_a_file_that_cannot_be_written_is_tried_again_later(path: Path) -> None:
    path.mkdir()
    destination = JsonLinesDestination(path)
    with pytest.raises(Unavailable, match=r"events.jsonl cannot be written \(Is a directory\)"):
        destination.send([envelope(1)])
    path.rmdir()
    destination.send([envelope(1)])
    destination.close()
    assert numbers_in(path) == [1]


def test_a_named_pipe_can_be_written_to(path: Path) -> None:
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    destination = JsonLinesDestination(path)
    destination.send([envelope(1)])
    destination.close()
    assert os.read(reading, 1_000) == envelope(1).body + b"\n"
    os.close(reading)
