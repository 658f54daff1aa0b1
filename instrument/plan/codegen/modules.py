"""The modules of a package: scopes, nested objects and messages as source code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instrument.declared import Declared
from instrument.names import event_name
from instrument.plan.codegen.annotations import annotate
from instrument.plan.codegen.classes import ClassSource, FieldSource
from instrument.plan.codegen.drafts import BASES, ID_KEYS, DraftField, DraftMessage
from instrument.plan.codegen.naming import ClassNames, identity, name_classes, name_fields
from instrument.plan.codegen.reduction import Reduction
from instrument.plan.codegen.references import Document
from instrument.plan.codegen.source import clean, literal, text
from instrument.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from instrument.plan.codegen.annotations import Annotation
    from instrument.plan.codegen.drafts import Draft, DraftScope
    from instrument.plan.codegen.known import KnownNames
    from instrument.plan.codegen.reduction import Member, NestedObject
    from instrument.plan.model import PersonalData

_SCOPES, _OBJECTS = "scopes", "objects"


@dataclass(frozen=True, slots=True)
class Made:
    """The source code of a package.

    Attributes:
        modules: by file name, the source code, not yet formatted.
        messages: by call and name, the class of each message.
        remarks: what the plan says and the classes do not.
    """

    modules: Mapping[str, str]
    messages: Mapping[tuple[str, str], str]
    remarks: tuple[str, ...]


def make_modules(draft: Draft, known: KnownNames) -> Made:
    """Write the modules of a plan.

    Args:
        draft: the plan.
        known: the names of an earlier run.

    Raises:
        PlanFileError: the plan cannot be made into classes; names the place in it.
        MissingExtra: `datamodel-code-generator` is not installed.
    """
    reduction = Reduction()
    documents: dict[int, Document] = {}
    members = {
        **{f"S{index}": _members(each, reduction, documents) for index, each in enumerate(draft.scopes)},
        **{f"M{index}": _members(each, reduction, documents) for index, each in enumerate(draft.messages)},
    }
    members.update({each.id: each.members for each in reduction.objects})
    names = name_classes(draft, reduction.objects, known)
    package = _Package(draft, known, names, members, annotate(members))
    modules = {_SCOPES: package.scopes_module()}
    if reduction.objects:
        modules[_OBJECTS] = package.objects_module(reduction.objects)
    for name in {each.module: None for each in draft.messages} or ["events"]:
        modules[name] = package.messages_module(name)
    sources = {f"{name}.py": source for name, source in modules.items()}
    made = map(identity, draft.messages)
    return Made(sources, dict(zip(made, names.messages, strict=True)), (*draft.remarks, *reduction.remarks))


def _members(draft: DraftMessage | DraftScope, reduction: Reduction, documents: dict[int, Document]) -> list[Member]:
    document = documents.setdefault(id(draft.root), Document(draft.root, draft.where))
    owner = draft.class_name or draft.name or "" if isinstance(draft, DraftMessage) else draft.name
    return [reduction.member(each, document, f"{draft.where}: property {each.key!a}", owner) for each in draft.fields]


@dataclass(slots=True)
class _Module:
    """A module as it is written.

    Attributes:
        doc: its docstring.
        above: the ids of the nested objects that stand in it so far; `None` where they are imported.
        imports: by module, the names that are imported from it.
        body: the lines below the imports.
    """

    doc: str
    above: set[str] | None = None
    imports: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    body: list[str] = field(default_factory=list[str])

    def take(self, module: str, *names: str) -> None:
        self.imports.setdefault(module, set()).update(names)

    def add(self, source: ClassSource) -> None:
        self.body += source.lines()

    def source(self) -> str:
        lines = [f'"""{self.doc}"""', ""]
        for module, names in self.imports.items():
            if module == "datetime":
                lines.append("import datetime as dt")
            elif names:
                lines.append(f"from {module} import {', '.join(sorted(names))}")
        return "\n".join([*lines, "", *self.body]) + "\n"


@dataclass(frozen=True, slots=True)
class _Package:
    """The package as it is written.

    Attributes:
        draft: the plan.
        known: the names of an earlier run.
        names: the names of the classes.
        members: by id of a scope (`S0`), message (`M0`) or nested object, its fields.
        annotations: in the same way, the types of its fields.
    """

    draft: Draft
    known: KnownNames
    names: ClassNames
    members: Mapping[str, Sequence[Member]]
    annotations: Mapping[str, Sequence[Annotation]]

    def scopes_module(self) -> str:
        module = _Module("The scopes: identifying fields that messages share.")
        module.take("instrument", "Scope")
        for index, scope in enumerate(self.draft.scopes):
            name = self.names.scopes[scope.name]
            bases = [self.names.scopes[each] for each in scope.bases] or ["Scope"]
            fields = self._fields(module, f"S{index}", name, self._inherited(scope.bases))
            module.add(ClassSource(name, bases, scope.description, fields))
        return module.source()

    def objects_module(self, objects: Sequence[NestedObject]) -> str:
        above: set[str] = set()
        module = _Module("The objects inside of properties.", above)
        module.take("pydantic", "BaseModel")
        waiting: list[str] = []
        for each in _dependencies_first(objects, self.annotations):
            name = self.names.objects[each.id]
            arguments = ["BaseModel", "frozen=True", 'extra="allow"' if each.open else 'extra="forbid"']
            module.add(
                ClassSource(name, arguments, each.description, self._fields(module, each.id, name, base=Declared))
            )
            if any(not annotation.refers_to <= above for annotation in self.annotations[each.id]):
                waiting.append(name)
            above.add(each.id)
        module.body += [f"{name}.model_rebuild()" for name in waiting]
        return module.source()

    def messages_module(self, module_name: str) -> str:
        module = _Module("The messages of the tracking plan.")
        for index, message in enumerate(self.draft.messages):
            if message.module != module_name:
                continue
            name, base = self.names.messages[index], BASES[message.call]
            scopes = [self.names.scopes[each] for each in message.scopes]
            module.take("instrument", base.__name__)
            module.take(f".{_SCOPES}", *scopes)
            fields = self._fields(module, f"M{index}", name, self._inherited(message.scopes), base)
            arguments = [base.__name__, *scopes, *_arguments(message, name)]
            module.add(ClassSource(name, arguments, message.description, fields, message.notes))
        return module.source()

    def _inherited(self, scopes: Iterable[str]) -> frozenset[str]:
        """Name the fields that a class has from its scopes."""
        found: frozenset[str] = frozenset()
        ids = {each.name: (f"S{index}", each) for index, each in enumerate(self.draft.scopes)}
        for name in scopes:
            id_, scope = ids[name]
            inherited = self._inherited(scope.bases)
            own = name_fields(self.members[id_], self.names.scopes[name], self.known, inherited)
            found = found.union(inherited, own)
        return found

    def _fields(
        self,
        module: _Module,
        id_: str,
        owner: str,
        inherited: frozenset[str] = frozenset(),
        base: type[Declared] = Scope,
    ) -> list[FieldSource]:
        names = name_fields(self.members[id_], owner, self.known, inherited, base)
        parts = zip(names, self.members[id_], self.annotations[id_], strict=True)
        return [self._field(module, name, member, annotation) for name, member, annotation in parts]

    def _field(self, module: _Module, name: str, member: Member, annotation: Annotation) -> FieldSource:
        for imported, origin in annotation.imports.items():
            module.take(origin, imported)
        written, default = annotation.written(self.names.objects), _default(member)
        if default == "None" and not annotation.admits_none:
            written += " | None"
        draft = member.draft or DraftField(member.key, member.schema, member.required)
        if draft.personal:
            module.take("typing", "Annotated")
            module.take("instrument", "PII")
            written = f"Annotated[{written}, {', '.join(map(_mark, draft.personal))}]"
        if module.above is None and annotation.refers_to:
            module.take(f".{_OBJECTS}", *(self.names.objects[each] for each in annotation.refers_to))
        elif module.above is not None and not annotation.refers_to <= module.above:
            written = repr(written)
        options = _options(name, member, annotation)
        if options:
            module.take("pydantic", "Field")
        return FieldSource(name, written, default, options, draft.notes)


def _options(name: str, member: Member, annotation: Annotation) -> dict[str, str]:
    options = dict(annotation.constraints)
    if member.key != name and ID_KEYS.get(member.key) != name:
        options["serialization_alias"] = text(member.key)
    if clean(member.description):
        options["description"] = text(clean(member.description))
    if member.draft is not None and member.draft.deprecated:
        options["deprecated"] = literal(member.draft.deprecated)
    return options


def _mark(personal: PersonalData) -> str:
    policy = "" if personal.policy == "drop" else f", policy={text(personal.policy)}"
    return f"PII({text(personal.category)}{policy})"


def _arguments(message: DraftMessage, class_name: str) -> list[str]:
    arguments: list[str] = []
    if message.name is not None and message.name != event_name(class_name):
        arguments.append(f"name={text(message.name)}")
    if message.category is not None:
        arguments.append(f"category={text(message.category)}")
    if message.owner is not None:
        arguments.append(f"owner={text(message.owner)}")
    if message.deprecated:
        arguments.append(f"deprecated={literal(message.deprecated)}")
    return arguments


def _default(member: Member) -> str:
    if member.default is not None:
        return literal(member.default)
    return "" if member.required else "None"


def _dependencies_first(
    objects: Sequence[NestedObject], annotations: Mapping[str, Sequence[Annotation]]
) -> list[NestedObject]:
    """Put each object after those that it is made of, as far as they are not made of it themselves."""
    by_id = {each.id: each for each in objects}
    done: dict[str, NestedObject] = {}

    def visit(id_: str, above: frozenset[str]) -> None:
        for annotation in annotations[id_]:
            for other in sorted(annotation.refers_to, key=list(by_id).index):
                if other not in done and other not in above:
                    visit(other, above | {other})
        done.setdefault(id_, by_id[id_])

    for id_ in by_id:
        visit(id_, frozenset({id_}))
    return list(done.values())
