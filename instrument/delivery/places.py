"""What kind of file system a directory is on."""

from __future__ import annotations

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
        place = Path(where.replace("\\040", " "))
        if len(place.parts) > best and (place == wanted or place in wanted.parents):
            best, kind = len(place.parts), found
    return kind.startswith(_NETWORK)
