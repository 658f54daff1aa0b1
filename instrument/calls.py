"""One run of a decorated handler."""

from __future__ import annotations

from enum import Enum
from time import perf_counter
from typing import TYPE_CHECKING, Any

from instrument import context
from instrument.missing import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instrument.context import Frame
    from instrument.handlers import Handler


class Outcome(str, Enum):
    """How a call ended."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    """A generator that was closed before it was exhausted."""
    DIVERTED = "diverted"
    """It raised what its framework uses as control flow: a redirect, a retry, an exit without an error."""


class NoResultError(AttributeError):
    """The result was read of a call that has none: it has not returned, or it raised."""


class Call:
    """One run of a decorated handler: what a callable source or `failed_if` is given.

    Attributes:
        error: the exception that the handler raised, or `None`.
        returned: what the handler returned, `MISSING` where it has not; `result` is the same, but never missing.
        returned_error: what a framework says of a result by which the call has failed.
        outcome: how the call ended, `Outcome.RUNNING` until then.
    """

    # On the class, since most calls end with these: a call is made for every run of a handler.
    error: BaseException | None = None
    outcome: Outcome = Outcome.RUNNING
    ended: float | None = None
    returned: Any = MISSING
    returned_error: str = "an error was returned"

    captured: float
    began: float
    frame: Frame | None
    late: bool

    def __init__(
        self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any], *, strict: bool = False
    ) -> None:
        self.handler = handler
        self.args = args
        self.kwargs: dict[str, Any] = kwargs
        self.strict = strict
        self.captured = self.began = now = perf_counter()
        self.frame, self.late = context.capture(now)

    def capture(self, now: float) -> None:
        """Make the request scope of this moment the one of the call."""
        self.captured = now
        self.frame, self.late = context.capture(now)

    @property
    def result(self) -> Any:
        """What the handler returned.

        Raises:
            NoResultError: it has not returned, or it raised.
        """
        if self.returned is MISSING:
            raise NoResultError(f"{self.handler.name} has no result: its outcome is {self.outcome.value!r}")
        return self.returned

    @result.setter
    def result(self, value: Any) -> None:
        self.returned = value

    @property
    def has_result(self) -> bool:
        """Whether the handler has returned."""
        return self.returned is not MISSING

    @property
    def error_text(self) -> str:
        """What the exception says: `cancelled` for a cancelled call, else its text, or its class where it has none.

        Of an error that was returned, it is what the framework says of it, such as its status.
        """
        if self.outcome is Outcome.CANCELLED:
            return "cancelled"  # frameworks put the addresses of their tasks into the text, new each time
        if self.error is None:
            return self.returned_error
        return str(self.error) or type(self.error).__name__

    @property
    def duration(self) -> float:
        """Seconds since the handler began; once it has ended, what it took."""
        return (perf_counter() if self.ended is None else self.ended) - self.began

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The handler's arguments by the names of its parameters, defaults included."""
        return self.handler.bind(self.args, self.kwargs)

    def set(self, **values: Any) -> None:
        """Give values by name, as if they were arguments: for `emitting` blocks, which have no parameters."""
        self.kwargs = {**self.kwargs, **values}
