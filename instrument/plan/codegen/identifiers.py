"""Identifiers out of the names of a plan, which may be any text at all."""

from __future__ import annotations

import builtins
import keyword
import typing
import unicodedata

import pydantic

import instrument
from instrument.declared import IDENTITY, Declared
from instrument.names import words
from instrument.plan.codegen.drafts import BASES
from instrument.scopes import Scope

_MAX_LENGTH = 60

_TYPING: list[str] = vars(typing)["__all__"]  # which the stubs do not have

# What a generated module imports or takes from the language: a class of this name would hide it.
_TAKEN_CLASS_NAMES: frozenset[str] = frozenset(
    {*dir(builtins), *_TYPING, *pydantic.__all__, *instrument.__all__, "UUID", "dt"}
)

_TAKEN_MODULES = frozenset({"scopes", "objects"})

# What the annotations of a class look up in the class itself first.
_TAKEN_FIELD_NAMES = frozenset({"bool", "dict", "dt", "float", "int", "list", "set", "str", "tuple", *IDENTITY})

# What a page, or another message, has for itself: it has the fields of its scopes too.
_TAKEN_BY_HEIRS: frozenset[str] = frozenset[str]().union(*(each.__reserved_names__ for each in BASES.values()))

# pydantic warns of every name that begins like this.
_PROTECTED = ("model_validate", "model_dump")


def class_identifier(text: str, *, otherwise: str) -> str:
    """Return the name of a class for any text, in CapWords.

    Args:
        text: the text.
        otherwise: what to begin with where the text has no letter to begin with.

    >>> class_identifier("Cluster provisioning: started", otherwise="Event")
    'ClusterProvisioningStarted'
    >>> class_identifier("42 things", otherwise="Event"), class_identifier("None", otherwise="Event")
    ('Event42Things', 'NoneEvent')
    """
    name = _normal("".join(word[:1].upper() + word[1:] for word in _parts(text)))[:_MAX_LENGTH]
    if not name[:1].isidentifier():
        name = otherwise + name
    return name + otherwise if name in _TAKEN_CLASS_NAMES else name


def field_identifier(key: str, base: type[Declared] = Scope) -> str:
    """Return the name of a field for any key, in snake_case.

    A name that the language, pydantic or the Segment spec needs for itself is followed by an underscore; of a scope's,
    also one that any message needs which inherits from it.

    Args:
        key: the key.
        base: what the class inherits from.

    >>> field_identifier("firstName"), field_identifier("Product ID"), field_identifier("class")
    ('first_name', 'product_id', 'class_')
    >>> field_identifier("event"), field_identifier("json"), field_identifier("42")
    ('event_', 'json_', 'field_42')
    >>> field_identifier("Name"), field_identifier("Name", instrument.Track)
    ('name_', 'name')
    """
    name = "_".join(word.lower() for part in _parts(key) for word in words(part))[:_MAX_LENGTH].rstrip("_")
    # Lower-casing may leave what is no letter of an identifier.
    name = "_".join(_parts(name))
    if not name[:1].isidentifier() or name.startswith(_PROTECTED):
        name = f"field_{name}".rstrip("_")
    return f"{name}_" if _is_taken(name, base) or (base is Scope and name in _TAKEN_BY_HEIRS) else name


def module_identifier(path: str) -> str:
    """Return the name of the module for messages that were declared in a module of this path.

    >>> module_identifier("shop.analytics.orders"), module_identifier("shop.scopes"), module_identifier("")
    ('orders', 'events', 'events')
    """
    name = path.rpartition(".")[2]
    return name if _is_plain(name) and name.isascii() and name not in _TAKEN_MODULES else "events"


def can_be_class(name: str) -> bool:
    """Whether a class can have the name."""
    return _is_plain(name) and name not in _TAKEN_CLASS_NAMES


def can_be_field(name: str, base: type[Declared] = Scope) -> bool:
    """Whether a field of a class that inherits from `base` can have the name."""
    return _is_plain(name) and not name.startswith(_PROTECTED) and not _is_taken(name, base)


def unique(name: str, taken: set[str]) -> str:
    """Return the name, or the name with the first number that makes it one of its own; and take it.

    >>> taken = {"Paid"}
    >>> unique("Paid", taken), unique("Paid", taken)
    ('Paid2', 'Paid3')
    """
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}{number}" if name[-1:] != "_" else f"{name}{number}_"
    taken.add(candidate)
    return candidate


def _parts(text: str) -> list[str]:
    letters = "".join(each if f"a{each}".isidentifier() and each != "_" else " " for each in _normal(text))
    return [part for part in map(_without_marks, letters.split()) if part]


def _without_marks(part: str) -> str:
    """Leave out what at the beginning would join what stands before it: accents and the like."""
    start = next((at for at, each in enumerate(part) if each.isidentifier() or each.isdecimal()), len(part))
    return part[start:]


def _normal(text: str) -> str:
    """Return a text in the form that Python reads identifiers in: two names that are equal in it are one."""
    return unicodedata.normalize("NFKC", text)


def _is_plain(name: str) -> bool:
    return _normal(name) == name and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")


def _is_taken(name: str, base: type[Declared]) -> bool:
    return (
        keyword.iskeyword(name)
        or name in _TAKEN_FIELD_NAMES
        or name in base.__reserved_names__
        or name in base.model_fields
        or hasattr(base, name)
    )
