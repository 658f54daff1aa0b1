"""Marks of personal data: what a field holds, and what becomes of it before a message leaves the caller."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import isclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import BaseModel
from pydantic_core.core_schema import wrap_serializer_function_ser_schema
from typing_extensions import TypeAliasType

from instrument.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import GetCoreSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema
    from pydantic_core.core_schema import SerializationInfo, SerializerFunctionWrapHandler

Policy = Literal["drop", "mask", "hash", "keep"]
"""What becomes of a value: it is left out, replaced by `***`, by a keyed hash of it, or sent as it is.

From what leaves least of it to what leaves all."""

_MARK = "__pii__"
POLICIES: tuple[Policy, ...] = get_args(Policy)


class Redactor:
    """What decides what becomes of a marked value; given to pydantic's serialisation as its context."""

    # No abstract class, of which `isinstance` takes longer than the rest of a redaction.
    __slots__ = ()

    def redacted(self, mark: PII, value: Any, serialize: SerializerFunctionWrapHandler) -> Any:
        """Return what is sent instead of a value.

        Args:
            mark: what the field is marked with.
            value: its value.
            serialize: what pydantic would make of it for JSON.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PII:
    """Marks personal data: `email: Annotated[str, PII("email")]`, on a field of a message, a scope or a nested model.

    Before a message reaches the disk, the log or a destination, the policy is applied: that of the destination
    for the category, else the one of the mark. The `repr` of a message shows the category in place of the value.

    Args:
        category: the kind of data, such as `email`: what the setting `pii` knows it by.
        policy: what becomes of the value where no setting says otherwise: `drop`, `mask`, `hash` or `keep`.

    Raises:
        DeclarationError: the policy is none of these, or the category no name.

    >>> from typing import Annotated
    >>> from instrument import PII, Identify, Scope
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class AccountOpened(Identify, UserScope):
    ...     email: Annotated[str, PII("email", policy="hash")]
    >>> AccountOpened(user_id=7, email="ada@example.com")
    AccountOpened(user_id=7, email=<email>)
    """

    category: str
    policy: Policy = "drop"

    def __post_init__(self) -> None:
        if not self.category.isidentifier():
            raise DeclarationError(f"PII({self.category!r}): a category is a name, such as 'email' or 'postal_address'")
        if self.policy not in POLICIES:
            raise DeclarationError(
                f"PII({self.category!r}): {self.policy!r} is no policy, but {', '.join(POLICIES)} are"
            )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler, /) -> CoreSchema:
        """Let the serialisation ask what becomes of the value, wherever in a message it stands."""
        schema = cast("dict[str, Any]", handler(source))

        def serialize(value: Any, plainly: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
            redactor: object = info.context
            return redactor.redacted(self, value, plainly) if isinstance(redactor, Redactor) else plainly(value)

        setattr(serialize, _MARK, self)
        serialization = wrap_serializer_function_ser_schema(serialize, info_arg=True, schema=cast("CoreSchema", schema))
        # What is put in place of the serialisation later does not take away this.
        metadata = {**schema.get("metadata", {}), _MARK: self}
        return cast("CoreSchema", {**schema, "serialization": serialization, "metadata": metadata})


def mark_of_serialization(serialization: Mapping[str, Any]) -> PII | None:
    """Return the mark whose serialisation that of a core schema is."""
    return getattr(serialization.get("function"), _MARK, None)


def mark_of_schema(schema: Mapping[str, Any]) -> PII | None:
    """Return the mark that a core schema was declared with, whatever serialises its values now."""
    metadata: Mapping[str, PII] = schema.get("metadata", {})
    return metadata.get(_MARK)


def mark_of(field: FieldInfo) -> PII | None:
    """Return the mark of a field itself.

    >>> from typing import Annotated
    >>> class Person(BaseModel):
    ...     email: Annotated[str, PII("email")]
    >>> _ = Person.model_rebuild()
    >>> mark_of(Person.model_fields["email"])
    PII(category='email', policy='drop')
    """
    return next((each for each in field.metadata if isinstance(each, PII)), None)


def marks_of(model: type[BaseModel]) -> Mapping[tuple[str, ...], PII]:
    """Return the marks in a model and in the models, lists and mappings inside of it, by the names that lead there.

    Those of a model whose annotations cannot be resolved yet are not among them.

    >>> from typing import Annotated
    >>> class Person(BaseModel):
    ...     email: Annotated[str, PII("email")]
    >>> class Team(BaseModel):
    ...     members: list[Person]
    >>> _ = Person.model_rebuild(), Team.model_rebuild()
    >>> marks_of(Team)
    {('members', 'email'): PII(category='email', policy='drop')}
    """
    return dict(_marks(model, ()))


def shown(model: type[BaseModel], fields: Iterable[tuple[str | None, Any]]) -> Iterator[tuple[str | None, Any]]:
    """Put categories in place of the marked values that a `repr` would show."""
    marks = marks_of(model)
    for name, value in fields:
        categories = [mark.category for path, mark in marks.items() if path[0] == name]
        yield name, _Categories(categories) if categories and value is not None else value


@dataclass(frozen=True, slots=True)
class _Categories:
    names: Sequence[str]

    def __repr__(self) -> str:
        return f"<{', '.join(dict.fromkeys(self.names))}>"


def _marks(model: type[BaseModel], around: tuple[type[BaseModel], ...]) -> Iterator[tuple[tuple[str, ...], PII]]:
    if model in around:  # a model that holds itself
        return
    if not model.__pydantic_fields_complete__:  # what is not resolved yet shows no marks
        model.model_rebuild(raise_errors=False)
    for name, field in model.model_fields.items():
        mark = mark_of(field)
        if mark is not None:
            yield (name,), mark
        for path, inner in _marks_within(field.annotation, (*around, model)):
            yield (name, *path), inner
    for name, computed in model.model_computed_fields.items():
        for path, inner in _marks_within(computed.return_type, (*around, model)):
            yield (name, *path), inner


def _marks_within(annotation: Any, around: tuple[type[BaseModel], ...]) -> Iterator[tuple[tuple[str, ...], PII]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield from _marks(annotation, around)
        return
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    for each in getattr(annotation, "__metadata__", ()):
        if isinstance(each, PII):
            yield (), each
    for part in get_args(annotation):
        yield from _marks_within(part, around)
