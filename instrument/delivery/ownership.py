"""Ownership of a file among processes: a `flock` on a lock file beside it (flock(2))."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock that is held until it is released, or its process dies."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, create: bool = True, shared: bool = False) -> Lock | None:
        """Take a lock; `None` where another process holds it.

        Args:
            path: the lock file.
            create: whether the file is made where there is none.
            shared: whether others may share it, who only look.

        Raises:
            OSError: the file cannot be opened.
        """
        assert fcntl is not None
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            # Whoever held it may have removed the file after we opened it: then another may make it anew.
            held = os.fstat(descriptor).st_nlink > 0
        except OSError:
            held = False
        if not held:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def release(self) -> None:
        """Let the lock go."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Remove the lock file and let the lock go."""
        self.path.unlink(missing_ok=True)
        self.release()

    def abandon_after_fork(self) -> None:
        """Close a forked child's copy, which leaves the parent's lock as it is."""
        os.close(self._descriptor)


def available() -> bool:
    """Whether this system has such locks."""
    return fcntl is not None
