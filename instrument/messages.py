"""Messages: the typed calls of the Segment spec, and the registry of what is declared."""

from __future__ import annotations

import sys
import threading
from abc import ABCMeta
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    TypedDict,
    Union,
    cast,
    get_args,
    get_origin,
    runtime_checkable,
)
from uuid import UUID

from pydantic_core import PydanticUndefined

from instrument.declared import IDENTITY, Declared
from instrument.errors import DeclarationError
from instrument.names import event_name
from instrument.places import caller
from instrument.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from typing_extensions import Unpack

    from instrument.places import Place

Kind = Literal["track", "identify", "group", "page", "screen", "alias"]
"""A call of the Segment spec: https://segment.com/docs/connections/spec/"""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

IDENTITY_KEYS: Final = MappingProxyType({"user_id": "userId", "anonymous_id": "anonymousId"})
"""By field name, the keys that Segment has for the identity."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The shape of one call of the Segment spec.

    Attributes:
        type: the value of the key `type`.
        payload: the key that holds the fields which are no ids; `None` where the call has none.
        name_key: the key that holds the name which comes from the class; `None` where the call has none.
        own_ids: the ids that the call has besides the identity: by field name, the key.
    """

    type: str
    payload: Literal["properties", "traits"] | None
    name_key: Literal["event", "name"] | None = None
    own_ids: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which conditions the messages of a class are sent.

    Attributes:
        consent: the categories that the user must have agreed to.
        sample: the share of users for whom they are; `None` for all.
        rate_limit: how many a second are at most; `None` for as many as there are.
    """

    consent: tuple[str, ...] = ()
    sample: float | None = None
    rate_limit: float | None = None

    def changed(
        self, cls: type, *, consent: str | Sequence[str] | None, sample: float | None, rate_limit: float | None
    ) -> Conditions:
        """Return those of a class that inherits these.

        Args:
            cls: the class that inherits, for errors.
            consent: the categories; `None` leaves them as they are.
            sample: a share from 0 to 1; `None` leaves it as it is.
            rate_limit: how many a second; `None` leaves it as it is.

        Raises:
            DeclarationError: a share or a limit is none.
        """
        if sample is not None and not 0 <= sample <= 1:
            raise DeclarationError(f"{caller()}: {cls.__name__}: sample={sample!r} is no share from 0 to 1.")
        if rate_limit is not None and not 0 < rate_limit < inf:
            raise DeclarationError(f"{caller()}: {cls.__name__}: rate_limit={rate_limit!r} is no number a second.")
        categories = (consent,) if isinstance(consent, str) else tuple(consent or ())
        return Conditions(
            consent=self.consent if consent is None else categories,
            sample=self.sample if sample is None else sample,
            rate_limit=self.rate_limit if rate_limit is None else rate_limit,
        )


class ClassArguments(TypedDict, total=False):
    """The class arguments that every message class has."""

    name: str | None
    abstract: bool
    owner: str | None
    deprecated: str | bool
    consent: str | Sequence[str] | None
    sample: float | None
    rate_limit: float | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """What was declared with a message class.

    Attributes:
        spec: the shape of its call.
        name: the name of the event, page or screen.
        category: the category of a page or screen.
        ids: by field name, the key that Segment has for the id.
        scope_fields: the fields that scopes of the class declare: what the request scope may give.
        at: where the class is declared.
    """

    spec: Spec
    name: str | None
    category: str | None
    ids: Mapping[str, str]
    scope_fields: frozenset[str]
    at: Place


class Message(Declared, abstract=True):
    """One typed call of the Segment spec: what `Track`, `Identify`, `Group`, `Page`, `Screen` and `Alias` share.

    Raises:
        DeclarationError: where the class is declared: a name that another class has, a message that could have
            no identity, two fields with one key, or a field name that pydantic or the spec needs for itself.
    """

    __segment_spec__: ClassVar[Spec]
    __declaration__: ClassVar[Declaration | None] = None
    """`None` for an abstract class, of which no message can be sent."""
    __abstract__: ClassVar[bool] = True
    __given_name__: ClassVar[str | None] = None
    __category__: ClassVar[str | None] = None
    __owner__: ClassVar[str | None] = None
    """Who looks after the message: given as `owner=`, to the class or to an abstract base."""
    __deprecation__: ClassVar[str | bool] = False
    """Whether the message is to be sent no more, and what instead: given as `deprecated=`, to this class alone."""
    __conditions__: ClassVar[Conditions] = Conditions()
    """Given as `consent=`, `sample=` and `rate_limit=`, to the class or to an abstract base."""

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        abstract: bool = False,
        owner: str | None = None,
        deprecated: str | bool = False,
        consent: str | Sequence[str] | None = None,
        sample: float | None = None,
        rate_limit: float | None = None,
    ) -> None:
        cls.__given_name__ = cls.__dict__.get("__given_name__") if name is None else name
        cls.__abstract__ = abstract
        if owner is not None:
            cls.__owner__ = owner
        cls.__deprecation__ = deprecated
        cls.__conditions__ = cls.__conditions__.changed(cls, consent=consent, sample=sample, rate_limit=rate_limit)
        super().__init_subclass__()
        # Not passed on, since a scope's own `__init_subclass__` may take no keyword.
        cls.model_config["defer_build"] = abstract

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        origin = cls.__pydantic_generic_metadata__["origin"]
        if origin is not None:
            cls.__declaration__ = cast("type[Message]", origin).__declaration__
        elif cls.__abstract__:
            cls.__declaration__ = None
        else:
            cls.__declaration__ = _declare(cls)
            registry.add(cls)

    def _payload(self) -> dict[str, Any]:
        ids = type(self).__segment_spec__.own_ids
        return self.model_dump(by_alias=True, exclude={*IDENTITY, *ids})


# Pydantic evaluates those of every base again for each class, and these are no fields.
Message.__annotations__.clear()


if sys.version_info < (3, 11) and not TYPE_CHECKING:

    class _TakesName(ABCMeta):
        """Takes the class argument `name` aside, since the `ABCMeta` of Python 3.10 has a parameter of that name."""

        def __new__(mcs, cls_name, bases, namespace, /, *, name=None, **kwargs):  # noqa: ANN001, ANN003, ANN204
            if name is not None:
                namespace["__given_name__"] = name
            return super().__new__(mcs, cls_name, bases, namespace, **kwargs)

    # Between pydantic's metaclass and `ABCMeta`: pydantic resolves annotations by the locals of the frame that calls
    # it, which must be the one of the `class` statement.
    class _Metaclass(type(Message), _TakesName):
        pass

    Message.__class__ = _Metaclass


class Track(Message, abstract=True):
    """An event: something that a user did.

    https://segment.com/docs/connections/spec/track/

    The event's name comes from the class name, or from `name=`.

    Args:
        name: the event's name, as a class argument.
        abstract: a base that only carries fields, as a class argument.
        owner: who looks after the event, for the tracking plan; classes that inherit from this one have it too.
        deprecated: that the event is to be sent no more, or what is to be sent instead, for the tracking plan.
        consent: the category, or several, that the user must have agreed to; as the next two, also for classes that
            inherit from this one.
        sample: the share of users for whom it is sent, from 0 to 1.
        rate_limit: how many a second are sent at most, in each process.

    >>> from instrument import Scope, Track
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class InvoicePaid(Track, UserScope):
    ...     amount: int
    >>> paid = InvoicePaid(user_id=7, amount=12)
    >>> paid.event, paid.properties
    ('Invoice Paid', {'amount': 12})
    """

    __segment_spec__: ClassVar[Spec] = Spec("track", "properties", name_key="event")
    __reserved_names__: ClassVar[frozenset[str]] = frozenset({"event", "properties"})

    @property
    def event(self) -> str:
        """The event's name."""
        return _name(self) or ""

    @property
    def properties(self) -> dict[str, Any]:
        """The properties, by the keys that are sent."""
        return self._payload()


