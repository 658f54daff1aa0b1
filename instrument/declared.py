"""The common base of scopes and messages: frozen pydantic models that forbid what they do not declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict
from typing_extensions import Format, Self, get_annotations

from instrument.bindings import Binding, Source, bind
from instrument.core_schemas import strict_leaves
from instrument.errors import DeclarationError
from instrument.places import Place, caller
from instrument.privacy.marks import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

IDENTITY = ("user_id", "anonymous_id")
"""The identity: reserved names, in every message, and never properties."""

_ENFORCED = ConfigDict(
    frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_by_name=True
)


class Declared(BaseModel, defer_build=True):
    """What scopes and messages share: configuration, `from_call`, and the checks of their field names."""

    model_config: ClassVar[ConfigDict] = _ENFORCED | ConfigDict(
        validate_by_alias=True,
        ser_json_inf_nan="constants",  # so that the envelope sees a stray NaN instead of a silent null
    )

    # Named so that they can hide no field of a user's.
    __reserved_names__: ClassVar[frozenset[str]] = frozenset()
    __declared_at__: ClassVar[Place]

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        # Before pydantic reads the fields: a mixin's configuration must not loosen ours, and a field that hides
        # a member would otherwise be reported by pydantic as a warning about the wrong thing.
        cls.model_config.update(_ENFORCED)
        # An abstract class is built by pydantic only if it is instantiated: most never are.
        cls.model_config["defer_build"] = abstract
        cls.__declared_at__ = caller()
        for name in _field_names(cls):
            _check_field_name(cls, name)
        super().__init_subclass__(**kwargs)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /) -> CoreSchema:
        """Let only pass what JSON can say without loss."""
        return strict_leaves(cls, handler(source), handler.resolve_ref_schema)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show categories in place of personal data."""
        return shown(type(self), super().__repr_args__())

    @classmethod
    def from_call(cls, /, **sources: Source) -> Binding[Self]:
        """Say where a handler keeps fields that are not found by their name alone.

        Args:
            sources: by field: a parameter's name or dotted path (`"cluster.id"`, an attribute or a mapping's
                key), `"result…"`, `"error…"` (alone: the exception's text), `"duration"` in seconds, or a
                callable that gets the `Call`.

        Raises:
            BindingError: a name is no field of the class, or a source is neither text nor callable.

        >>> from instrument import Scope
        >>> class TeamScope(Scope):
        ...     user_id: int
        ...     team_id: int
        >>> TeamScope.from_call(team_id="result.id")
        TeamScope.from_call(team_id='result.id')
        """
        return bind(cls, sources)


# Pydantic evaluates those of every base again for each class, and these are no fields.
Declared.__annotations__.clear()


def _field_names(cls: type[Declared]) -> dict[str, type]:
    """Name every annotated field of the class and its bases, with the class that annotates it."""
    return {
        name: owner
        for owner in reversed(cls.__mro__)
        if issubclass(owner, BaseModel) and owner not in (BaseModel, Declared)
        for name, annotation in get_annotations(owner, format=Format.FORWARDREF).items()
        if not name.startswith("_") and not _is_class_variable(annotation)
    }


def _is_class_variable(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else str(annotation)
    return text.removeprefix("typing.").removeprefix("t.").startswith("ClassVar")


def _check_field_name(cls: type[Declared], name: str) -> None:
    if name in cls.__reserved_names__:
        owner = f"{cls.__mro__[1].__name__} has it for the Segment spec"
    elif hasattr(Declared, name):
        owner = "pydantic has it for itself" if hasattr(BaseModel, name) else "every scope and message has it"
    else:
        return
    raise DeclarationError(
        f"{cls.__declared_at__}: {cls.__name__}.{name}: a field cannot have this name, since {owner}. "
        f'Write `{name}_: … = Field(serialization_alias="{name}")`: the message then still has the key {name!r}.'
    )
