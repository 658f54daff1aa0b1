"""Tracking plans of Segment Protocols, and the files in which Typewriter keeps them.

The Public API gives a list of rules, each with a type and a key; the Config API before it, and so older files of
Typewriter, a list of events under `rules.events`; the oldest local files have `events` alone.

https://docs.segmentapis.com/tag/Tracking-Plans, https://segment.com/docs/protocols/tracking-plan/create/
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from instrument.plan.codegen.documents import validated
from instrument.plan.codegen.notes import (
    deprecation,
    note,
    noted_field,
    noted_ids,
    noted_names,
    noted_scopes,
    text_note,
)
from instrument.plan.codegen.planned import draft_message, draft_of, draft_scope
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.codegen.reduction import description_of, members_of
from instrument.plan.codegen.references import Document
from instrument.plan.jsons import is_list, is_object
from instrument.plan.model import CodePlace, PlannedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from instrument.plan.codegen.drafts import Draft, DraftMessage
    from instrument.plan.model import PlannedField

_Kind = Literal["TRACK", "IDENTIFY", "GROUP", "PAGE", "SCREEN", "COMMON"]
_UNNAMED: Mapping[str, str] = {"identify": "UserTraits", "group": "GroupTraits"}
_PAYLOADS: Mapping[str, str] = {"identify": "traits", "group": "traits"}
_OLD_KINDS: Mapping[str, _Kind] = {
    "events": "TRACK",
    "identify": "IDENTIFY",
    "identify_traits": "IDENTIFY",
    "group": "GROUP",
    "group_traits": "GROUP",
    "global": "COMMON",
}


class _Rule(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    type: _Kind = "TRACK"
    key: Annotated[str | None, Field(validation_alias=AliasChoices("key", "name"))] = None
    schema_: Annotated[dict[str, Any], Field(validation_alias=AliasChoices("jsonSchema", "json_schema", "rules"))]
    description: str | None = None
    version: float = 1


@dataclass(frozen=True, slots=True)
class _Placed:
    rule: _Rule
    where: str


def is_segment_plan(value: Any) -> bool:
    """Whether a document looks like a plan of Segment, whichever of the forms."""
    if is_list(value):
        return bool(value) and all(_looks_like_rule(each) for each in value)
    if not is_object(value):
        return False
    plan = value
    return any(key in plan for key in ("rules", "events")) or any(
        is_object(plan.get(key)) and is_segment_plan(plan[key]) for key in ("data", "trackingPlan")
    )


def read_segment_plan(value: Any, where: str, source: str) -> Draft:
    """Draft the classes of a plan.

    Args:
        value: the document.
        where: the file, for messages.
        source: its name, for the header of what is made.

    Raises:
        PlanFileError: the document has another shape.
    """
    remarks: list[str] = []
    rules = list(_newest(_rules(value, where), remarks))
    common = [each for each in rules if each.rule.type == "COMMON"]
    shared = [field for each in common for field in _fields(each, "properties")]
    messages = [_message(each, shared) for each in rules if each.rule.type != "COMMON"]
    return draft_of(source, messages, [draft_scope(each, where) for each in noted_scopes(value, where)], where, remarks)


def _looks_like_rule(value: Any) -> bool:
    return is_object(value) and bool({"jsonSchema", "rules"} & set(value))


def _rules(value: Any, where: str) -> Iterator[_Placed]:
    if is_list(value):
        yield from _listed(value, where, "", None)
        return
    plan = value
    for outer in ("data", "trackingPlan"):
        if is_object(plan.get(outer)) and "rules" not in plan:
            yield from _rules(plan[outer], f"{where}: {outer}" if ":" not in where else f"{where}.{outer}")
            return
    rules: Any = plan.get("rules", plan)
    if is_list(rules):
        yield from _listed(rules, where, "rules", None)
    elif is_object(rules):
        prefix = "rules." if "rules" in plan else ""
        yield from _of_old_form(rules, where, prefix)
    else:
        raise PlanFileError(f"{where}: rules", "a list of rules is expected here, or an object with `events`")


def _of_old_form(rules: dict[str, Any], where: str, prefix: str) -> Iterator[_Placed]:
    for key, kind in _OLD_KINDS.items():
        value: Any = rules.get(key)
        if is_list(value):
            yield from _listed(value, where, f"{prefix}{key}", kind)
        elif is_object(value) and value:
            place = f"{where}: {prefix}{key}"
            yield _Placed(validated(_Rule, {"type": kind, "jsonSchema": value}, place), place)
        elif value:
            raise PlanFileError(f"{where}: {prefix}{key}", "a list of rules is expected here")


def _listed(rules: list[Any], where: str, prefix: str, kind: _Kind | None) -> Iterator[_Placed]:
    for index, each in enumerate(rules):
        place = f"{where}: {prefix}[{index}]"
        rule = validated(_Rule, each, place)
        yield _Placed(rule if kind is None else rule.model_copy(update={"type": kind}), place)


def _newest(rules: Iterable[_Placed], remarks: list[str]) -> Iterator[_Placed]:
    """Give the newest version of each rule.

    Raises:
        PlanFileError: a rule is there twice in one version.
    """
    found: dict[tuple[str, str | None], _Placed] = {}
    for each in rules:
        key = each.rule.type, each.rule.key
        other = found.get(key)
        if other is None:
            found[key] = each
        elif other.rule.version == each.rule.version:
            raise PlanFileError(each.where, f"the rule {each.rule.key!a} is there already, at {other.where}")
        else:
            newer, older = sorted((other, each), key=lambda placed: placed.rule.version, reverse=True)
            found[key] = newer
            remarks.append(f"{older.where}: version {older.rule.version:g} is left out, since there is a newer one")
    yield from found.values()


def _message(placed: _Placed, shared: list[PlannedField]) -> DraftMessage:
    rule, schema = placed.rule, placed.rule.schema_
    call = rule.type.lower()
    properties = list(_fields(placed, _PAYLOADS.get(call, "properties")))
    if call == "track":
        own = {each.key for each in properties}
        properties += [each for each in shared if each.key not in own]
    class_name = text_note(schema, "class") or _UNNAMED.get(call)
    planned = PlannedMessage(
        kind=call,
        name=None if call in _UNNAMED else rule.key,
        class_name=class_name or ("" if rule.key else f"{call.capitalize()}Viewed"),
        module=text_note(schema, "module") or "",
        doc=rule.description or description_of(schema),
        owner=text_note(schema, "owner"),
        deprecated=deprecation(schema),
        category=text_note(schema, "category"),
        scopes=noted_names(schema, "scopes", f"{placed.where}.jsonSchema"),
        ids=tuple(noted_ids(note(schema, "ids"), f"{placed.where}.jsonSchema.x-instrument-ids")),
        properties=tuple(properties),
        declared=CodePlace(file=""),
    )
    return replace(draft_message(planned, placed.where), root=schema)


def _fields(placed: _Placed, payload: str) -> Iterator[PlannedField]:
    """Give the fields of a rule: its schema is that of the whole message, or, in newer plans, of the payload alone."""
    schema, place = placed.rule.schema_, f"{placed.where}.jsonSchema"
    properties: Any = schema.get("properties")
    if is_object(properties) and _is_envelope(properties, payload):
        schema, place = properties[payload], f"{place}.properties.{payload}"
    for key, each, required in members_of(schema, Document(placed.rule.schema_, placed.where), place):
        yield noted_field(key, each, f"{place}.properties[{key!a}]", required=required)


def _is_envelope(properties: dict[str, Any], payload: str) -> bool:
    """Whether these are the parts of a message, and no properties that happen to have such a name."""
    return is_object(properties.get(payload)) and set(properties) <= {"context", "properties", "traits"}
