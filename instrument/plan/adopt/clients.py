"""Which names of a module mean Segment's client: its module, its functions, its class, and instances of that."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from instrument.messages import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from instrument.plan.adopt.sources import Source

# The package of today, the one before it, and what replaces both.
_MODULES = frozenset({"segment.analytics", "analytics", "instrument.compat.segment"})
_CLIENT = "Client"


class Meaning(Enum):
    """What a name stands for."""

    MODULE = "module"
    CLASS = "class"
    INSTANCE = "instance"
    TRACK = "track"
    IDENTIFY = "identify"
    GROUP = "group"
    PAGE = "page"
    SCREEN = "screen"
    ALIAS = "alias"


@dataclass(slots=True)
class Names:
    """What the dotted names of one module mean.

    Attributes:
        meanings: by dotted name, such as `analytics` or `self.client`.
    """

    meanings: dict[str, Meaning] = field(default_factory=dict[str, Meaning])

    def call_of(self, function: ast.expr) -> str | None:
        """Return which call of the client a function is, if it is one."""
        name = dotted(function)
        if name is None:
            return None
        meaning = self.meanings.get(name)
        if meaning is not None and meaning.value in KINDS:
            return meaning.value
        owner, _, method = name.rpartition(".")
        is_client = self.meanings.get(owner.removesuffix(".default_client")) in {Meaning.MODULE, Meaning.INSTANCE}
        return method if is_client and method in KINDS else None

    def is_class(self, node: ast.expr | None) -> bool:
        """Whether an expression is the class `Client`."""
        name = None if node is None else dotted(node)
        if name is None:
            return False
        owner, _, attribute = name.rpartition(".")
        is_attribute = attribute == _CLIENT and self.meanings.get(owner) is Meaning.MODULE
        return is_attribute or self.meanings.get(name) is Meaning.CLASS


def find_names(sources: Sequence[Source]) -> Mapping[str, Names]:
    """Return what the names of each file mean, by the file's name; what one module takes from another included."""
    found = {each.name: Names() for each in sources}
    modules = {each.module: found[each.name] for each in sources}
    before = -1
    # A name may come by way of several modules.
    while (count := sum(len(each.meanings) for each in found.values())) != before:
        before = count
        for source in sources:
            names = found[source.name]
            for node in ast.walk(source.tree):
                names.meanings.update(_meant(node, source, names, modules))
    return found


def dotted(node: ast.expr) -> str | None:
    """Return a dotted name as text, `None` for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def _meant(node: ast.AST, source: Source, names: Names, modules: Mapping[str, Names]) -> Iterator[tuple[str, Meaning]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in _MODULES and alias.name not in modules:
                yield alias.asname or alias.name, Meaning.MODULE
    elif isinstance(node, ast.ImportFrom):
        yield from _imported(node, source, modules)
    elif isinstance(node, ast.Assign):
        if isinstance(node.value, ast.Call) and names.is_class(node.value.func):
            yield from ((name, Meaning.INSTANCE) for name in map(dotted, node.targets) if name is not None)
    elif isinstance(node, ast.AnnAssign):
        target = dotted(node.target)
        if target is not None and names.is_class(_unquoted(node.annotation)):
            yield target, Meaning.INSTANCE
    elif isinstance(node, ast.arg) and names.is_class(_unquoted(node.annotation)):
        yield node.arg, Meaning.INSTANCE


def _imported(node: ast.ImportFrom, source: Source, modules: Mapping[str, Names]) -> Iterator[tuple[str, Meaning]]:
    origin = _origin(node, source)
    for alias in node.names:
        name = alias.asname or alias.name
        whole = f"{origin}.{alias.name}"
        if whole in _MODULES and whole not in modules:
            yield name, Meaning.MODULE
        elif _is_segment_s(origin, modules) and alias.name == _CLIENT:
            yield name, Meaning.CLASS
        elif origin in _MODULES and origin not in modules and alias.name in KINDS:
            yield name, Meaning(alias.name)
        elif origin in modules and alias.name in modules[origin].meanings:
            yield name, modules[origin].meanings[alias.name]


def _is_segment_s(origin: str, modules: Mapping[str, Names]) -> bool:
    module = origin.removesuffix(".client")
    return module in _MODULES and module not in modules


def _origin(node: ast.ImportFrom, source: Source) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".") if source.module else []
    up = node.level - 1 if source.is_package else node.level
    above = package[: len(package) - up] if up else package
    return ".".join([*above, *([node.module] if node.module else [])])


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
    """Return an annotation without quotes, and without `| None` or `Optional[…]`."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.right, ast.Constant):
        return annotation.left
    if isinstance(annotation, ast.Subscript) and (dotted(annotation.value) or "").endswith("Optional"):
        return annotation.slice
    return annotation
