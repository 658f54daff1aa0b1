"""How long it takes to import each package, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.collecting import environment
from benchmarks.measuring import interleaved
from benchmarks.table import Bar, Result

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRAM = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_time(*, quick: bool) -> Result:
    """Compare `import instrument` with `import segment.analytics`."""
    sides = {"ours": importing("instrument"), "theirs": importing("segment.analytics")}
    for run in sides.values():
        run()  # the first one compiles and reads the disk
    samples = interleaved(sides, 3 if quick else 20)
    return Result("import", "ms", samples.median("theirs") * 1e3, samples.median("ours") * 1e3, Bar(1.25))


def importing(package: str) -> Callable[[], float]:
    """Return what imports a package in a fresh process, and gives the seconds that it took."""
    command = [sys.executable, "-c", _PROGRAM.format(package)]
    compiled = environment()
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages are compiled; a checkout by its first import

    def run() -> float:
        return float(subprocess.run(command, env=compiled, check=True, capture_output=True, text=True).stdout)

    return run
