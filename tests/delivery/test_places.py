from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.delivery.places import is_network_file_system

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    table = tmp_path / "mounts"
    blank = str(tmp_path / "with blank").replace(" ", "\\040")
    table.write_text(
        f"""/dev/sda / ext4 rw 0 0
server:/x {tmp_path}/nfs nfs4 rw 0 0
/dev/sdb {tmp_path}/nfs/local xfs rw 0 0
//server/y {blank} cifs rw 0 0
/dev/sdc {tmp_path}/covered ext4 rw 0 0
server:/z {tmp_path}/covered nfs rw 0 0
us {tmp_path}/sshfs fuse.sshfs rw 0 0
broken line
"""
    )
    return table


@pytest.mark.parametrize(
    ("directory", "network"),
    [
        (".", False),
        ("nfs", True),
        ("nfs/below/and/not/there", True),
        ("nfsish", False),
        ("nfs/local/below", False),
        ("with blank/below", True),
        ("covered", True),
        ("sshfs", True),
    ],
)
def test_the_innermost_mount_tells(tmp_path: Path, mounts: Path, directory: str, *, network: bool) -> None:
    assert is_network_file_system(tmp_path / directory, mounts) is network


def test_a_link_is_followed(tmp_path: Path, mounts: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nfs")
    assert is_network_file_system(tmp_path / "link" / "below", mounts)


def test_where_the_system_does_not_tell_it_is_taken_for_none(tmp_path: Path) -> None:
    assert not is_network_file_system(tmp_path, tmp_path / "missing")