class _WithTraits(Message, abstract=True):
    __reserved_names__: ClassVar[frozenset[str]] = frozenset({"traits"})

    @property
    def traits(self) -> dict[str, Any]:
        """The traits, by the keys that are sent."""
        return self._payload()


class Identify(_WithTraits, abstract=True):
    """Who a user is.

    https://segment.com/docs/connections/spec/identify/
    """

    __segment_spec__: ClassVar[Spec] = Spec("identify", "traits")


class Group(_WithTraits, abstract=True):
    """The group that a user belongs to.

    https://segment.com/docs/connections/spec/group/
    """

    __segment_spec__: ClassVar[Spec] = Spec("group", "traits", own_ids={"group_id": "groupId"})

    group_id: str | int | UUID


class _Viewed(Message, abstract=True):
    __reserved_names__: ClassVar[frozenset[str]] = frozenset({"name", "category", "properties"})

    def __init_subclass__(cls, *, category: str | None = None, **arguments: Unpack[ClassArguments]) -> None:
        cls.__category__ = category
        super().__init_subclass__(**arguments)

    @property
    def name(self) -> str | None:
        """The name of what was viewed."""
        return _name(self)

    @property
    def category(self) -> str | None:
        """The category of what was viewed."""
        return type(self).__category__

    @property
    def properties(self) -> dict[str, Any]:
        """The properties, by the keys that are sent."""
        return self._payload()


