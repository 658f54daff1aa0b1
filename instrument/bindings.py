"""Where a handler keeps the fields of a message: sources, and classes bound to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

from instrument.errors import BindingError, nearest
from instrument.places import caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instrument.calls import Call
    from instrument.declared import Declared

Source = Union[str, "Callable[[Call], Any]"]
"""One place where a handler keeps a value: a parameter's name or dotted path, `"result…"`, `"error…"`,
`"duration"` (seconds), or a callable that gets the `Call`."""

_MOST_NAMES = 32
"""Of a dotted path, which is compiled to as many nested expressions: Python takes some ninety."""

D = TypeVar("D", bound="Declared")
M_co = TypeVar("M_co", bound="Declared", covariant=True)


@dataclass(frozen=True, slots=True)
class Binding(Generic[M_co]):
    """A scope or message class, and where a handler keeps some of its fields. Made by `from_call`.

    Attributes:
        model: the class.
        sources: by field name, where the handler keeps it; the other fields are looked for.
    """

    model: type[M_co]
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))

    def __hash__(self) -> int:
        return hash((self.model, frozenset(self.sources.items())))

    def __repr__(self) -> str:
        return f"{self.model.__name__}.from_call({', '.join(f'{k}={v!r}' for k, v in self.sources.items())})"


def bind(model: type[D], sources: Mapping[str, Source]) -> Binding[D]:
    """Bind a class to sources.

    Raises:
        BindingError: a name is no field of the class, or a source is neither text nor callable.
    """
    for name, source in sources.items():
        if name not in model.model_fields:
            hint = nearest(name, model.model_fields)
            raise BindingError(
                f"{caller()}: {model.__name__}.from_call: {model.__name__} has no field {name!r}{hint}. "
                f"Its fields are: {', '.join(model.model_fields) or 'none'}."
            )
        if not callable(source):
            check_path(source, f"{caller()}: {model.__name__}.from_call: field {name!r}")
    return Binding(model, MappingProxyType(dict(sources)))


def check_path(source: object, where: str) -> None:
    """Check that a source is a dotted path of identifiers.

    Raises:
        BindingError: it is not.
    """
    if not isinstance(source, str):
        raise BindingError(
            f"{where}: a source is a parameter's name, a dotted path, or a callable, not {type(source).__name__}."
        )
    names = source.split(".")
    if not all(names):
        raise BindingError(f"{where}: {source!r} is no dotted path; write for instance 'cluster.id' or 'result.id'.")
    if len(names) > _MOST_NAMES:
        raise BindingError(
            f"{where}: a dotted path has {_MOST_NAMES} names at most, not {len(names)}; give a callable instead."
        )
