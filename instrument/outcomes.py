"""What frameworks mean by an exception, or by a result: whether a call that ended so has failed.

Integrations say it, once for each class, when they are imported. What no integration knows is judged as ever: what
raises has failed, and what returns has not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from instrument.calls import Outcome

if TYPE_CHECKING:
    from instrument.calls import Call

Judge = Callable[[Any, "Call"], "Outcome | None"]
"""Given an exception or a result, and the call that ended with it; `None` leaves it to a base, or the usual rule."""

_MOST_REMEMBERED = 1_000


class Judges:
    """Judges by class.

    Attributes:
        unknown: classes of which it is known that there is no judge for them: all that most calls look at.
    """

    __slots__ = ("_registered", "unknown")

    def __init__(self) -> None:
        self._registered: dict[type, Judge] = {}
        self.unknown: set[type] = set()

    def of(self, kind: type) -> Sequence[Judge]:
        """Return the judges of a class and of its bases, the nearest first: the first that has an answer decides."""
        judges = tuple(self._registered[base] for base in kind.__mro__ if base in self._registered)
        if not judges:
            if len(self.unknown) >= _MOST_REMEMBERED:  # classes that are made as the program runs
                self.unknown.clear()
            self.unknown.add(kind)
        return judges

    def register(self, kind: type, judge: Judge) -> None:
        """Take a judge for a class and those below it."""
        self._registered[kind] = judge
        self.unknown.clear()


judges_of_errors: Final = Judges()
judges_of_results: Final = Judges()


def judge_raised(kind: type[BaseException], judge: Judge) -> None:
    """Let a framework say what it means when a handler raises an exception of a class, or of one below it.

    Args:
        kind: the class.
        judge: answers `Outcome.DIVERTED` for what is no failure: control flow, of which no message tells.
    """
    judges_of_errors.register(kind, judge)


def judge_returned(kind: type, judge: Judge) -> None:
    """Let a framework say what it means when a handler returns an instance of a class, or of one below it.

    Args:
        kind: the class.
        judge: answers `Outcome.FAILURE` for an error that is returned instead of raised.
    """
    judges_of_results.register(kind, judge)


def _judge_exit(error: SystemExit, _: Call) -> Outcome | None:
    return Outcome.DIVERTED if error.code in (None, 0) else None


judge_raised(SystemExit, _judge_exit)
