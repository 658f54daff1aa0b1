"""Typer: `@opens_scope(user_of)` below `@app.command()` or `@app.callback()` opens the request scope of the command."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_type_hints

from typer import Abort, Context, Exit

from instrument.integrations.commands import judge_exits, open_scope
from instrument.integrations.entry import EntryPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.client import Client
    from instrument.integrations.entry import Fields

F = TypeVar("F", bound="Callable[..., Any]")

_ADDED: Final = "_instrument_context"
_ANY_CONTEXT: type = Context.__mro__[1]
"""Click's own class: what a parameter for the context may be annotated with, too."""


def opens_scope(
    scope_from: Callable[[Context], Fields] | None = None, *, clients: Sequence[Client] = ()
) -> Callable[[F], F]:
    """Open a request scope around a command, or, on the callback of an application, around all of its commands.

    It is open until the context of the command is closed. When the outermost context is closed, what was accepted
    is delivered, within the setting `flush_timeout`.

    Args:
        scope_from: from the context of the command, with its `params` and `obj`, to the fields of its scope.
        clients: those that are flushed, beside the default one.

    Raises:
        TypeError: `scope_from` is no function.
    """
    point = EntryPoint(scope_from)

    def decorate(callback: F) -> F:
        given = _context_parameter(callback)

        @wraps(callback)
        def command(**kwargs: Any) -> Any:
            # Typer gives every argument by its name.
            context = kwargs[given] if given is not None else kwargs.pop(_ADDED)
            open_scope(context, point, clients)
            return callback(**kwargs)

        if given is None:
            _add_context_parameter(command, callback)
        return cast("F", command)

    return decorate


def _context_parameter(callback: Callable[..., Any]) -> str | None:
    hints = get_type_hints(callback)
    return next(
        (name for name, hint in hints.items() if inspect.isclass(hint) and issubclass(hint, _ANY_CONTEXT)), None
    )


def _add_context_parameter(command: Any, callback: Callable[..., Any]) -> None:
    """Let Typer, which goes by the parameters of a command, give it the context."""
    hints = get_type_hints(callback, include_extras=True)
    given = inspect.signature(callback).parameters.values()
    # Evaluated, since Typer would look up their names in this module.
    parameters = [each.replace(annotation=hints.get(each.name, each.annotation)) for each in given]
    added = inspect.Parameter(_ADDED, inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    command.__signature__ = inspect.Signature([*parameters, added])
    command.__annotations__ = {**hints, _ADDED: Context}


judge_exits(Exit, Abort)
