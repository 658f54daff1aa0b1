"""The Python files of a code base, as syntax trees. Nothing of it is imported or run."""

from __future__ import annotations

import ast
import os
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instrument.plan.codegen.problems import PlanFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_BYTES = 4 << 20
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file.

    Attributes:
        name: its path, relative to the root of the code base, with forward slashes.
        module: the name that it is imported by from there.
        is_package: whether it is the `__init__.py` of a package.
        tree: what is in it.
    """

    name: str
    module: str
    is_package: bool
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Unread:
    """A place that could not be read, and why."""

    place: str
    why: str


def read_sources(root: Path) -> tuple[list[Source], list[Unread]]:
    """Read every Python file below a directory, or a single one.

    Args:
        root: the directory, or the file.

    Returns:
        The files, and those that cannot be read.

    Raises:
        PlanFileError: there is no such directory or file.
    """
    if not root.exists():
        raise PlanFileError(str(root), "there is no such directory or file")
    sources: list[Source] = []
    unread: list[Unread] = []
    base = root if root.is_dir() else root.parent
    above = _packages(base.resolve())
    for path in _paths(root):
        name = path.relative_to(base).as_posix()
        try:
            sources.append(_source(path, name, above))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            unread.append(Unread(f"{name}:{line}" if line else name, f"it cannot be read: {_why(error)}"))
    return sources, unread


def _paths(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for directory, below, files in os.walk(root):
        here = Path(directory)
        # Neither hidden directories nor virtual environments.
        below[:] = sorted(
            each
            for each in below
            if not each.startswith(".") and each not in _PASSED_OVER and not (here / each / "pyvenv.cfg").exists()
        )
        yield from (here / each for each in sorted(files) if each.endswith(".py"))


def _packages(directory: Path) -> list[str]:
    """Name the packages that a directory lies in, itself included."""
    if not (directory / "__init__.py").exists():
        return []
    return [*_packages(directory.parent), directory.name]


def _source(path: Path, name: str, above: list[str]) -> Source:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES >> 20} MiB")
    with tokenize.open(path) as file:
        tree = ast.parse(file.read())
    parts = [*above, *Path(name).with_suffix("").parts]
    if parts[0] == "src":
        del parts[0]
    is_package = parts[-1] == "__init__"
    return Source(name, ".".join(parts[:-1] if is_package else parts), is_package, tree)


def _why(error: BaseException) -> str:
    if isinstance(error, (RecursionError, MemoryError)):
        return "it is nested too deeply"
    if isinstance(error, SyntaxError):
        return error.msg
    return (error.strerror or "") if isinstance(error, OSError) else str(error)
