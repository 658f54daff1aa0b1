"""What is known of a handler when its decorator runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, get_type_hints

from instrument.expressions import Expression, own
from instrument.missing import MISSING
from instrument.places import Place, of_function

if TYPE_CHECKING:
    from collections.abc import Mapping

# How an argument is read, by the kind of its parameter.
_EXPRESSIONS: Mapping[object, str] = {
    inspect.Parameter.POSITIONAL_ONLY: "(args[{index}] if count > {index} else {default})",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "(args[{index}] if count > {index} else kwargs.get({name}, {default}))",
    inspect.Parameter.KEYWORD_ONLY: "kwargs.get({name}, {default})",
    inspect.Parameter.VAR_POSITIONAL: "args[{index}:]",
    inspect.Parameter.VAR_KEYWORD: "dict((key, value) for key, value in kwargs.items() if key not in {taken})",
}
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


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
        function: what is decorated.
        exact: whether these are the parameters of what is called, not of a function that it wraps.
    """

    name: str
    place: Place
    nature: Nature
    signature: inspect.Signature | None
    exact: bool = True
    function: object = None

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

    def fits(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether the handler can be called with these arguments, as far as its signature tells."""
        if not self.exact:
            return True
        try:
            self.bind(args, kwargs)
        except TypeError:
            return False
        return True

    def argument(self, name: str) -> Expression | None:
        """Return the expression that reads a parameter from a call.

        Args:
            name: the parameter.

        Returns:
            An expression that gives the argument, the parameter's default, or `MISSING`; `None` where this handler
            can never have such an argument.
        """
        parameter = self.parameters.get(name)
        if parameter is None:
            by_name = Expression(f"kwargs.get({name!r}, {own('missing')})", {"missing": MISSING})
            return by_name if self.accepts_any_name else None
        index = list(self.parameters).index(name)
        default = MISSING if parameter.default is parameter.empty else parameter.default
        source = _EXPRESSIONS[parameter.kind].format(
            name=repr(name), index=index, default=own("default"), taken=own("taken")
        )
        names: dict[str, object] = {"default": default}
        if parameter.kind is parameter.VAR_KEYWORD:
            names["taken"] = frozenset(each.name for each in self.parameters.values() if each.kind in _NAMED)
        return Expression(source, names, certain=True)

    def hints(self) -> Mapping[str, Any]:
        """Return the types of the parameters, as far as their annotations can be evaluated."""
        try:
            return get_type_hints(self.function)
        except Exception:  # noqa: BLE001 - an annotation may name anything
            return {}

    def holds(self, parameter: str, name: str) -> bool:
        """Whether a parameter is annotated with a class that declares a field of this name."""
        hint = self.hints().get(parameter)
        return inspect.isclass(hint) and (name in getattr(hint, "__annotations__", ()) or hasattr(hint, name))


def describe(function: Any) -> Handler:
    """Describe a function, method, classmethod, staticmethod, partial, or any other callable."""
    inner = getattr(function, "__func__", function)
    signature, exact = _signature(inner)
    return Handler(
        name=f"{getattr(inner, '__module__', None) or '?'}:{_qualified_name(inner)}",
        place=of_function(inner),
        nature=_nature(inner),
        signature=signature,
        exact=exact,
        function=inner,
    )


def block(place: Place) -> Handler:
    """Describe a block of `emitting`: it has no parameters, and takes values of any name."""
    return Handler(name=f"with emitting at {place}", place=place, nature=Nature.BLOCK, signature=None)


def _qualified_name(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if name is None and isinstance(function, partial):
        return _qualified_name(function.func)
    return str(name or type(function).__qualname__)


def _nature(function: object) -> Nature:
    # The second is for instances: the nature of what they do when called is that of their `__call__`.
    for each in (function, getattr(type(function), "__call__", None)):  # noqa: B004 - the method is wanted, not the answer
        if inspect.iscoroutinefunction(each):
            return Nature.COROUTINE
        if inspect.isasyncgenfunction(each):
            return Nature.ASYNC_GENERATOR
        if inspect.isgeneratorfunction(each):
            return Nature.GENERATOR
    return Nature.FUNCTION


def _signature(function: Any) -> tuple[inspect.Signature | None, bool]:
    """Return the parameters of a callable, and whether they are its own.

    What a callable wraps tells of its parameters only where the callable itself takes any (`*args, **kwargs`): a
    wrapper with parameters of its own, or a partial that `functools.wraps` was used on, is called with those.
    """
    itself = _own_signature(function)
    if itself is not None and not any(each.kind in _ANY for each in itself.parameters.values()):
        return itself, True
    try:
        followed = inspect.signature(function)
    except (TypeError, ValueError):
        return itself, False
    return followed, followed == itself


def _own_signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
