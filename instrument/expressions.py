"""Reading a call by compiled Python expressions.

Every place that a value can come from is one expression over the parts of a call. The function that collects all
the values of a message is written of them as source and compiled, as the standard library's dataclasses write
theirs: it runs for every message, and a call for each field would take longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, TypeVar

from instrument.missing import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.calls import Call
    from instrument.missing import Missing

T = TypeVar("T")

# What an expression may name, besides its own names.
_PARTS = """\
    args, kwargs, frame = call.args, call.kwargs, call.frame
    count = len(args)
"""


@dataclass(frozen=True, slots=True)
class Expression:
    """A Python expression over `call`, and its parts `args`, `kwargs`, `frame`, and `count`, the number of `args`.

    Attributes:
        source: the expression; `own(name)` stands for one of its own names.
        names: its own names, and their values.
        certain: whether it never gives `MISSING` for a call that the handler takes.
    """

    source: str
    names: Mapping[str, object] = field(default_factory=dict[str, object])
    certain: bool = False

    def step(self, name: str) -> Expression:
        """Return the expression of what lies one step further: a mapping's key, else an attribute."""
        names = {**self.names, "step": follow}
        if not name.isidentifier() or iskeyword(name):
            return Expression(f"{own('step')}({self.source}, {name!r})", names, certain=self.certain)
        value = f"value_{self.source.count(':=')}"
        known = f"type({value} := {self.source}) in {own('known')}"
        source = f"({value}.{name} if {known} else {own('step')}({value}, {name!r}))"
        return Expression(source, {**names, "known": _known}, certain=self.certain)

    def and_only_if(self, condition: str) -> Expression:
        """Return the expression that gives `MISSING` where a condition over the call does not hold."""
        source = f"({self.source} if {condition} else {own('missing')})"
        return Expression(source, {**self.names, "missing": MISSING})

    def reader(self) -> Callable[[Call], Any]:
        """Return a function of a call that gives the value, or `MISSING`."""
        names: dict[str, Any] = {}
        source = _placed(self, "_", names)
        return _function(f"def read(call):\n{_PARTS}    return {source}\n", names, "read")


def own(name: str) -> str:
    """Write one of an expression's own names; no identifier and no quoted text of a source can look like it."""
    return f"\0{name}\0"


def collector(
    fields: Sequence[tuple[str, Sequence[Expression]]], then: Callable[[dict[str, Any]], T]
) -> Callable[[Call], T]:
    """Return a function of a call that collects the values of fields, those left out that were not found.

    Args:
        fields: for each field, the expressions in the order in which they are tried.
        then: what the values are given to, and whose result the function returns.
    """
    names: dict[str, Any] = {"MISSING": MISSING, "then": then}
    certain: list[str] = []
    searched: list[str] = []
    for number, (name, expressions) in enumerate(fields):
        placed = [_placed(each, f"_{number}_{place}", names) for place, each in enumerate(expressions)]
        if len(expressions) == 1 and expressions[0].certain:
            certain.append(f"{name!r}: {placed[0]}")
        elif placed:
            searched.append(f"    value = {placed[0]}\n")
            searched += [f"    if value is MISSING: value = {source}\n" for source in placed[1:]]
            searched.append(f"    if value is not MISSING: values[{name!r}] = value\n")
    values = f"{{{', '.join(certain)}}}"
    if searched:
        searched.insert(0, f"    values = {values}\n")
        values = "values"
    source = f"def collect(call):\n{_PARTS}{''.join(searched)}    return then({values})\n"
    return _function(source, names, "collect")


def follow(value: Mapping[str, Any] | Missing, name: str) -> Any:
    """Go one step from a value: a mapping's key, else an attribute.

    Args:
        value: anything; typed as what it is looked at as first.
        name: the step.

    Raises:
        AttributeError: it has neither.
    """
    if value is MISSING:
        return MISSING
    kind: type[object] = type(value)
    if issubclass(kind, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        return value[name] if name in value else getattr(value, name)
    if len(_known) < _MOST_KNOWN:
        _known.add(kind)
    return getattr(value, name)


_MOST_KNOWN = 1024
_known: set[type[object]] = set()
"""Types that are no mappings, of which an attribute is read without asking again."""


def _placed(expression: Expression, suffix: str, names: dict[str, Any]) -> str:
    """Give an expression's own names a suffix that makes them unique in a function, and put their values there.

    Args:
        expression: what reads a value, as source code with names of its own.
        suffix: what is put behind each of these names.
        names: the function's values by name; those of the expression are added.
    """
    source = expression.source
    for name, value in expression.names.items():
        names[name + suffix] = value
        source = source.replace(own(name), name + suffix)
    return source


def _function(source: str, names: dict[str, Any], name: str) -> Callable[[Call], Any]:
    exec(source, names)  # noqa: S102 - made of identifiers, numbers and the fixed texts of this package alone
    function: Callable[[Call], Any] = names[name]
    return function
