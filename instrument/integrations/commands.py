"""What Click and Typer share: a command opens a request scope, which its context holds, and delivers at its end.

Typer has a copy of Click inside, so that the two have no classes in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from instrument.calls import Outcome
from instrument.context import Entry
from instrument.integrations.carried import NO_FACTS, flush_clients
from instrument.outcomes import judge_raised

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from instrument.calls import Call
    from instrument.client import Client
    from instrument.integrations.entry import EntryPoint

_FLUSHED = "instrument.flushed"


class CommandContext(Protocol):
    """What is used of the context of a command."""

    @property
    def meta(self) -> dict[str, Any]:
        """What all contexts of one command line share."""
        ...

    def find_root(self) -> Any:
        """Return the context of the outermost command."""
        ...

    def with_resource(self, context_manager: AbstractContextManager[Any]) -> Any:
        """Enter a context manager, and leave it with the context."""
        ...


def open_scope(context: CommandContext, point: EntryPoint[Any], clients: Iterable[Client]) -> None:
    """Open a request scope that the context of a command closes, inside of that of the group around it.

    Args:
        context: of the command.
        point: what says which fields it has.
        clients: those that are flushed at the end of the command line, beside the default one.
    """
    if _FLUSHED not in context.meta:
        context.meta[_FLUSHED] = True
        context.find_root().call_on_close(lambda: flush_clients(clients))
    context.with_resource(Entry(point.fields(context, NO_FACTS), inherit=True))


def judge_exits(leave: type[BaseException], abort: type[BaseException]) -> None:
    """Say what exceptions of a framework mean.

    Args:
        leave: what ends a command with an `exit_code`, of which 0 is no failure.
        abort: what ends it because the user wants no more of it.
    """
    judge_raised(leave, _judge_exit)
    judge_raised(abort, _judge_abort)


def _judge_exit(error: Any, _: Call) -> Outcome | None:
    return Outcome.DIVERTED if error.exit_code == 0 else None


def _judge_abort(error: BaseException, _: Call) -> Outcome:
    del error
    return Outcome.CANCELLED
