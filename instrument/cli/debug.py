"""`instrument debug`: the local debugger."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli import text
from instrument.debugger.catalog import Catalog

_ORIGIN = re.compile(r"https?://(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]+)?/?")


def debug(
    *,
    port: Annotated[
        int, typer.Option("--port", envvar="INSTRUMENT_DEBUG_PORT", min=0, max=65_535, help="0 for any that is free.")
    ] = 8765,
    host: Annotated[str, typer.Option("--host", help="An address of the loopback interface.")] = "127.0.0.1",
    packages: Annotated[
        list[str],
        typer.Option("--package", help="A package that declares messages, imported with its modules; may be repeated."),
    ] = [],  # noqa: B006 - Typer reads it, and makes a new list
    origins: Annotated[
        list[str],
        typer.Option(
            "--allow-origin",
            help="A page's origin that may send from a browser, as http://localhost:3000; may be repeated.",
        ),
    ] = [],  # noqa: B006 - as above
) -> None:
    """Show what applications send, and check it against what they declare: in a browser, and by `instrument tail`.

    Ends on SIGINT and SIGTERM.
    """
    try:
        from instrument.debugger.server import Debugger, NotHere  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        text.complain(f"`instrument debug` needs {error.name}: pip install 'instrument-analytics[debug]'")
        raise typer.Exit(2) from None
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise typer.BadParameter(f"--allow-origin {origin}: it is no origin, such as http://localhost:3000")
    catalog = _catalog(packages)
    try:
        debugger = Debugger(catalog, host=host, port=port, allowed=origins)
    except NotHere as error:
        raise typer.BadParameter(str(error)) from None
    text.say(f"Listening on {debugger.url}, with {text.counted(len(catalog.models), 'declared message')}.")
    text.say("Applications with INSTRUMENT_DEBUG=1 send here. Ctrl-C ends it.")
    debugger.run()


def _catalog(packages: list[str]) -> Catalog:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return Catalog.loaded(packages)
    except Exception as error:  # noqa: BLE001 - a package that is imported may raise anything
        raise typer.BadParameter(f"--package: {type(error).__name__}: {error}") from None
