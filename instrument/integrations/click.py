"""Click: `@opens_scope(user_of)` below a command's options opens the request scope of the command."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from click import Abort, Context, get_current_context
from click.exceptions import Exit

from instrument.integrations.commands import judge_exits, open_scope
from instrument.integrations.entry import EntryPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import ParamSpec

    from instrument.client import Client
    from instrument.integrations.entry import Fields

    P = ParamSpec("P")

T = TypeVar("T")


def opens_scope(
    scope_from: Callable[[Context], Fields] | None = None, *, clients: Sequence[Client] = ()
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Open a request scope around a command, or around a group and the commands in it.

    It is open until Click closes the context of the command. When the outermost context is closed, what was
    accepted is delivered, within the setting `flush_timeout`.

    Args:
        scope_from: from the context of the command, with its `params` and `obj`, to the fields of its scope.
        clients: those that are flushed, beside the default one.

    Raises:
        TypeError: `scope_from` is no function.
    """
    point = EntryPoint(scope_from)

    def decorate(callback: Callable[P, T]) -> Callable[P, T]:
        @wraps(callback)
        def command(*args: P.args, **kwargs: P.kwargs) -> T:
            open_scope(get_current_context(), point, clients)
            return callback(*args, **kwargs)

        return command

    return decorate


judge_exits(Exit, Abort)
