"""What workers share: the request scope as text, which goes along with a task from who sends it to who runs it.

The text is a JSON object in ASCII, so that every broker carries it: `{"user_id": 7}`.
"""

from __future__ import annotations

import json
from math import inf
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic_core import to_jsonable_python

from instrument.client import default_client
from instrument.context import Entry, request_scope
from instrument.errors import ScopeError
from instrument.faults import ambient
from instrument.integrations.entry import EntryPoint, entry_point_of_service
from instrument.scopes import is_scope_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from instrument.client import Client
    from instrument.integrations.entry import Fields

R = TypeVar("R")

NAME: Final = "instrument_scope"
"""Under which name it goes along."""


class NoFacts:
    """What is known of the HTTP request, where an entry point has none."""

    ip: str | None = None
    scheme = path = query = ""
    _headers: Mapping[str, str] = MappingProxyType({})

    def header(self, name: str) -> str | None:
        """Return no header."""
        return self._headers.get(name)


NO_FACTS: Final = NoFacts()


class TaskEntry:
    """Opens the request scope that a task runs in: what came along, and what a user's function says of the task.

    Args:
        scope_from: from a framework's task to fields of its scope, which win over those that came along.

    Raises:
        TypeError: `scope_from` is no function.
    """

    __slots__ = ("_point",)

    def __init__(self, scope_from: Callable[[R], Fields] | None) -> None:
        self._point: EntryPoint[Any] = entry_point_of_service(scope_from)

    def entry(self, task: object, came_along: object, *, inherit: bool = False) -> Entry:
        """Return the way into the request scope of a task; it never raises.

        Args:
            task: what `scope_from` is given.
            came_along: the text that `packed` made, or whatever stands in its place.
            inherit: whether the task runs inside of who sent it, whose fields go on to hold.
        """
        return Entry({**unpacked(came_along), **self._asked(task)}, inherit=inherit)

    def _asked(self, task: object) -> dict[str, Any]:
        try:
            return self._point.fields(task, NO_FACTS)
        except Exception as error:  # noqa: BLE001 - in strict mode; workers would swallow it
            ambient.faults.report(error, "scope_from of a task", handler_raised=True)
            return {}


def packed() -> str | None:
    """Return the fields of the present request scope as text, `None` where there are none; it never raises.

    A value that JSON cannot say stays behind, and is reported.
    """
    fields = {name: _plain(name, value) for name, value in request_scope.values().items()}
    sent = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(sent, separators=(",", ":")) if sent else None


def unpacked(text: object) -> dict[str, Any]:
    """Return the fields in a text, by name: those that some scope of this process has; it never raises.

    What is no such text has none: a task may come from anywhere.
    """
    try:
        found = json.loads(text) if isinstance(text, (str, bytes)) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {}
    fields = cast("Mapping[str, Any]", found)
    return {name: value for name, value in fields.items() if is_scope_name(name) and value is not None}


def close_clients(clients: Iterable[Client], timeout: float | None = None) -> None:
    """Close the default client and others, before a process ends without Python's own way of ending.

    Args:
        clients: the others.
        timeout: seconds for each, at most; by default its setting `flush_timeout`.
    """
    for client in (default_client(), *clients):
        client.close(timeout)


def flush_clients(clients: Iterable[Client], most: float | None = None) -> bool:
    """Flush the default client and others, each within its setting `flush_timeout`.

    Args:
        clients: the others.
        most: seconds that all of it may take, where that is less.

    Returns:
        Whether everything was delivered.
    """
    end = inf if most is None else monotonic() + most
    flushed = True
    for client in (default_client(), *clients):
        left = max(0.0, end - monotonic())
        flushed = client.flush(min(left, client.settings.flush_timeout)) and flushed
    return flushed


def _plain(name: str, value: object) -> object:
    try:
        return to_jsonable_python(value, inf_nan_mode="null")
    except Exception as error:  # noqa: BLE001 - a serializer of the user's own may raise anything
        text = f"field {name!r} ({type(value).__name__}) has no JSON form, and does not go along with a task"
        failed = ScopeError(text)
        failed.__cause__ = error
        # Deferred in strict mode: the task is to be sent all the same.
        ambient.faults.report(failed, "request_scope, sent along with a task", handler_raised=True)
        return None
