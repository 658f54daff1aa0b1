# What we use of wrapt, without its type parameters: a handler's type is kept by our own decorators.

from collections.abc import Callable
from typing import Any, ClassVar

class _FunctionWrapperBase:
    __wrapped__: Any
    __name__: str
    __qualname__: str
    __module__: str
    _self_parent: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any: ...
    # In place of one for each attribute: a wrapper has those of what it wraps.
    def __getattr__(self, name: str) -> Any: ...

class BoundFunctionWrapper(_FunctionWrapperBase): ...

class FunctionWrapper(_FunctionWrapperBase):
    __bound_function_wrapper__: ClassVar[type[BoundFunctionWrapper]]

    def __init__(
        self,
        wrapped: Callable[..., Any],
        wrapper: Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any],
    ) -> None: ...
