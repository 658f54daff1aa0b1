# What we use of contextvars-extras 0.7.

from contextvars import ContextVar
from typing import Generic, TypeVar, overload

from typing_extensions import Self

_T = TypeVar("_T")

class ContextVarDescriptor(Generic[_T]):
    def __init__(self, name: str | None = None, default: _T = ...) -> None: ...
    @property
    def context_var(self) -> ContextVar[_T]: ...
    @overload
    def __get__(self, registry: None, owner: type[ContextVarsRegistry]) -> Self: ...
    @overload
    def __get__(self, registry: ContextVarsRegistry, owner: type[ContextVarsRegistry]) -> _T: ...
    def __set__(self, registry: ContextVarsRegistry, value: _T) -> None: ...

class ContextVarsRegistry: ...
