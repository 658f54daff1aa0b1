"""Making the plan of what classes declare."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from typing_extensions import Format, get_annotations

from instrument.errors import InstrumentError
from instrument.messages import IDENTITY_KEYS, Message, declaration_of, declared_messages
from instrument.plan.emissions import emissions_of
from instrument.plan.imports import import_packages
from instrument.plan.model import PersonalData, Plan, PlannedField, PlannedMessage, PlannedScope
from instrument.plan.schemas import schemas_of
from instrument.privacy.marks import marks_of
from instrument.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic.fields import ComputedFieldInfo, FieldInfo

    from instrument.declared import Declared
    from instrument.plan.model import Emission
    from instrument.plan.project import Project
    from instrument.plan.schemas import Schemas
    from instrument.privacy.marks import PII

_OWNER_SIGN = "Owner:"
_OWNER = re.compile(rf"^[ \t]*{_OWNER_SIGN}[ \t]*(\S.*?)[ \t]*$\n?", re.MULTILINE)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class UnplannableError(InstrumentError):
    """A declared class that no plan can be made of."""


def collect(project: Project) -> Plan:
    """Import a project's packages, and make the plan of the messages that they declare.

    Raises:
        ImportFailuresError: a module cannot be imported.
        UnplannableError: a class names a type that is not defined.
    """
    modules = import_packages(project)
    messages = [each for each in declared_messages() if project.owns(each.__module__)]
    return plan_of(messages, project, emissions=emissions_of(modules, project))


def plan_of(
    messages: Iterable[type[Message]],
    project: Project,
    *,
    emissions: Mapping[type[Message], tuple[Emission, ...]] | None = None,
) -> Plan:
    """Make the plan of some message classes.

    Args:
        messages: the classes; their order means nothing.
        project: what files are relative to, and the plan's name.
        emissions: where each is emitted.

    Raises:
        UnplannableError: a class names a type that is not defined.
    """
    classes = list(messages)
    names = _scope_names(classes)
    planner = _Planner(project, names, emissions or {})
    return Plan(
        name=_text(project.title),
        scopes=tuple(sorted(map(planner.scope, names), key=lambda each: each.name)),
        messages=tuple(sorted(map(planner.message, classes), key=_order)),
    )


def _order(message: PlannedMessage) -> tuple[str, ...]:
    return message.kind, message.title, message.module, message.class_name


def _scope_names(classes: Iterable[type[Message]]) -> dict[type[Scope], str]:
    """Name the scopes of some messages: by their classes, with the modules where several have one name."""
    scopes = {base: None for cls in classes for base in cls.__mro__ if _is_scope(base)}
    counts = Counter(each.__name__ for each in scopes)
    return {
        each: each.__name__ if counts[each.__name__] == 1 else f"{each.__module__}.{each.__qualname__}"
        for each in scopes
    }


def _is_scope(cls: type) -> bool:
    return issubclass(cls, Scope) and not issubclass(cls, Message) and cls is not Scope


class _Planner:
    """Makes the parts of one plan.

    Args:
        project: what files are relative to.
        scopes: the scopes of the plan, with their names in it.
        emissions: where each message is emitted.
    """

    def __init__(
        self,
        project: Project,
        scopes: Mapping[type[Scope], str],
        emissions: Mapping[type[Message], tuple[Emission, ...]],
    ) -> None:
        self._project = project
        self._scopes = scopes
        self._emissions = emissions
        self._annotations: dict[type, Mapping[str, str]] = {}
        self._marks: dict[type, Mapping[tuple[str, ...], PII]] = {}

    def scope(self, cls: type[Scope]) -> PlannedScope:
        schemas = _schemas(cls)
        own = {*self._written(cls), *cls.__dict__}
        fields = (each for each in self._fields(cls, schemas, IDENTITY_KEYS) if each.name in own)
        return PlannedScope(
            name=self._scopes[cls],
            class_name=cls.__name__,
            module=cls.__module__,
            doc=_doc(cls),
            bases=self._bases(cls),
            fields=tuple(each.model_copy(update={"scope": None}) for each in fields),
            definitions=schemas.definitions,
            declared=self._project.place(cls.__declared_at__.file, cls.__declared_at__.line, module=cls.__module__),
        )

    def message(self, cls: type[Message]) -> PlannedMessage:
        declaration, schemas = declaration_of(cls), _schemas(cls)
        fields = list(self._fields(cls, schemas, declaration.ids))
        return PlannedMessage(
            kind=declaration.spec.type,
            name=declaration.name,
            class_name=cls.__name__,
            module=cls.__module__,
            doc=_OWNER.sub("", _doc(cls)).strip(),
            owner=_owner(cls),
            deprecated=_deprecation(cls),
            category=declaration.category,
            name_key=declaration.spec.name_key,
            payload=declaration.spec.payload,
            scopes=self._bases(cls),
            ids=tuple(each for each in fields if each.name in declaration.ids),
            properties=tuple(each for each in fields if each.name not in declaration.ids),
            definitions=schemas.definitions,
            declared=self._project.place(declaration.at.file, declaration.at.line, module=cls.__module__),
            emissions=self._emissions.get(cls, ()),
        )

    def _bases(self, cls: type) -> tuple[str, ...]:
        found = list(dict.fromkeys(_nearest_scopes(cls)))
        nearest = [each for each in found if not any(other is not each and issubclass(other, each) for other in found)]
        return tuple(self._scopes[each] for each in nearest)

    def _fields(self, cls: type[Declared], schemas: Schemas, ids: Mapping[str, str]) -> Iterator[PlannedField]:
        for name, info in cls.model_fields.items():
            if not info.exclude:
                key = ids.get(name) or info.serialization_alias or info.alias or name
                yield self._field(cls, name, key, info, schemas)
        for name, computed in cls.model_computed_fields.items():
            yield self._computed(cls, name, computed, schemas)

    def _field(self, cls: type[Declared], name: str, key: str, info: FieldInfo, schemas: Schemas) -> PlannedField:
        return PlannedField(
            key=_text(key),
            name=name,
            type=next((self._written(each)[name] for each in cls.__mro__ if name in self._written(each)), "Any"),
            schema=_plain(schemas, info.serialization_alias or info.alias or name),
            required=info.is_required(),
            description=_text(inspect.cleandoc(info.description or "")),
            deprecated=_deprecated(info),
            pii=self._pii(cls, name),
            scope=self._scope_of(cls, name),
        )

    def _computed(self, cls: type[Declared], name: str, info: ComputedFieldInfo, schemas: Schemas) -> PlannedField:
        getter: Any = info.wrapped_property
        function = getattr(getter, "fget", None) or getattr(getter, "func", None)
        return PlannedField(
            key=_text(info.alias or name),
            name=name,
            type=_annotations(function).get("return", "Any"),
            schema=_plain(schemas, info.alias or name),
            description=_text(inspect.cleandoc(info.description or "")),
            deprecated=_deprecated(info),
            pii=self._pii(cls, name),
            scope=self._scope_of(cls, name),
            computed=True,
        )

    def _pii(self, cls: type[Declared], name: str) -> tuple[PersonalData, ...]:
        if cls not in self._marks:
            self._marks[cls] = marks_of(cls)
        return tuple(
            PersonalData(category=mark.category, policy=mark.policy, path=path[1:])
            for path, mark in self._marks[cls].items()
            if path[0] == name
        )

    def _scope_of(self, cls: type, name: str) -> str | None:
        scopes = (each for each in cls.__mro__ if _is_scope(each))
        scope = next((each for each in scopes if name in self._written(each) or name in each.__dict__), None)
        return None if scope is None else self._scopes[scope]

    def _written(self, cls: type) -> Mapping[str, str]:
        """Return the annotations of a class itself, as they are written."""
        if cls not in self._annotations:
            self._annotations[cls] = _annotations(cls)
        return self._annotations[cls]


def _schemas(cls: type[Declared]) -> Schemas:
    try:
        cls.model_rebuild()
        return schemas_of(cls)
    except (PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise UnplannableError(f"{cls.__declared_at__}: {cls.__name__}: {error}") from None


def _nearest_scopes(cls: type) -> Iterator[type[Scope]]:
    for base in cls.__bases__:
        if _is_scope(base):
            yield base
        else:
            yield from _nearest_scopes(base)


def _annotations(owner: Any) -> dict[str, str]:
    found = get_annotations(owner, format=Format.STRING) if callable(owner) else {}
    return {name: _text(_ADDRESS.sub("", str(text))) for name, text in found.items()}


def _plain(schemas: Schemas, key: str) -> dict[str, Any]:
    """Return the schema of a field without what the plan says elsewhere."""
    schema = schemas.of_keys.get(key, {})
    return {name: value for name, value in schema.items() if name not in ("description", "deprecated", "readOnly")}


def _doc(cls: type) -> str:
    return _text(inspect.cleandoc(cls.__dict__.get("__doc__") or ""))


def _owner(cls: type[Message]) -> str | None:
    if cls.__owner__ is not None:
        return _text(cls.__owner__)
    docs = (_doc(each) for each in cls.__mro__ if issubclass(each, Message) and _OWNER_SIGN in (each.__doc__ or ""))
    return next((line[1] for line in map(_OWNER.search, docs) if line is not None), None)


def _deprecation(cls: type[Message]) -> str | bool:
    said: str | bool = cls.__deprecation__ or cls.__dict__.get("__deprecated__", False)
    return _text(said) if isinstance(said, str) else said


def _deprecated(info: FieldInfo | ComputedFieldInfo) -> str | bool:
    if not info.deprecated:
        return False
    return True if info.deprecated is True else _text(info.deprecation_message or "") or True


def _text(text: str) -> str:
    """Return a text that has a form in UTF-8: a lone surrogate as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
