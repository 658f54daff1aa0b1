"""`instrument outbox`: the table in a database from which `instrument forward --outbox` takes messages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from instrument.cli import text
from instrument.cli.options import AsJson, OutboxTable, outbox_of

if TYPE_CHECKING:
    from collections.abc import Generator

app: Final = typer.Typer(help="Look after an outbox in a database.", no_args_is_help=True)

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL", envvar="INSTRUMENT_OUTBOX", help="The database; an address as of SQLAlchemy.", show_default=False
    ),
]


@app.command()
def create(url: Url, *, table: OutboxTable = None) -> None:
    """Make the table, unless it is there."""
    with outbox_of(url, table) as (engine, outbox), _told():
        outbox.metadata.create_all(engine)
    text.say(f"The table {outbox.fullname} is there.")


@app.command()
def status(url: Url, *, table: OutboxTable = None, as_json: AsJson = False) -> None:
    """Count the messages that wait, and show the oldest."""
    with outbox_of(url, table) as (engine, outbox), _told():
        from instrument.delivery.outbox import backlog  # noqa: PLC0415 - of an extra

        found = backlog(engine, outbox)
    oldest = found.oldest
    if as_json:
        text.say_json({"messages": found.messages, "oldest": oldest and oldest.message_id})
    elif oldest is None:
        text.say("The outbox is empty.")
    else:
        text.say(
            f"{text.counted(found.messages, 'message')}; the oldest: {oldest.type} {oldest.name}, {oldest.message_id}"
        )


@contextmanager
def _told() -> Generator[None]:
    """End the command where the database cannot be read or written, and say so without what a statement may show."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - of an extra

    try:
        yield
    except SQLAlchemyError as error:
        text.complain(f"the database cannot be read or written ({type(error).__name__}); is the table there?")
        raise typer.Exit(1) from None
