"""The project whose plan it is: its root, its packages, and what pyproject.toml says of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from instrument.errors import InstrumentError
from instrument.plan.lint_settings import LintSettings
from instrument.plan.model import CodePlace

if TYPE_CHECKING:
    from collections.abc import Sequence

PYPROJECT = "pyproject.toml"
EXCLUDED = ("*.__main__", "*.tests", "*.tests.*", "*.test_*", "*.conftest")
"""What is not imported unless asked for: programs, which would run, and tests, whose messages are made up."""

_INSTALLED = {"site-packages", "dist-packages"}
_NO_MODULE = re.compile(r"[/\\:\s]|^\.|\.\.|\.$|^$")
"""A path, an entry point, a relative name, or nothing."""


class ProjectError(InstrumentError):
    """A pyproject.toml that cannot be used."""


@dataclass(frozen=True, slots=True)
class Project:
    """Whose messages make the plan.

    Attributes:
        root: the directory that files in the plan are relative to.
        packages: what to import, with all that is below it.
        exclude: patterns of modules that are not imported, as of a shell.
        name: what the plan is called.
        plan_file: where a plan file is kept under version control, relative to the root; empty where none is.
        lint: what the linter looks for.
    """

    root: Path
    packages: tuple[str, ...]
    exclude: tuple[str, ...] = EXCLUDED
    name: str = ""
    plan_file: str = ""
    lint: LintSettings = field(default_factory=LintSettings)

    @property
    def title(self) -> str:
        """The name, or the packages where there is none."""
        return self.name or ", ".join(self.packages)

    @property
    def import_roots(self) -> tuple[Path, ...]:
        """Where the packages may lie."""
        return tuple(each for each in (self.root, self.root / "src") if each.is_dir())

    def owns(self, module: str) -> bool:
        """Whether a module is one of the packages, or below one."""
        return any(module == each or module.startswith(f"{each}.") for each in self.packages)

    def has(self, file: str) -> bool:
        """Whether a file is the project's own, and not of an environment that lies in it."""
        return _below(self.root, file) is not None

    def place(self, file: str, line: int | None = None, *, module: str = "") -> CodePlace:
        """Return a place with its file relative to the root.

        Of a package that lies elsewhere, as one that is installed, the file is named from the package on: the same on
        every machine.
        """
        below = _below(self.root, file)
        if below is not None:
            return CodePlace(file=below, line=line)
        depth = _depth(module) if module else 1
        return CodePlace(file=Path(*Path(file).resolve().parts[-depth:]).as_posix(), line=line)


@lru_cache(maxsize=10_000)
def _below(root: Path, file: str) -> str | None:
    """Return where a file lies below the root; `None` where it is not the project's own."""
    path, root = Path(file).resolve(), root.resolve()
    if not (path.is_file() and path.is_relative_to(root)):
        return None
    below = path.relative_to(root)
    return below.as_posix() if _INSTALLED.isdisjoint(below.parts) else None


def find_project(
    start: Path,
    *,
    packages: Sequence[str] = (),
    exclude: Sequence[str] = (),
    name: str | None = None,
) -> Project:
    """Return the project of a directory: that of the nearest pyproject.toml, or else the directory itself.

    Args:
        start: where to begin to look, upwards.
        packages: instead of those in `[tool.instrument]`.
        exclude: besides the usual ones and those in `[tool.instrument]`.
        name: instead of the one in `[tool.instrument]`.

    Raises:
        ProjectError: pyproject.toml cannot be read, `[tool.instrument]` has something else, or no package is named,
            or by what is no name of one.
    """
    file = next((each / PYPROJECT for each in (start, *start.parents) if (each / PYPROJECT).is_file()), None)
    table = _Table() if file is None else _table(file)
    chosen = tuple(packages) or table.packages
    if not chosen:
        where = f"{file} has none in [tool.instrument]" if file else f"there is no {PYPROJECT} in {start} or above"
        raise ProjectError(
            f"No packages: name those that declare or emit messages by --package, or list them: `[tool.instrument]` "
            f'and `packages = ["shop"]` in {PYPROJECT} ({where}).'
        )
    wrong = next((each for each in chosen if _NO_MODULE.search(each)), None)
    if wrong is not None:
        raise ProjectError(f"{wrong!r} is no name of a package: write it as in an import, for instance shop.orders.")
    return Project(
        root=start if file is None else file.parent,
        packages=chosen,
        exclude=(*EXCLUDED, *table.exclude, *exclude),
        name=table.name if name is None else name,
        plan_file=table.plan,
        lint=table.lint,
    )


class _Table(BaseModel):
    """The table `[tool.instrument]`; what it holds besides is for others."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", strict=False)

    packages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    name: str = ""
    plan: str = ""
    lint: LintSettings = LintSettings()


class _Tools(BaseModel):
    instrument: _Table = _Table()


class _Pyproject(BaseModel):
    tool: _Tools = _Tools()


def _table(file: Path) -> _Table:
    try:
        return _Pyproject.model_validate(_parsed(file.read_text(encoding="utf-8"))).tool.instrument
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ProjectError(f"{file}: {problems}") from None
    except (OSError, ValueError) as error:
        raise ProjectError(f"{file} cannot be read: {error}") from None


def _parsed(text: str) -> dict[str, Any]:
    """Return what TOML says.

    Raises:
        ValueError: it is no TOML.
    """
    # Here, since Python 3.10 has none of its own, and only who makes a plan needs it.
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        import tomli as tomllib  # noqa: PLC0415
    return tomllib.loads(text)


def _depth(module: str) -> int:
    spec = find_spec(module) if module in sys.modules else None
    return module.count(".") + 1 + (spec is not None and spec.submodule_search_locations is not None)
