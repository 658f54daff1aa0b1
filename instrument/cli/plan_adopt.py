"""`instrument plan adopt`: classes out of code that calls Segment's client."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import Annotated

import typer

from instrument.cli import text
from instrument.cli.plan_codegen import Force, Output, Prune, complaining, report

_COMMAND = "instrument plan adopt"


def adopt(
    code: Annotated[
        Path, typer.Argument(help="The directory of the code, or a file.", metavar="SRC", show_default=False)
    ],
    output: Output,
    *,
    prune: Prune = False,
    force: Force = False,
) -> None:
    """Make the scopes and events of code that calls Segment's client for Python.

    The code is read, and not run. Calls that cannot be read are told with their file and line.

    Exits with 1 where it has no such call, or where something that was written by hand would be lost.
    """
    from instrument.plan.adopt.adoption import adopt as adopt_code  # noqa: PLC0415 - slow, and for this command alone
    from instrument.plan.codegen.making import make_package  # noqa: PLC0415 - as above

    with complaining():
        adoption = adopt_code(code)
        for each in adoption.unread:
            text.complain(f"not read: {each.place}: {each.why}")
        if not adoption.calls:
            text.complain(f"{code}: no call of Segment's client is found in it")
            raise typer.Exit(1)
        made = make_package(adoption.draft, output, _COMMAND, prune=prune, force=force)
    report(made, output)
    text.say(f"{text.counted(len(adoption.calls), 'call')} read, {len(adoption.unread)} not, or not as a whole")
