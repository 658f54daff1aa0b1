# What we use of wrapt. Of its type parameters nothing is made: a handler's type is kept by our own decorators.

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from typing_extensions import ParamSpec

_P = ParamSpec("_P")
_R = TypeVar("_R")

class _FunctionWrapperBase(Generic[_P, _R]):
    __wrapped__: Any
    __name__: str
    __qualname__: str
    __module__: str
    _self_parent: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any: ...
    # In place of one for each attribute: a wrapper has those of what it wraps.
    def __getattr__(self, name: str) -> Any: ...

class BoundFunctionWrapper(_FunctionWrapperBase[_P, _R]): ...

class FunctionWrapper(_FunctionWrapperBase[_P, _R]):
    __bound_function_wrapper__: ClassVar[type[BoundFunctionWrapper[..., Any]]]

    def __init__(
        self,
        wrapped: Callable[_P, _R],
        wrapper: Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any],
    ) -> None: ...
