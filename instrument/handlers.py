"""What is known of a handler when its decorator runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import Enum
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from instrument.missing import MISSING
from instrument.places import Place, of_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instrument.calls import Call

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Nature(Enum):
    """How a handler runs, and so when its body has ended."""

    FUNCTION = "function"
    COROUTINE = "coroutine function"
    GENERATOR = "generator function"
    ASYNC_GENERATOR = "async generator function"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Handler:
    """A decorated function, or a block of `emitting`.

    Attributes:
        name: `module:qualified.name`.
        place: where it is defined.
        nature: how it runs.
        signature: its parameters, `None` where Python cannot tell; of a method, with `self`.
    """

    name: str
    place: Place
    nature: Nature
    signature: inspect.Signature | None

    @property
    def accepts_any_name(self) -> bool:
        """Whether a name that is no parameter may still come with a call."""
        parameters = self.parameters.values()
        return self.signature is None or any(p.kind is p.VAR_KEYWORD for p in parameters)

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters by name."""
        return {} if self.signature is None else self.signature.parameters

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Name the arguments of one call, defaults included.

        Raises:
            TypeError: the arguments do not fit the parameters.
        """
        if self.signature is None:
            return kwargs
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def reader(self, name: str) -> Callable[[Call], Any] | None:
        """Compile the reading of one parameter from a call.

        Args:
            name: the parameter.

        Returns:
            A function that gives the argument, the parameter's default, or `MISSING`; `None` where this handler
            can never have such an argument.
        """
        parameter = self.parameters.get(name)
        if parameter is None:
            return _keyword(name, MISSING) if self.accepts_any_name else None
        default = MISSING if parameter.default is parameter.empty else parameter.default
        index = list(self.parameters).index(name)
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            return _positional_or_keyword(index, name, default)
        if parameter.kind is parameter.KEYWORD_ONLY:
            return _keyword(name, default)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            return lambda call: call.args[index] if index < len(call.args) else default
        if parameter.kind is parameter.VAR_POSITIONAL:
            return lambda call: call.args[index:]
        named = frozenset(each.name for each in self.parameters.values() if each.kind in _NAMED)
        return lambda call: {key: value for key, value in call.kwargs.items() if key not in named}

    def always_has(self, name: str) -> bool:
        """Whether every call that the handler takes has such an argument, be it by default."""
        return name in self.parameters

    def holds(self, parameter: str, name: str) -> bool:
        """Whether a parameter is annotated with a class that declares a field of this name."""
        hint = self.parameters[parameter].annotation
        return inspect.isclass(hint) and (name in getattr(hint, "__annotations__", ()) or hasattr(hint, name))


def describe(function: Any) -> Handler:
    """Describe a function, method, classmethod, staticmethod, partial, or any other callable."""
    inner = getattr(function, "__func__", function)
    return Handler(
        name=f"{getattr(inner, '__module__', None) or '?'}:{_qualified_name(inner)}",
        place=of_function(inner),
        nature=_nature(inner),
        signature=_signature(inner),
    )


def block(place: Place) -> Handler:
    """Describe a block of `emitting`: it has no parameters, and takes values of any name."""
    return Handler(name=f"with emitting at {place}", place=place, nature=Nature.BLOCK, signature=None)


def is_coroutine(result: object) -> bool:
    """Whether a function that is no coroutine function has returned a coroutine all the same."""
    return type(result) is CoroutineType


def _qualified_name(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if name is None and hasattr(function, "func"):
        return _qualified_name(function.func)
    return str(name or type(function).__qualname__)


def _nature(function: Any) -> Nature:
    if inspect.iscoroutinefunction(function):
        return Nature.COROUTINE
    if inspect.isasyncgenfunction(function):
        return Nature.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Nature.GENERATOR
    return Nature.FUNCTION


def _signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _keyword(name: str, default: object) -> Callable[[Call], Any]:
    return lambda call: call.kwargs.get(name, default)


def _positional_or_keyword(index: int, name: str, default: object) -> Callable[[Call], Any]:
    def read(call: Call) -> Any:
        args = call.args
        return args[index] if index < len(args) else call.kwargs.get(name, default)

    return read
