"""The objects that stand in a handler's place.

A module of its own, since wrapt is slow to import, and only who decorates needs it.
"""

from __future__ import annotations

from copy import deepcopy
from inspect import getattr_static
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.lifecycle import Instrumentation

    Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]

    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper[..., Any]
    _FunctionWrapper = wrapt.FunctionWrapper[..., Any]
else:
    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper
    _FunctionWrapper = wrapt.FunctionWrapper


# A class that defines none is given empty ones as soon as somebody reads them, and they would hide the handler's.
_ANNOTATIONS = getattr_static(wrapt.FunctionWrapper, "__annotations__")


class _Transparent:
    """What a function can do and a proxy of wrapt cannot: be copied as itself, and pickled by its name."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self


class BoundInstrumented(_Transparent, _BoundFunctionWrapper):
    """A decorated method, bound to its instance or class."""

    __annotations__ = _ANNOTATIONS

    def __reduce_ex__(self, protocol: Any) -> Any:
        if hasattr(self, "__self__"):
            return getattr, (self.__self__, self.__name__)
        return resolve_name, (f"{self.__module__}:{self.__qualname__}",)

    def __deepcopy__(self, memo: Any) -> Any:
        owner = getattr(self, "__self__", None)
        copied = deepcopy(owner, memo)
        return self if copied is owner else self._self_parent.__get__(copied, type(copied))


class Instrumented(_Transparent, _FunctionWrapper):
    """A decorated handler.

    Args:
        handler: what was decorated.
        wrapper: what runs in its place.
        instrumentation: what the decorator compiled.
    """

    __annotations__ = _ANNOTATIONS
    if TYPE_CHECKING:
        __bound_function_wrapper__: ClassVar[type[_BoundFunctionWrapper]]
    else:
        __bound_function_wrapper__ = BoundInstrumented

    def __init__(self, handler: Any, wrapper: Wrapper, instrumentation: Instrumentation) -> None:
        super().__init__(handler, wrapper)
        self._self_instrumentation = instrumentation

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__qualname__
