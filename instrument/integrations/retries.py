"""Whether an exception only means that a worker will run its task once more: then nothing has failed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.calls import Outcome
from instrument.decorators import instrumentation_of
from instrument.outcomes import judge_raised

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.calls import Call

    WillRetry = Callable[[BaseException, Call], bool]

_asked: dict[type[BaseException], list[WillRetry]] = {}


def divert_retried(kind: type[BaseException], will_retry: WillRetry) -> None:
    """Let a framework say whether a handler that raised will be run again; several may say it of one class.

    Args:
        kind: the class of the exceptions, or of some base of theirs.
        will_retry: given the exception and the call.
    """
    asked = _asked.setdefault(kind, [])
    if will_retry not in asked:
        asked.append(will_retry)
    judge_raised(kind, _judge)


def _judge(error: BaseException, call: Call) -> Outcome | None:
    # Of every base: the judge of the nearest is the only one that is asked, and may be of another framework.
    asked = (each for kind in type(error).__mro__ for each in _asked.get(kind, ()))
    return Outcome.DIVERTED if any(will_retry(error, call) for will_retry in asked) else None


def is_body(function: object, call: Call) -> bool:
    """Whether a call is that of a task's own function, not of another handler that the task calls."""
    instrumentation = instrumentation_of(function)
    return instrumentation is not None and instrumentation.handler is call.handler
