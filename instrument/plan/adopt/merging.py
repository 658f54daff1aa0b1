"""The calls of one event as one class: what any of them sends, and what all of them do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from instrument.plan.adopt.types import united
from instrument.plan.codegen.drafts import IDENTITY_SCHEMA, USER_SCOPE, DraftField, DraftMessage, DraftScope
from instrument.plan.codegen.planned import draft_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from instrument.messages import Kind
    from instrument.plan.adopt.calls import FoundCall
    from instrument.plan.codegen.drafts import Draft

_CLASSES: Mapping[str, str] = {
    "identify": "UserTraits",
    "group": "GroupTraits",
    "alias": "UserAlias",
    "page": "PageViewed",
    "screen": "ScreenViewed",
}
_VISITOR_SCOPE = DraftScope(
    name="VisitorScope",
    bases=(),
    fields=(DraftField("anonymousId", {"type": "string"}, required=True, name="anonymous_id"),),
    where="",
    description="Somebody who is not known.",
)


def draft_of_calls(calls: Sequence[FoundCall], source: str) -> Draft:
    """Draft a class for each event, and for each of the other calls."""
    groups: dict[tuple[str, str | None], list[FoundCall]] = {}
    for each in calls:
        groups.setdefault((each.call, each.name), []).append(each)
    ordered = sorted(groups.values(), key=lambda group: (group[0].call, group[0].name or ""))
    remarks = [remark for group in ordered for remark in _remarks(group)]
    messages = [_message(group) for group in ordered]
    return draft_of(source, messages, list(_scopes(calls, messages)), source, remarks)


def _message(calls: Sequence[FoundCall]) -> DraftMessage:
    first = calls[0]
    notes = [f"Called at {_places(calls)}."]
    incomplete = [each for each in calls if not each.is_complete]
    if incomplete:
        notes.append(f"TODO: add what else is sent at {_places(incomplete)}, which cannot be read.")
    return DraftMessage(
        call=cast("Kind", first.call),
        name=first.name,
        fields=tuple(_fields(calls)),
        where=first.place,
        scopes=(_VISITOR_SCOPE.name if _is_visitor_s(calls) else USER_SCOPE.name,),
        class_name=None if first.name else _CLASSES[first.call],
        category=first.category,
        notes=tuple(notes),
    )


def _fields(calls: Sequence[FoundCall]) -> Iterable[DraftField]:
    for key in dict.fromkeys(key for each in calls for key in each.fields):
        having = [each for each in calls if key in each.fields]
        unknown = [each for each in having if not each.fields[key]]
        notes = (f"TODO: give it a type, which cannot be read at {_places(unknown)}.",) if unknown else ()
        schema = united([each.fields[key] for each in having])
        yield DraftField(key, schema, required=len(having) == len(calls), notes=notes)


def _is_visitor_s(calls: Sequence[FoundCall]) -> bool:
    return calls[0].call != "alias" and all(each.user is None and each.is_anonymous for each in calls)


def _scopes(calls: Sequence[FoundCall], messages: Sequence[DraftMessage]) -> Iterable[DraftScope]:
    used = {name for each in messages for name in each.scopes}
    if USER_SCOPE.name in used:
        users = united([each.user for each in calls if each.user is not None] or [IDENTITY_SCHEMA])
        fits = all(each.get("type") in ("string", "integer") for each in users.get("anyOf", [users]))
        identity = replace(USER_SCOPE.fields[0], schema=users if fits else IDENTITY_SCHEMA)
        yield replace(USER_SCOPE, fields=(identity,))
    if _VISITOR_SCOPE.name in used:
        yield _VISITOR_SCOPE


def _remarks(calls: Sequence[FoundCall]) -> Iterable[str]:
    first = calls[0]
    for each in calls:
        if each.user is None and not _is_visitor_s(calls):
            yield f"{each.place}: {_title(each)}: it gives no user id, which the class requires"
        if each.category != first.category:
            yield f"{each.place}: {_title(each)}: its category is another than at {first.place}, which the class has"
    if first.name is None and first.call in ("page", "screen"):
        yield f"{first.place}: {first.call}: it has no name; the class gives it one"


def _places(calls: Iterable[FoundCall]) -> str:
    return ", ".join(each.place for each in calls)


def _title(call: FoundCall) -> str:
    return call.call if call.name is None else f"{call.call} {call.name!a}"
