"""Programs that run beside a test, and what they print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

_PATIENCE = 30


@dataclass
class Running:
    """A program, and the lines that it has printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, come: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines when they are as they should be."""
        with self.changed:
            assert self.changed.wait_for(lambda: come(self.lines), _PATIENCE), self.lines
            return list(self.lines)

    def interrupt(self) -> int:
        """Send what Ctrl-C sends; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_PATIENCE)


@contextmanager
def running(*arguments: str, cwd: Path | None = None, **environment: str) -> Generator[Running]:
    """Run a module of Python; its output and errors are read together."""
    # A terminal has some width of its own, and Python holds back what is printed to a pipe.
    settings = {**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=settings,
    )
    program = Running(process)
    reader = threading.Thread(target=program.read, daemon=True)
    reader.start()
    try:
        yield program
    finally:
        process.kill()
        process.wait(_PATIENCE)
        reader.join(_PATIENCE)
        assert process.stdout is not None
        process.stdout.close()
