"""The command and its parts."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Final

import typer

from instrument.cli import dead_letters, debug, flush, forget, forward, outbox, plan, spool, tail, text
from instrument.cli.logs import log_to_stderr
from instrument.version import VERSION

_CLOSED_OUTPUT = {errno.EPIPE: 1, errno.ENOSPC: 2}
"""What standard output raises where it takes no more, with the exit code."""

_STDOUT = 1

app: Final = typer.Typer(
    name="instrument",
    help="Look after product analytics: the plan of what is sent, and its delivery.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback of Typer's shows the values of variables: those of messages among them.
    pretty_exceptions_enable=False,
)
app.add_typer(spool.app, name="spool")
app.add_typer(plan.app, name="plan")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(outbox.app, name="outbox")
app.command(name="flush")(flush.flush)
app.command(name="forget")(forget.forget)
app.command(name="forward")(forward.forward)
app.command(name="debug")(debug.debug)
app.command(name="tail")(tail.tail)


def run() -> None:
    """Run the command line, and exit."""
    log_to_stderr()
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # as it is where it was closed
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _CLOSED_OUTPUT:
            raise
        if error.errno != errno.EPIPE:  # who reads a pipe may have enough
            text.complain(f"the output cannot be written: {error.strerror}")
        # Python flushes standard output once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
        sys.exit(_CLOSED_OUTPUT[error.errno])


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Look after product analytics: the plan of what is sent, and its delivery."""
