"""Ownership of a file among processes: a `flock` on a lock file beside it (flock(2))."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from instrument.forks import ForkSafe, Guard, at_fork

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
        self.path: Path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, create: bool = True, shared: bool = False) -> Lock | None:
        """Take a lock; `None` where another process holds it.

        Args:
            path: the lock file.
            create: whether the file is made where there is none.
            shared: whether others may share it, who only look.

        Raises:
            OSError: the file cannot be opened, or not be locked on its file system.
        """
        assert fcntl is not None
        with _guard.lock:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                # Whoever held it may have removed the file after we opened it: then another may make it anew.
                if os.fstat(descriptor).st_nlink > 0:
                    _taken.descriptors.add(descriptor)
                    return cls(path, descriptor)
            except BlockingIOError:
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)
            return None

    def release(self) -> None:
        """Let the lock go; once more does nothing."""
        with _guard.lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor in _taken.descriptors:
                _taken.descriptors.remove(descriptor)
                os.close(descriptor)

    def remove(self) -> None:
        """Remove the lock file and let the lock go."""
        self.path.unlink(missing_ok=True)
        self.release()


class _Taken(ForkSafe):
    """The locks of this process.

    A forked child has copies of their descriptors, which would keep the locks for as long as it lives. Closing a
    copy leaves the parent's lock as it is; unlocking it would not.
    """

    __slots__ = ("__weakref__", "descriptors")

    def __init__(self) -> None:
        self.descriptors: set[int] = set()
        at_fork(self)

    def after_fork_in_child(self) -> None:
        """Close the copies."""
        for each in self.descriptors:
            os.close(each)
        self.descriptors.clear()


_guard = Guard()
_taken = _Taken()


def available() -> bool:
    """Whether this system has such locks."""
    return fcntl is not None
