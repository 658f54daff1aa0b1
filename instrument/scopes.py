"""Scopes: the identifying fields that events share, nested by inheritance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from instrument.declared import IDENTITY, Declared
from instrument.privacy.marks import marks_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

_NAMES: set[str] = set(IDENTITY)
_PROPAGATED: dict[str, FieldInfo] = {}
_PERSONAL: set[str] = set()
_UNREAD: dict[type[Scope], None] = {}
"""Scopes whose marks of personal data nobody has asked for: their annotations may name what is declared later."""


@dataclass(frozen=True, slots=True)
class Propagated:
    """Marks a scope's field that goes along to other services: `project_id: Annotated[int, Propagated()]`.

    The parentheses may be left out.
    """


class Scope(Declared, abstract=True):
    """Identifying fields: the user, the project, the cluster that something happened in.

    Scopes nest by inheritance. A field `user_id` or `anonymous_id` is the identity, and is sent as Segment's
    `userId` or `anonymousId`; every other field becomes a property, under its `serialization_alias` if it has one.

    Raises:
        DeclarationError: a field has a name that pydantic or a message needs for itself.

    >>> from pydantic import Field
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class ProjectScope(UserScope):
    ...     project_id: int = Field(serialization_alias="proj_id")
    """

    __reserved_names__: ClassVar[frozenset[str]] = frozenset({"consent", "event", "properties", "traits"})

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        _NAMES.update(cls.model_fields)
        _UNREAD[cls] = None
        for name, info in cls.model_fields.items():
            if any(isinstance(each, Propagated) or each is Propagated for each in info.metadata):
                _PROPAGATED.setdefault(name, info)


def scope_names() -> frozenset[str]:
    """Name every field that some declared scope has: what a request scope may hold."""
    return frozenset(_NAMES)


def is_scope_name(name: str) -> bool:
    """Whether some declared scope has a field of this name."""
    return name in _NAMES


def propagated_fields() -> Mapping[str, FieldInfo]:
    """Return the fields that some declared scope marks as `Propagated`, by name."""
    return dict(_PROPAGATED)


def personal_names() -> frozenset[str]:
    """Name every field that some declared scope marks as personal data, itself or a part of it.

    The fields of a scope whose annotations cannot be read yet count as such.
    """
    unclear: set[str] = set()
    for scope in tuple(_UNREAD):
        if scope.__pydantic_fields_complete__ or scope.model_rebuild(raise_errors=False):
            _PERSONAL.update(path[0] for path in marks_of(scope))
            _UNREAD.pop(scope, None)
        else:
            unclear.update(scope.model_fields)
    return frozenset(_PERSONAL | unclear)
