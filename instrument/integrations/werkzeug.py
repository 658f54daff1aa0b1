"""What Flask and Quart share: the responses and exceptions of Werkzeug, and what a view may return for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response

from instrument.decorators import instrumentation_of
from instrument.integrations.entry import by_status
from instrument.outcomes import judge_raised, judge_returned

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.calls import Call, Outcome

current_views: Final[list[Callable[[], tuple[Any, str] | None]]] = []
"""For each framework: gives the view of the running request, and the method of HTTP; `None` where there is none."""


def _judge_tuple(returned: tuple[Any, ...], call: Call) -> Outcome | None:
    for current_view in current_views:
        found = current_view()
        if found is not None and _is_view(call.handler, *found):
            return _by_status(returned, call)
    return None


def _status_of_tuple(returned: tuple[Any, ...]) -> int | None:
    """Return the status in what a view returns: `body, status`, `body, status, headers` or `body, headers`."""
    status: Any = returned[1] if len(returned) in (2, 3) else None
    if isinstance(status, str):
        status = status.partition(" ")[0]
        return int(status) if status.isdecimal() else None
    return int(status) if isinstance(status, int) else None


def _is_view(handler: object, view: Any, method: str) -> bool:
    """Whether a handler is what an application calls for a URL: the function, or a method of the class.

    Args:
        handler: the function that emitted.
        view: what the application registered: a function, or what `View.as_view` made.
        method: that of the request, in capitals.
    """
    view_class = getattr(view, "view_class", None)
    for each in (view, *(getattr(view_class, name, None) for name in (method.lower(), "dispatch_request"))):
        found = None if each is None else instrumentation_of(each)
        if found is not None and found.handler is handler:
            return True
    return False


def _status_of_response(response: Response) -> int:
    return response.status_code


def _status_of_error(error: HTTPException) -> int | None:
    response = error.response
    return error.code if response is None else getattr(response, "status_code", error.code)


_by_status = by_status(_status_of_tuple)
judge_returned(tuple, _judge_tuple)
judge_returned(Response, by_status(_status_of_response))
judge_raised(HTTPException, by_status(_status_of_error))