class Page(_Viewed, abstract=True):
    """A page that was viewed.

    https://segment.com/docs/connections/spec/page/
    """

    __segment_spec__: ClassVar[Spec] = Spec("page", "properties", name_key="name")


class Screen(_Viewed, abstract=True):
    """A screen of a mobile app that was viewed.

    https://segment.com/docs/connections/spec/screen/
    """

    __segment_spec__: ClassVar[Spec] = Spec("screen", "properties", name_key="name")


class Alias(Message, abstract=True):
    """Two ids of one user. It has nothing but ids.

    https://segment.com/docs/connections/spec/alias/
    """

    __segment_spec__: ClassVar[Spec] = Spec("alias", None, own_ids={"previous_id": "previousId"})

    previous_id: str | int | UUID


@runtime_checkable
class SegmentTrack(Protocol):
    """Any object with these three can be sent with `client.track`, though untyped and undeclared."""

    @property
    def user_id(self) -> Any:
        """The user."""
        ...

    @property
    def event(self) -> str:
        """The event's name."""
        ...

    @property
    def properties(self) -> Mapping[str, Any]:
        """The properties, by the keys that are sent."""
        ...


class Registry:
    """The declared messages, by type and name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classes: dict[tuple[str, str], type[Message]] = {}

    def add(self, cls: type[Message]) -> None:
        """Keep a class that was declared; the same class declared again replaces itself.

        Raises:
            DeclarationError: another class has the type and the name.
        """
        spec, name = cls.__segment_spec__, cls.__declaration__.name if cls.__declaration__ else None
        # Only an event is known by its name alone: pages, screens and the rest may be told apart by their class.
        key = (spec.type, name if spec.name_key == "event" and name else f"{cls.__module__}:{cls.__qualname__}")
        with self._lock:
            other = self._classes.get(key)
            if other is not None and not _declared_again(other, cls):
                raise DeclarationError(
                    f"{cls.__declared_at__}: {cls.__name__}: the {spec.type} {name!r} is already declared, by "
                    f"{other.__name__} at {other.__declared_at__}. Give one of the two another name: "
                    f'`class {cls.__name__}({spec.type.capitalize()}, …, name="…")`.'
                )
            self._classes[key] = cls

    def messages(self) -> tuple[type[Message], ...]:
        """Return the declared classes in the order of their declaration."""
        with self._lock:
            return tuple(self._classes.values())

    @contextmanager
    def isolated(self) -> Generator[None]:
        """Begin with nothing declared, and put back on leaving what was: for tests that declare classes."""
        with self._lock:
            before, self._classes = self._classes, {}
        try:
            yield
        finally:
            with self._lock:
                self._classes = before


registry: Final = Registry()


def declared_messages() -> tuple[type[Message], ...]:
    """Return every declared message class, in the order of declaration."""
    return registry.messages()


def declaration_of(message: type[Message]) -> Declaration:
    """Return what was declared with a class.

    Raises:
        DeclarationError: the class is abstract.
    """
    if message.__declaration__ is None:
        raise DeclarationError(
            f"{message.__name__}, declared at {message.__declared_at__}, is abstract: "
            "it carries fields for other messages, and cannot be sent itself."
        )
    return message.__declaration__


def _name(message: Message) -> str | None:
    declaration = type(message).__declaration__
    return None if declaration is None else declaration.name


def _declare(cls: type[Message]) -> Declaration:
    spec = _spec_of(cls)
    ids = {name: key for name, key in {**IDENTITY_KEYS, **spec.own_ids}.items() if name in cls.model_fields}
    _check_identity(cls, spec)
    _check_payload(cls, spec, ids)
    return Declaration(
        spec=spec,
        name=_declared_name(cls, spec),
        category=cls.__category__,
        ids=MappingProxyType(ids),
        scope_fields=frozenset(_scope_fields(cls)),
        at=cls.__declared_at__,
    )


def _spec_of(cls: type[Message]) -> Spec:
    spec: Spec | None = getattr(cls, "__segment_spec__", None)
    if spec is None:
        raise DeclarationError(
            f"{cls.__declared_at__}: {cls.__name__}: a message is one of Track, Identify, Group, Page, "
            "Screen and Alias. Inherit from one of them; for a spec of your own, give an abstract class a "
            "`__segment_spec__`."
        )
    return spec


def _declared_name(cls: type[Message], spec: Spec) -> str | None:
    if spec.name_key is None:
        if cls.__given_name__ is not None:
            raise DeclarationError(f"{cls.__declared_at__}: {cls.__name__}: a call of {spec.type} has no name.")
        return None
    name = event_name(cls.__name__) if cls.__given_name__ is None else cls.__given_name__
    if not name.strip():
        raise DeclarationError(f"{cls.__declared_at__}: {cls.__name__}: the name of the {spec.type} is empty.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DeclarationError(
            f"{cls.__declared_at__}: {cls.__name__}: the name of the {spec.type} has a lone surrogate."
        ) from None
    return name


def _check_identity(cls: type[Message], spec: Spec) -> None:
    needed = ("user_id",) if spec.type == "alias" else IDENTITY
    if any(_always_given(cls.model_fields[name]) for name in needed if name in cls.model_fields):
        return
    fields = " or ".join(f"`{name}`" for name in needed)
    raise DeclarationError(
        f"{cls.__declared_at__}: {cls.__name__} could be sent without an identity: Segment requires {fields}. "
        f"Inherit from a scope that declares one of them, without a default of None: "
        f"`class {cls.__name__}({spec.type.capitalize()}, UserScope)`."
    )


def _check_payload(cls: type[Message], spec: Spec, ids: Mapping[str, str]) -> None:
    keys: dict[str, str] = {}
    for name, key in _payload_keys(cls, ids):
        if spec.payload is None:
            raise DeclarationError(
                f"{cls.__declared_at__}: {cls.__name__}.{name}: a call of {spec.type} has only ids: "
                f"{', '.join(('user_id', *spec.own_ids))}."
            )
        if key in keys:
            raise DeclarationError(
                f"{cls.__declared_at__}: {cls.__name__}: the fields {keys[key]!r} and {name!r} have one key, {key!r}."
            )
        keys[key] = name


def _payload_keys(cls: type[Message], ids: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, info in cls.model_fields.items():
        if name not in ids:
            yield name, info.serialization_alias or info.alias or name
    for name, computed in cls.model_computed_fields.items():
        yield name, computed.alias or name


def _scope_fields(cls: type[Message]) -> Iterator[str]:
    for base in cls.__mro__:
        if issubclass(base, Scope) and not issubclass(base, Message):
            yield from base.model_fields


def _always_given(field: FieldInfo) -> bool:
    if field.default is None or field.default_factory is not None:
        return False
    return field.default is not PydanticUndefined or not _admits_none(field.annotation)


def _admits_none(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _admits_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_admits_none, get_args(annotation)))
    return annotation is None or annotation is type(None)


def _declared_again(old: type[Message], new: type[Message]) -> bool:
    """Whether a class replaces itself: its module was reloaded, its function or notebook cell run again."""
    if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
        return False
    if old.__declared_at__ == new.__declared_at__:
        return True
    module = sys.modules.get(new.__module__)
    importing = getattr(getattr(module, "__spec__", None), "_initializing", False)
    return new.__module__ == "__main__" or not importing
