"""Django: the table of an outbox, as an operation of a migration, and the rows that are written into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import migrations, models, transaction

from instrument.delivery.rows import MESSAGE_ID_LENGTH, TABLE_NAME

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from instrument.delivery.envelope import Envelope


def create_outbox(table: str = TABLE_NAME) -> migrations.SeparateDatabaseAndState:
    """Make the table of an outbox: one of the `operations` of a migration. No model goes with it.

    Args:
        table: its name.

    >>> from instrument.integrations.django_outbox import create_outbox
    >>> operations = [create_outbox()]
    """
    fields: list[tuple[str, models.Field[object, object]]] = [
        ("id", models.BigAutoField(primary_key=True)),
        # Not unique: that a message comes twice must not break the transaction that it tells of.
        ("message_id", models.CharField(max_length=MESSAGE_ID_LENGTH)),
        ("body", models.TextField()),
    ]
    model = migrations.CreateModel("InstrumentOutbox", fields, options={"db_table": table})
    return migrations.SeparateDatabaseAndState(database_operations=[model])


def insert(connection: BaseDatabaseWrapper, table: str, envelope: Envelope) -> None:
    """Write a message, in the transaction of a connection.

    Raises:
        django.db.Error: it could not be written; the transaction can go on without it.
    """
    name = connection.ops.quote_name(table)
    # A savepoint, since a statement that fails would break the whole transaction of some databases.
    opened: Any = connection  # what its cursor is, the types of Django do not say
    with transaction.atomic(using=connection.alias), opened.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {name} (message_id, body) VALUES (%s, %s)",  # noqa: S608 - a name of the application's own
            [envelope.message_id, envelope.body.decode()],
        )
