"""`instrument debug`: the local debugger."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli import text
from instrument.cli.plan_options import Exclude, Packages, PlanFile, ProjectDir, collected, project_of, read_plan
from instrument.messages import declared_messages
from instrument.plan.project import ProjectError, find_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.debugger.catalog import Catalog

_EXTRA = ("jsonschema", "starlette", "uvicorn")
_ORIGIN = re.compile(r"https?://(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]+)?/?")
_USAGE = 2


def debug(
    *,
    port: Annotated[
        int, typer.Option("--port", envvar="INSTRUMENT_DEBUG_PORT", min=0, max=65_535, help="0 for any that is free.")
    ] = 8765,
    host: Annotated[
        str, typer.Option("--host", envvar="INSTRUMENT_DEBUG_HOST", help="An address of the loopback interface.")
    ] = "127.0.0.1",
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
    plan_file: PlanFile = None,
    origins: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            help="A page's origin that may send from a browser, as http://localhost:3000; can be given several times.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what applications send, and check it against what they declare: in a browser, and by `instrument tail`.

    Ends on SIGINT and SIGTERM.
    """
    try:
        from instrument.debugger.server import Debugger, NotHere  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        text.complain(f"This needs {error.name}, which is not installed: pip install 'instrument-analytics[debug]'")
        raise typer.Exit(_USAGE) from None
    for origin in origins or ():
        if not _ORIGIN.fullmatch(origin):
            raise typer.BadParameter(f"--allow-origin {origin}: it is no origin, such as http://localhost:3000")
    catalog = _catalog(packages, exclude, directory, plan_file)
    try:
        debugger = Debugger(catalog, host=host, port=port, allowed=origins or ())
    except NotHere as error:
        raise typer.BadParameter(str(error)) from None
    text.say(f"The debugger is at {debugger.url}, and knows {text.counted(len(catalog), 'declared message')}.")
    text.say("It is shown what applications with INSTRUMENT_DEBUG=1 send. Ctrl-C ends it.")
    debugger.run()


def _catalog(
    packages: Sequence[str] | None, exclude: Sequence[str] | None, directory: Path, plan_file: Path | None
) -> Catalog:
    """Load what is declared: by packages, by a plan file, or by both; else by what pyproject.toml names."""
    from instrument.debugger.catalog import Catalog  # noqa: PLC0415 - of an extra

    plan = None if plan_file is None else read_plan(plan_file)
    if not packages and (plan is not None or not _names_packages(directory)):
        return Catalog((), plan)
    project = project_of(packages, exclude, directory)
    collected_plan = collected(project)
    return Catalog([each for each in declared_messages() if project.owns(each.__module__)], plan or collected_plan)


def _names_packages(directory: Path) -> bool:
    try:
        find_project(directory.absolute())
    except ProjectError as error:
        text.complain(f"Nothing can be checked. {error}")
        return False
    return True
