"""Exported files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instrument.plan.exports.files import write

if TYPE_CHECKING:
    from pathlib import Path

_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from instrument.plan.exports.files import write

resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    write(Path(sys.argv[1]), "x" * 100_000)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_without_room_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text("before", encoding="utf-8")
    command = [sys.executable, "-c", _WITH_LITTLE_ROOM, str(file)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert said == "OSError\n"
    assert [(each.name, each.read_text(encoding="utf-8")) for each in tmp_path.iterdir()] == [("plan.json", "before")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual_one(tmp_path: Path) -> None:
    kept, new, usual = tmp_path / "kept", tmp_path / "new", tmp_path / "usual"
    kept.touch(mode=0o640)
    usual.touch()
    assert write(kept, "text")
    assert write(new, "text")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert new.stat().st_mode == usual.stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    try:
        link.symlink_to(file)
    except OSError:
        pytest.skip("links cannot be made here")
    write(link, "text")
    assert os.path.islink(link)  # noqa: PTH114 - of the path as it is
    assert file.read_text(encoding="utf-8") == "text"
