"""What kind of file system a directory is on."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gluster")


def is_network_file_system(directory: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether a directory is on a network file system, as far as the system tells (proc(5), on Linux).

    Args:
        directory: it need not exist.
        mounts: the table of mounts.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    wanted = directory.resolve()
    best, kind = -1, ""
    for line in lines:
        _, where, found, *_ = [*line.split(" "), "", "", ""]
        place = Path(_unescaped(where))
        # Of several mounts at one place, the last one is on top.
        if len(place.parts) >= best and (place == wanted or place in wanted.parents):
            best, kind = len(place.parts), found
    return kind.startswith(_NETWORK)


def _unescaped(place: str) -> str:
    """Read the octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), place)
