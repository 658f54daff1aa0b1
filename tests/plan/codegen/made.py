"""Packages that the command makes: made, imported and checked as a user would."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from instrument.cli.app import app
from instrument.messages import Message, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from typer.testing import Result

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A directory in which packages are made.

    Attributes:
        root: the directory.
        name: the name of the package, unlike that of any other test's.
        mypy_cache: gives the directory of what mypy keeps from one test to the next, of whichever process.
    """

    root: Path
    name: str
    mypy_cache: Callable[[], AbstractContextManager[Path]]

    @property
    def package(self) -> Path:
        return self.root / self.name

    def plan(self, value: Any, name: str = "plan.json") -> Path:
        """Write a plan."""
        path = self.root / name
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return path

    def codegen(self, value: Any, *options: str, name: str = "plan.json") -> Result:
        """Run the command over a plan."""
        path = value if isinstance(value, Path) else self.plan(value, name)
        return self.run("plan", "codegen", str(path), "-o", str(self.package), *options)

    def run(self, *arguments: str) -> Result:
        return CliRunner(env={"COLUMNS": "240"}).invoke(app, list(arguments))

    def made(self, value: Any, *options: str) -> str:
        """Make a package that can be made, and return the source code of its messages without the header."""
        result = self.codegen(value, *options)
        assert result.exit_code == 0, result.output
        return self.source("events.py")

    def source(self, module: str) -> str:
        """Return the source code of a module without its header."""
        text = (self.package / module).read_text(encoding="utf-8")
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("# "))

    def files(self) -> dict[str, bytes]:
        """Return every file of the package."""
        found = (path for path in self.package.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {str(path.relative_to(self.package)): path.read_bytes() for path in found}

    @contextmanager
    def imported(self) -> Iterator[dict[str, type[Message]]]:
        """Import the package, and give its messages by the names of their classes."""
        sys.path.insert(0, str(self.root))
        importlib.invalidate_caches()
        before = set(sys.modules)
        try:
            with registry.isolated():
                for path in sorted(self.package.glob("[!_]*.py")):
                    importlib.import_module(f"{self.name}.{path.stem}")
                yield {each.__name__: each for each in registry.messages()}
        finally:
            sys.path.remove(str(self.root))
            for each in set(sys.modules) - before:
                if each.partition(".")[0] == self.name:
                    del sys.modules[each]

    def check(self, *ruff: str) -> None:
        """Check the package with ruff and mypy."""
        self._run("ruff", "check", "--no-cache", *ruff)
        self._run("ruff", "format", "--check", "--no-cache", *ruff[:2])
        with self.mypy_cache() as cache:
            self._run("mypy", "--strict", f"--cache-dir={cache}", "--config-file=")

    def _run(self, *tool: str) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", *tool, self.name],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "MYPYPATH": str(ROOT)},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def rule(key: str, properties: Any = None, **schema: Any) -> dict[str, Any]:
    """Return a rule of a plan of Segment."""
    return {"type": "TRACK", "key": key, "version": 1, "jsonSchema": {"properties": properties or {}, **schema}}


def plan_of(*rules: dict[str, Any]) -> dict[str, Any]:
    """Return a plan of Segment."""
    return {"id": "tp_1", "name": "Shop", "rules": list(rules)}
