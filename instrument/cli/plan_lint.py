"""`instrument plan lint`: what is wrong with the declared events."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli.plan_options import Exclude, Packages, ProjectDir, plannable, project_of
from instrument.plan.lint import LintSettingsError, lint
from instrument.plan.lint_report import to_github, to_json, to_text

if TYPE_CHECKING:
    from instrument.plan.project import Project


class Format(str, Enum):
    """How the problems are shown."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


_REPORTS = {Format.TEXT: to_text, Format.JSON: to_json, Format.GITHUB: to_github}

_Codes = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="CODE", help="Only these rules, or those that begin so.", show_default=False),
]
_Ignored = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODE", help="Not these rules, besides the project's.", show_default=False),
]


def lint_plan(
    *,
    form: Annotated[Format, typer.Option("--format", help="How the problems are shown.")] = Format.TEXT,
    select: _Codes = None,
    ignore: _Ignored = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever is found.")] = False,
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
) -> None:
    """Look for what is wrong with the declared events: names, types, personal data, what nothing emits.

    Exits with 1 where there is a problem, and with 2 where a module cannot be imported.
    """
    project = _with_options(project_of(packages, exclude, directory), select, ignore)
    try:
        with plannable():
            problems = lint(project)
    except LintSettingsError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(_REPORTS[form](problems, project.root), nl=False)
    if problems and not exit_zero:
        raise typer.Exit(1)


def _with_options(project: Project, select: list[str] | None, ignore: list[str] | None) -> Project:
    settings = project.lint
    changed = {"select": tuple(select or settings.select), "ignore": (*settings.ignore, *(ignore or ()))}
    return replace(project, lint=settings.model_copy(update=changed))
