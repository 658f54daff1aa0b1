"""The outbox as a destination: for what is emitted outside of a transaction, and waits for the relay all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, MetaData

from instrument.delivery.destination import Limits, Unavailable
from instrument.delivery.outbox import open_database, outbox_table, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Table

    from instrument.delivery.envelope import Envelope


class OutboxDestination:
    """Writes envelopes into an outbox, in transactions of their own.

    Args:
        database: an engine of the application, or the address of the database.
        table: the outbox; without one, the table that `instrument outbox create` makes.

    Raises:
        ValueError: the address is of no database that can be opened.

    >>> from instrument import configure
    >>> from instrument.delivery.destinations.outbox import OutboxDestination
    >>> client = configure(destinations=[OutboxDestination("sqlite:///shop.db")], durability="memory")
    """

    limits: Limits = Limits()
    remote = False  # the application's own database, which tests have one of

    def __init__(self, database: Engine | str, table: Table | None = None, *, name: str = "outbox") -> None:
        self.name = name
        self._engine = database if isinstance(database, Engine) else open_database(database)
        self._is_own = not isinstance(database, Engine)
        self._table = outbox_table(MetaData()) if table is None else table

    def send(self, batch: Sequence[Envelope]) -> None:
        """Write a batch.

        Raises:
            Unavailable: it could not be written.
        """
        try:
            with self._engine.begin() as connection:
                store(connection, self._table, batch)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            raise Unavailable(f"the outbox cannot be written ({type(error).__name__})") from None

    def forget_connections(self) -> None:
        """Leave the connections to the parent of a forked child."""
        self._engine.dispose(close=False)

    def close(self) -> None:
        """Close the connections, where no one else has them."""
        if self._is_own:
            self._engine.dispose()
