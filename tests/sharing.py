"""What the processes of one run of pytest have in common."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@contextmanager
def shared_directory(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Give a directory that all processes of this run share, to one of them at a time.

    Args:
        factory: of temporary directories.
        name: of the directory.
    """
    here = factory.getbasetemp()
    directory = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / name
    directory.mkdir(exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
