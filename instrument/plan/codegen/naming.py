"""Which name each class and each field gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instrument.plan.codegen.drafts import ID_KEYS
from instrument.plan.codegen.identifiers import can_be_class, can_be_field, class_identifier, field_identifier, unique
from instrument.plan.codegen.problems import PlanFileError
from instrument.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument.declared import Declared
    from instrument.plan.codegen.drafts import Draft, DraftMessage
    from instrument.plan.codegen.known import KnownNames
    from instrument.plan.codegen.reduction import Member, NestedObject


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The names of the classes of one package: of its scopes, messages and nested objects, each in their order."""

    scopes: Mapping[str, str]
    messages: Sequence[str]
    objects: Mapping[str, str]


def name_classes(draft: Draft, objects: Sequence[NestedObject], known: KnownNames) -> ClassNames:
    """Name every class; no two have one name.

    Args:
        draft: what is named.
        objects: the models inside of its properties.
        known: the names of an earlier run, which are kept.

    Raises:
        PlanFileError: two messages are the same event, or a message has no name.
    """
    _check_messages(draft.messages)
    taken: set[str] = set()
    scopes = {each.name: unique(_class_name(each.class_name or each.name, "Scope"), taken) for each in draft.scopes}
    kept = [known.messages.get(identity(each)) for each in draft.messages]
    taken.update(name for name in kept if name is not None)
    messages = [
        unique(_message_name(each), taken) if name is None else name
        for each, name in zip(draft.messages, kept, strict=True)
    ]
    return ClassNames(
        scopes, messages, {each.id: unique(class_identifier(each.hint, otherwise="Object"), taken) for each in objects}
    )


def name_fields(
    members: Sequence[Member], owner: str, known: KnownNames, inherited: frozenset[str], base: type[Declared] = Scope
) -> list[str]:
    """Name the fields of a class; no two have one name.

    Args:
        members: the fields.
        owner: the name of the class.
        known: the names of an earlier run.
        inherited: the names of the fields that the class inherits.
        base: what the class inherits from.
    """
    used = set(inherited)
    kept: list[str | None] = []
    for member in members:
        name = _given(member, base) or known.fields.get((owner, member.key))
        kept.append(None if name in used else name)
        used.update([] if name is None else [name])
    return [
        unique(field_identifier(member.key, base), used) if name is None else name
        for member, name in zip(members, kept, strict=True)
    ]


def _given(member: Member, base: type[Declared]) -> str | None:
    """Return the name that the plan gives, if it can be one."""
    name = None if member.draft is None else member.draft.name
    possible = name is not None and (ID_KEYS.get(member.key) == name or can_be_field(name, base))
    return name if possible else None


def _message_name(message: DraftMessage) -> str:
    otherwise = "Event" if message.call == "track" else message.call.capitalize()
    if message.class_name is not None:
        return _class_name(message.class_name, otherwise)
    return class_identifier(message.name or message.call, otherwise=otherwise)


def _class_name(wanted: str, otherwise: str) -> str:
    return wanted if can_be_class(wanted) else class_identifier(wanted, otherwise=otherwise)


def identity(message: DraftMessage) -> tuple[str, str]:
    """Return what tells a message from every other one of a plan: its call, and its name or that of its class.

    Only events are known by their names alone: pages and screens may share one, where the plan tells their classes.
    """
    if message.call == "track":
        return message.call, message.name or ""
    return message.call, message.class_name or message.name or ""


def _check_messages(messages: Sequence[DraftMessage]) -> None:
    places: dict[tuple[str, str], str] = {}
    for each in messages:
        if each.call == "track" and not (each.name or "").strip():
            raise PlanFileError(each.where, "the event has no name")
        key = identity(each)
        if key in places:
            raise PlanFileError(each.where, f"the {each.call} {key[1]!a} is there already, at {places[key]}")
        places[key] = each.where
