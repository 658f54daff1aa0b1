"""The request scope in the lines of the log: for structlog, the extra `instrument-analytics[structlog]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.integrations.logs import scope_fields

if TYPE_CHECKING:
    from collections.abc import Collection

    from structlog.typing import EventDict, WrappedLogger


class AddScope:
    """A processor that adds the fields of the request scope to each event; what the event has already stays.

    Fields that any declared scope marks as personal data are never added.

    Args:
        names: which fields; by default all.

    >>> from instrument import Scope, request_scope
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> add = AddScope()
    >>> with request_scope(user_id=7):
    ...     add(None, "info", {"event": "paid"})
    {'event': 'paid', 'user_id': 7}
    """

    __slots__ = ("_names",)

    def __init__(self, names: Collection[str] | None = None) -> None:
        self._names = names

    def __call__(self, logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
        """Add the fields."""
        del logger, method_name  # of no interest here
        for name, value in scope_fields(self._names).items():
            event_dict.setdefault(name, value)
        return event_dict
