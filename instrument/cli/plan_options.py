"""Options of the commands for plans, and what they mean."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from instrument.cli import text
from instrument.plan.collect import UnplannableError, collect
from instrument.plan.imports import ImportFailuresError
from instrument.plan.model import Plan, wrong_in_plan
from instrument.plan.project import ProjectError, find_project

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from instrument.plan.project import Project

_USAGE = 2

Packages = Annotated[
    list[str] | None,
    typer.Option(
        "--package",
        "-p",
        # Brackets would be taken for markup, and not be shown.
        help="A package that declares or emits messages; can be given several times. By default those that "
        "pyproject.toml names, in its table tool.instrument.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="A pattern of modules that are not imported, such as `shop.legacy.*`; tests and `__main__` never are.",
        show_default=False,
    ),
]
ProjectDir = Annotated[
    Path, typer.Option("--project", help="Where to look for pyproject.toml, upwards.", file_okay=False, exists=True)
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="A plan file, instead of the packages.", dir_okay=False, show_default=False),
]


def project_of(
    packages: Sequence[str] | None, exclude: Sequence[str] | None, directory: Path, name: str | None = None
) -> Project:
    """Return the project that the options name.

    Raises:
        typer.BadParameter: it names no packages, or pyproject.toml does not fit.
    """
    try:
        return find_project(directory.absolute(), packages=packages or (), exclude=exclude or (), name=name)
    except ProjectError as error:
        raise typer.BadParameter(str(error)) from None


def collected(project: Project) -> Plan:
    """Return the plan of a project's packages; where they cannot be imported, say why and end with 2.

    That they declare nothing is said too: mostly another package was meant.

    Raises:
        typer.Exit: see above.
    """
    with plannable():
        plan = collect(project)
    if not plan.messages:
        text.complain(f"note: no message is declared in {', '.join(project.packages)}")
    return plan


@contextmanager
def plannable() -> Generator[None]:
    """End with 2 where the packages of a project cannot be imported, or make no plan, and say why.

    Raises:
        typer.Exit: see above.
    """
    try:
        yield
    except ImportFailuresError as error:
        for failure in error.failures:
            text.complain(str(failure))
        raise typer.Exit(_USAGE) from None
    except UnplannableError as error:
        text.complain(str(error))
        raise typer.Exit(_USAGE) from None


def read_plan(file: Path) -> Plan:
    """Return the plan of a plan file.

    Raises:
        typer.BadParameter: it cannot be read, or is no plan file.
    """
    try:
        return Plan.read(file)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise typer.BadParameter(
            f"{file} is no plan file, as `instrument plan export --format plan` writes one: {wrong_in_plan(error)}"
        ) from None


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Look for no garbage until a command has ended, nor in what it leaves.

    There is little, since classes live as long as the process; and to look through thousands of them takes as long as
    to make a plan of them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def extra_installed() -> Generator[None]:
    """End with 2 where a package of the extra is not installed, and say how to get it.

    Raises:
        typer.Exit: see above.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("jinja2", "jsonschema"):
            raise
        text.complain(f"This needs {error.name}, which is not installed: pip install 'instrument-analytics[plan]'")
        raise typer.Exit(_USAGE) from None
