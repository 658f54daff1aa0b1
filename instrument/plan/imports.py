"""Importing the packages whose messages make the plan."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from instrument.errors import InstrumentError
from instrument.plan.model import CodePlace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from instrument.plan.project import Project


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A module that cannot be imported.

    Attributes:
        module: its name.
        place: the line of the project that raised.
        error: what was raised.
        looked_in: where the project's own modules are looked for, if it is one that was not found.
    """

    module: str
    place: CodePlace
    error: BaseException
    looked_in: tuple[Path, ...] = ()

    def __str__(self) -> str:
        where = "" if str(self.place) == self.module else f"{self.place}: "
        looked = f" (looked for in {', '.join(map(str, self.looked_in))}, and among what is installed)"
        said = f"{where}{self.module} cannot be imported: {type(self.error).__name__}: {self.error}"
        return said + (looked if self.looked_in else "")


class ImportFailuresError(InstrumentError):
    """Some of the modules of the plan cannot be imported.

    Attributes:
        failures: each of them.
    """

    def __init__(self, failures: Sequence[ImportFailure]) -> None:
        super().__init__("\n".join(map(str, failures)))
        self.failures: tuple[ImportFailure, ...] = tuple(failures)


def import_packages(project: Project) -> tuple[ModuleType, ...]:
    """Import packages with all their modules, but those that the project excludes.

    What they print goes to standard error.

    Raises:
        ImportFailuresError: some cannot be imported; the others are by then.
    """
    failures: list[ImportFailure] = []
    with _importable(project.import_roots), redirect_stdout(sys.stderr):
        modules = [each for name in project.packages for each in _imported(name, project, failures)]
    if failures:
        raise ImportFailuresError(failures)
    return tuple({each.__name__: each for each in modules}.values())


def _imported(name: str, project: Project, failures: list[ImportFailure]) -> Iterator[ModuleType]:
    try:
        module = import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything, and scripts exit
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        looked_in = project.import_roots if missing else ()
        failures.append(ImportFailure(name, _raised_at(name, error, project), error, looked_in))
        return
    yield module
    for found in iter_modules(getattr(module, "__path__", ()), f"{name}."):
        if not any(fnmatchcase(found.name, pattern) for pattern in project.exclude):
            yield from _imported(found.name, project, failures)


def _raised_at(name: str, error: BaseException, project: Project) -> CodePlace:
    """Return the innermost line of the project's own code; where none of it ran, the module."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return project.place(error.filename, error.lineno)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if project.has(frame.filename):
            return project.place(frame.filename, frame.lineno)
    return CodePlace(file=name)


@contextmanager
def _importable(roots: Sequence[Path]) -> Generator[None]:
    """Let modules of the project be found first, as where Python runs in its directory."""
    added = [str(root) for root in roots if str(root) not in sys.path]
    sys.path[:0] = added
    try:
        yield
    finally:
        for each in added:
            sys.path.remove(each)
