"""The names that a package already has: kept when it is made again, whatever the plan's order becomes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instrument.messages import KINDS
from instrument.names import event_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CALLS = {each.capitalize(): each for each in KINDS}

_NAMED = frozenset({"track", "page", "screen"})


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names of a package's classes and fields.

    Attributes:
        messages: by call, and name of the event, page or screen, that of the class; all but events are known by the
            name of the class as well.
        fields: by class and key, that of the field.
    """

    messages: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    fields: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


def known_names(*sources: str) -> KnownNames:
    r"""Read the names from modules that were made earlier.

    Args:
        sources: their source code; what is no Python has no names.

    >>> known_names('class Paid(Track, UserScope, name="paid"):\n    to: str = Field(serialization_alias="To")')
    KnownNames(messages={('track', 'paid'): 'Paid'}, fields={('Paid', 'To'): 'to'})
    """
    messages: dict[tuple[str, str], str] = {}
    fields: dict[tuple[str, str], str] = {}
    for node in _classes(sources):
        call = next((_CALLS[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in _CALLS), None)
        if call is not None:
            messages.update(((call, each), node.name) for each in _identities(node, call))
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                fields[node.name, _key(each) or each.target.id] = each.target.id
    return KnownNames(messages, fields)


def _identities(node: ast.ClassDef, call: str) -> Iterator[str]:
    """Give what a plan may know a message by."""
    if call in _NAMED:
        yield _keyword(node.keywords, "name") or event_name(node.name)
    if call != "track":
        yield node.name


def _classes(sources: tuple[str, ...]) -> Iterator[ast.ClassDef]:
    for source in sources:
        try:
            module = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        yield from (node for node in module.body if isinstance(node, ast.ClassDef))


def _key(node: ast.AnnAssign) -> str | None:
    return _keyword(node.value.keywords, "serialization_alias") if isinstance(node.value, ast.Call) else None


def _keyword(keywords: list[ast.keyword], name: str) -> str | None:
    for each in keywords:
        if each.arg == name and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str):
            return each.value.value
    return None
