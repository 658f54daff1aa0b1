"""The transactional outbox: a table of the user's own database, with a row for each message that waits to be sent.

A row is written in the transaction that its message tells of. The extra `instrument-analytics[sqlalchemy]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    String,
    Table,
    Text,
    create_engine,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError

from instrument.delivery.envelope import Envelope
from instrument.delivery.rows import MESSAGE_ID_LENGTH, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Engine, MetaData

_SYNCHRONOUS: Final = {
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""What an address is opened with, where it names a driver for another purpose, or none."""


def outbox_table(metadata: MetaData, name: str = TABLE_NAME, *, schema: str | None = None) -> Table:
    """Declare the table of an outbox, to be made with the others of an application: by `create_all`, or by Alembic.

    Args:
        metadata: what the table is declared in.
        name: its name.
        schema: the schema of the database that it lies in; by default the connection's own.

    >>> from sqlalchemy import MetaData
    >>> outbox_table(MetaData()).columns.keys()
    ['id', 'message_id', 'body']
    """
    return Table(
        name,
        metadata,
        # SQLite numbers rows by itself only where the type is this one.
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        # Not unique: that a message comes twice must not break the transaction that it tells of.
        Column("message_id", String(MESSAGE_ID_LENGTH), nullable=False),
        Column("body", Text, nullable=False),
        schema=schema,
    )


def open_database(url: str) -> Engine:
    """Return an engine for an address, as of SQLAlchemy, with a driver that is synchronous.

    Raises:
        ValueError: there is no such kind of database, or its driver is not installed.
    """
    try:
        address = make_url(url)
        driver = _SYNCHRONOUS.get(address.drivername, address.drivername)
        return create_engine(address.set(drivername=driver), pool_pre_ping=True)
    except (ArgumentError, ModuleNotFoundError) as error:
        # Its text may hold the password.
        raise ValueError(f"the address of the database cannot be used ({type(error).__name__})") from None


def store(connection: Connection, table: Table, envelopes: Iterable[Envelope]) -> None:
    """Write messages into an outbox, in the transaction of a connection.

    Raises:
        SQLAlchemyError: they could not be written; the transaction can go on without them.
    """
    rows = [{"message_id": each.message_id, "body": each.body.decode()} for each in envelopes]
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    with connection.begin_nested():  # where a statement that fails would break the whole transaction
        connection.execute(insert(table), rows)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lies in an outbox.

    Attributes:
        messages: how many.
        oldest: the first of them, or `None`.
    """

    messages: int
    oldest: Envelope | None


def backlog(engine: Engine, table: Table) -> Backlog:
    """Look into an outbox.

    Raises:
        SQLAlchemyError: it cannot be read.
    """
    with engine.connect() as connection:
        number = connection.scalar(select(func.count()).select_from(table)) or 0
        oldest = connection.execute(select(table.c.message_id, table.c.body).order_by(table.c.id).limit(1)).first()
    return Backlog(number, None if oldest is None else Envelope(oldest[0], oldest[1].encode()))
