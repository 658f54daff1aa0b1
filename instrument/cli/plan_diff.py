"""`instrument plan diff`: what changed between two plans, and whether it breaks anything."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli import text
from instrument.cli.plan_options import Exclude, Packages, ProjectDir, collected, project_of, read_plan
from instrument.plan.diff import diff
from instrument.plan.diff_report import to_json, to_markdown, to_text
from instrument.plan.revisions import Repository, RevisionError

if TYPE_CHECKING:
    from instrument.plan.model import Plan

_USAGE = 2
_WORKING_TREE = "working tree"


class Format(str, Enum):
    """How the changes are shown."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


class FailOn(str, Enum):
    """Which changes make the command exit with 1."""

    BREAKING = "breaking"
    ANY = "any"
    NEVER = "never"


_REPORTS = {Format.TEXT: to_text, Format.MARKDOWN: to_markdown, Format.JSON: to_json}


def diff_plans(
    old: Annotated[str, typer.Argument(help="A plan file, or a revision of git such as HEAD~1 or main.")],
    new: Annotated[
        str | None, typer.Argument(help="The same; by default what is in the working tree.", show_default=False)
    ] = None,
    *,
    form: Annotated[Format, typer.Option("--format", help="How the changes are shown.")] = Format.TEXT,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Which changes exit with 1.")] = FailOn.BREAKING,
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
) -> None:
    """Show what changed between two plans, and what of it breaks something.

    Exits with 1 where a change is breaking (see --fail-on), and with 2 where there is nothing to compare.
    """
    source = _Source(packages, exclude, directory)
    try:
        before = source.plan(old)
        after = source.working_tree() if new is None else source.plan(new)
    except RevisionError as error:
        text.complain(str(error))
        raise typer.Exit(_USAGE) from None
    found = diff(before, after, names=(old, _WORKING_TREE if new is None else new))
    typer.echo(_REPORTS[form](found), nl=False)
    if found.changes if fail_on is FailOn.ANY else found.breaking and fail_on is FailOn.BREAKING:
        raise typer.Exit(1)


class _Source:
    """Where plans come from: files, revisions, the working tree."""

    def __init__(self, packages: list[str] | None, exclude: list[str] | None, directory: Path) -> None:
        self._packages = packages
        self._exclude = exclude
        self._directory = directory

    def working_tree(self) -> Plan:
        return collected(project_of(self._packages, self._exclude, self._directory))

    def plan(self, name: str) -> Plan:
        if Path(name).is_file():
            return read_plan(Path(name))
        repository = Repository(self._directory.absolute())
        if not repository.has(name):
            raise RevisionError(f"{name} is neither a file nor a revision of this repository")
        project = project_of(self._packages, self._exclude, self._directory)
        return repository.plan(name, project, self._packages or (), self._exclude or ())
