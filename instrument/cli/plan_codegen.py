"""`instrument plan codegen`: classes out of an existing tracking plan."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli import text
from instrument.plan.codegen.problems import MissingExtra, PackageError, PlanFileError

if TYPE_CHECKING:
    from collections.abc import Generator

    from instrument.plan.codegen.making import Making

COMMAND = "instrument plan codegen"

Output = Annotated[
    Path, typer.Option("--output", "-o", help="The directory of the package that is made.", show_default=False)
]
Prune = Annotated[bool, typer.Option("--prune", help="Remove the classes of messages that are there no more.")]
Force = Annotated[bool, typer.Option("--force", help="Replace modules that were changed or written by hand.")]


def codegen(
    plan: Annotated[Path, typer.Argument(help="The plan.", metavar="FILE", show_default=False)],
    output: Output,
    *,
    prune: Prune = False,
    force: Force = False,
) -> None:
    """Make the scopes and events of a plan.

    FILE is a plan of Segment Protocols or Typewriter, a directory of JSON Schemas, a table in CSV, or our export.

    Run it again when the plan has changed: classes and fields keep their names, and other modules are left alone.

    Exits with 1 where the plan cannot be read, or where something that was written by hand would be lost.
    """
    from instrument.plan.codegen.formats import read_plan  # noqa: PLC0415 - slow, and for this command alone
    from instrument.plan.codegen.making import make_package  # noqa: PLC0415 - as above

    with complaining():
        made = make_package(read_plan(plan), output, COMMAND, prune=prune, force=force)
    report(made, output)


@contextmanager
def complaining() -> Generator[None]:
    """End the program with one clear text for what is wrong with the plan or the package.

    Raises:
        typer.Exit: see above.
    """
    try:
        yield
    except MissingExtra as error:
        text.complain(str(error))
        raise typer.Exit(2) from None
    except (PlanFileError, PackageError) as error:
        text.complain(str(error))
        raise typer.Exit(1) from None


def report(made: Making, output: Path) -> None:
    """Say what was made, and what the classes do not say."""
    for remark in made.remarks:
        text.complain(f"note: {remark}")
    for name in made.added:
        text.say(f"added: {name}")
    for name in made.removed:
        text.say(f"removed: {name}")
    for name in made.changed:
        text.say(f"written: {output / name}")
    what = text.counted(made.messages, "message")
    text.say(f"{output}: {what}" + ("" if made.changed else ", nothing to do"))
