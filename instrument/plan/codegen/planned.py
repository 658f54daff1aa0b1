"""Drafts out of planned messages: those of our plan file, and those that our other exports describe."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from instrument.messages import KINDS
from instrument.plan.codegen.documents import validated
from instrument.plan.codegen.drafts import USER_SCOPE, Draft, DraftField, DraftMessage, DraftScope
from instrument.plan.codegen.identifiers import module_identifier
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.jsons import is_object
from instrument.plan.model import Plan, PlannedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from instrument.plan.model import PlannedField, PlannedScope

# What `Group` and `Alias` declare themselves.
_OWN_ID = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "string", "format": "uuid"}]}


def is_plan_file(value: Any) -> bool:
    """Whether a document looks like our plan file."""
    return is_object(value) and "format" in value and "rules" not in value


def read_plan_file(value: Any, where: str, source: str) -> Draft:
    """Draft the classes of a plan file.

    Args:
        value: the document.
        where: the file, for errors.
        source: what the plan is called in the modules that are made.

    Raises:
        PlanFileError: the document has another shape.
    """
    plan = validated(Plan, value, where)
    messages = [draft_message(each, f"{where}: {each.kind} {each.title!a}") for each in plan.messages]
    return draft_of(source, messages, [draft_scope(each, where) for each in plan.scopes], where)


def draft_of(
    source: str, messages: Sequence[DraftMessage], scopes: Iterable[DraftScope], where: str, remarks: Iterable[str] = ()
) -> Draft:
    """Put messages and scopes together; messages without an identity get the scope of a user.

    Args:
        source: what the plan is called in the modules that are made.
        messages: in the order of the plan.
        scopes: in any order.
        where: the file, for errors.
        remarks: what was left out so far.

    Raises:
        PlanFileError: a scope is named that is not there, or one inherits from itself; or a message has a key twice.
    """
    by_name = {each.name: each for each in scopes}
    identified = [each if _has_identity(each) else _of_user(each, by_name) for each in messages]
    ordered = _bases_first(by_name, where)
    inherited: dict[str, frozenset[str]] = {}
    for scope in ordered:
        above = frozenset[str]().union(*(inherited[base] for base in scope.bases))
        inherited[scope.name] = above.union(each.key for each in scope.fields)
    found = list(remarks)
    complete = tuple(_without_inherited(each, inherited, found) for each in identified)
    return Draft(source, complete, tuple(ordered), tuple(found))


def _without_inherited(
    message: DraftMessage, inherited: Mapping[str, frozenset[str]], remarks: list[str]
) -> DraftMessage:
    """Leave out fields whose keys a scope of the message has already.

    Args:
        message: what is looked at.
        inherited: the keys of each scope with those that it inherits, by the scope's name.
        remarks: where it is noted what is left out.

    Raises:
        PlanFileError: a scope is not there, or a key is there twice.
    """
    for name in message.scopes:
        if name not in inherited:
            raise PlanFileError(message.where, f"there is no scope {name!a}")
    above = frozenset[str]().union(*(inherited[name] for name in message.scopes))
    counts = Counter(each.key for each in message.fields)
    for key, count in counts.items():
        if count > 1:
            raise PlanFileError(message.where, f"the property {key!a} is there {count} times")
        if key in above:
            remarks.append(f"{message.where}: property {key!a}: it is left out, since a scope has it already")
    return replace(message, fields=tuple(each for each in message.fields if each.key not in above))


def draft_message(message: PlannedMessage, where: str) -> DraftMessage:
    """Draft a message's class.

    Raises:
        PlanFileError: the call is none of the Segment spec.
    """
    if message.kind not in KINDS:
        raise PlanFileError(where, f"a {message.kind!a} is no call of the Segment spec")
    fields = [each for each in message.fields if each.scope is None and not _is_declared_by_call(each)]
    return DraftMessage(
        call=message.kind,
        name=message.name,
        fields=tuple(map(draft_field, fields)),
        where=where,
        scopes=message.scopes,
        root={"$defs": message.definitions},
        class_name=message.class_name or None,
        module=module_identifier(message.module),
        category=message.category,
        description=message.doc,
        owner=message.owner,
        deprecated=message.deprecated,
    )


def draft_scope(scope: PlannedScope, where: str) -> DraftScope:
    """Draft a scope's class."""
    return DraftScope(
        name=scope.name,
        class_name=scope.class_name,
        bases=scope.bases,
        fields=tuple(map(draft_field, scope.fields)),
        where=f"{where}: scope {scope.name!a}",
        root={"$defs": scope.definitions},
        description=scope.doc,
    )


def draft_field(field: PlannedField) -> DraftField:
    """Draft a field. What was computed is given from now on."""
    return DraftField(
        key=field.key,
        schema=field.schema_,
        required=field.required or field.computed,
        name=field.name or None,
        description=field.description,
        deprecated=field.deprecated,
        personal=tuple(each for each in field.pii if not each.path),
        notes=("It was computed; now it is given.",) if field.computed else (),
    )


def _is_declared_by_call(field: PlannedField) -> bool:
    return field.name in {"group_id", "previous_id"} and field.schema_ == _OWN_ID


def _has_identity(message: DraftMessage) -> bool:
    return bool(message.scopes) or any(each.name in {"user_id", "anonymous_id"} for each in message.fields)


def _of_user(message: DraftMessage, scopes: dict[str, DraftScope]) -> DraftMessage:
    scopes.setdefault(USER_SCOPE.name, USER_SCOPE)
    return replace(message, scopes=(USER_SCOPE.name,))


def _bases_first(scopes: dict[str, DraftScope], where: str) -> list[DraftScope]:
    sorter = TopologicalSorter({name: each.bases for name, each in scopes.items()})
    try:
        names = list(sorter.static_order())
    except CycleError:
        raise PlanFileError(where, "the scopes inherit from each other in a circle") from None
    for name in names:
        if name not in scopes:
            raise PlanFileError(where, f"there is no scope {name!a}, from which another one inherits")
    return [scopes[name] for name in names]
