"""The request scope in the lines of the log: for the standard library's `logging`."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from instrument.context import request_scope
from instrument.scopes import personal_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

ATTRIBUTE: Final = "request_scope"
"""The attribute that `scoped_records` gives to each record."""

_AS_IT_IS = (str, int, float)
_AS_TEXT = (UUID, Decimal, date)


def scope_fields(names: Collection[str] | None = None) -> dict[str, str | int | float]:
    """Return the fields of the present request scope that may stand in a log.

    A field that any declared scope marks as personal data is never among them, and neither is a value that is no
    text, number, id or date.

    Args:
        names: which fields; by default all.

    >>> from uuid import UUID
    >>> from instrument import Scope, request_scope
    >>> class TenantScope(Scope):
    ...     user_id: int
    ...     tenant_id: UUID
    >>> with request_scope(user_id=7, tenant_id=UUID(int=3)):
    ...     scope_fields()
    {'user_id': 7, 'tenant_id': '00000000-0000-0000-0000-000000000003'}
    """
    values = request_scope.values()
    if not values:
        return {}
    personal = personal_names()
    shown = ((name, _plain(value)) for name, value in values.items() if name not in personal)
    return {name: value for name, value in shown if value is not None and (names is None or name in names)}


class ScopeFilter(logging.Filter):
    """Gives each record the fields of the request scope as attributes; it lets every record pass.

    It belongs on a handler, of which it sees all records, and where records are handed to another thread, on the
    handler that hands them over. What a record has already, by `extra` or by itself, stays.

    Args:
        names: which fields; by default all.

    >>> import sys
    >>> from instrument import Scope, request_scope
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> handler = logging.StreamHandler(sys.stdout)
    >>> handler.addFilter(ScopeFilter())
    >>> handler.setFormatter(logging.Formatter("%(user_id)s %(message)s", defaults={"user_id": "-"}))
    >>> log = logging.Logger("shop")
    >>> log.addHandler(handler)
    >>> with request_scope(user_id=7):
    ...     log.warning("paid")
    7 paid
    >>> log.warning("idle")
    - idle
    """

    def __init__(self, names: Collection[str] | None = None) -> None:
        super().__init__()
        self._names = names

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields."""
        for name, value in scope_fields(self._names).items():
            record.__dict__.setdefault(name, value)
        return True


def scoped_records(
    factory: Callable[..., logging.LogRecord] | None = None, *, names: Collection[str] | None = None
) -> Callable[..., logging.LogRecord]:
    """Make a factory of records that have the fields of the request scope, for `logging.setLogRecordFactory`.

    The fields stand under one attribute, `request_scope`: a field as an attribute of its own would make every call
    raise whose `extra` has the same name.

    Args:
        factory: what makes the records; by default what does so now.
        names: which fields; by default all.

    >>> make = scoped_records()
    >>> make("shop", logging.INFO, "shop.py", 1, "paid", (), None).request_scope
    {}
    """
    inner = factory or logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = inner(*args, **kwargs)
        record.__dict__.setdefault(ATTRIBUTE, scope_fields(names))
        return record

    return make


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, _AS_IT_IS):
        return value
    return str(value) if isinstance(value, _AS_TEXT) else None
