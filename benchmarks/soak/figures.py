"""What a process holds of its machine, and what of that has grown."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Figures:
    """What an application holds.

    Attributes:
        memory: resident, in MiB.
        threads: how many.
        handles: open files and connections.
        files: files in the directory of the spools, of every process.
    """

    memory: float
    threads: float
    handles: float
    files: float

    @classmethod
    def of(cls, pid: int, directory: Path) -> Self:
        """Look at a process now."""
        process = psutil.Process(pid)
        files = sum(each.is_file() for each in directory.rglob("*"))
        return cls(process.memory_info().rss / (1 << 20), process.num_threads(), process.num_fds(), files)

    @classmethod
    def typical(cls, looks: Sequence[Self]) -> Self:
        """Return the median of each, over several looks."""
        return cls(
            median(each.memory for each in looks),
            median(each.threads for each in looks),
            median(each.handles for each in looks),
            median(each.files for each in looks),
        )


MOST_GROWTH = Figures(memory=8.0, threads=0, handles=0, files=0)
"""By how much each may grow, from after the warm-up to the end: the allocator's slack, and nothing else."""
