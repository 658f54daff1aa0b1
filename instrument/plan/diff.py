"""What changed between two plans, and whether it breaks anything.

Breaking is what takes something away from those who read the events (one is gone, or has another name; a property is
gone, or has another type), and what refuses what senders may send today (a property is required, a constraint
narrower).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from instrument.plan.schema_changes import Definitions, schema_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from instrument.plan.model import Plan, PlannedField, PlannedMessage

    Pair = tuple[PlannedMessage, PlannedMessage]
    Key = Callable[[PlannedMessage], Any]


class What(str, Enum):
    """What kind of change it is."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    CALL = "call"
    CATEGORY = "category"
    TYPE = "type"
    CONSTRAINT = "constraint"
    REQUIRED = "required"
    DEFAULT = "default"
    PERSONAL_DATA = "personal data"
    DEPRECATED = "deprecated"
    OWNER = "owner"
    DESCRIPTION = "description"
    EMITTED = "emitted"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one message.

    Attributes:
        call: the call of the Segment spec, such as `track`.
        message: what the message is called now; before, where it is gone.
        class_name: its class.
        key: the property, trait or id, with what is in it (`address.street`, `tags[]`); empty for the message itself.
        what: the kind of change.
        breaking: whether it breaks anything.
        text: the change, for people.
    """

    call: str
    message: str
    class_name: str
    key: str
    what: What
    breaking: bool
    text: str


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """The changes from one plan to another.

    Attributes:
        old: what the old plan is called.
        new: what the new plan is called.
        changes: by message.
    """

    old: str
    new: str
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        """Those that break something."""
        return tuple(each for each in self.changes if each.breaking)

    @property
    def safe(self) -> tuple[Change, ...]:
        """Those that break nothing."""
        return tuple(each for each in self.changes if not each.breaking)


def diff(old: Plan, new: Plan, *, names: tuple[str, str] = ("old", "new")) -> PlanDiff:
    """Compare two plans.

    A message of the new plan is the one of the old plan that has its name; else the one of its class, which was
    renamed; else, for a call whose name is not sent, the one whose class has its name in another module.

    Args:
        old: the plan before.
        new: the plan after.
        names: what the two are called.

    >>> from instrument.plan.model import Plan
    >>> diff(Plan(name="shop"), Plan(name="shop")).changes
    ()
    """
    pairs, removed, added = _paired(old.messages, new.messages)
    changes = [_change(each, What.REMOVED, "removed", breaking=True) for each in removed]
    changes += [_change(each, What.ADDED, "added", breaking=False) for each in added]
    changes += [change for pair in pairs for change in _message_changes(*pair)]
    return PlanDiff(*names, tuple(sorted(changes, key=lambda each: (each.call, each.message, each.class_name))))


def _paired(
    old: Iterable[PlannedMessage], new: Iterable[PlannedMessage]
) -> tuple[list[Pair], list[PlannedMessage], list[PlannedMessage]]:
    """Find the messages that are in both plans, and return what is left of each."""
    pairs: list[Pair] = []
    removed, added = list(old), list(new)
    for key in _SAME:
        befores, afters = _unique(removed, key), _unique(added, key)
        found = [(before, afters[name]) for name, before in befores.items() if name in afters]
        pairs += found
        removed = [each for each in removed if not any(each is before for before, _ in found)]
        added = [each for each in added if not any(each is after for _, after in found)]
    return pairs, removed, added


_SAME: tuple[Key, ...] = (
    lambda message: message.identity,
    lambda message: (message.module, message.class_name),
    # A call that is not known by its name is known by nothing that is sent: its class may move.
    lambda message: None if message.name_key == "event" else (message.kind, message.class_name),
)


def _unique(messages: Iterable[PlannedMessage], key: Key) -> dict[Any, PlannedMessage]:
    several = list(messages)
    often = Counter(map(key, several))
    return {key(each): each for each in several if key(each) is not None and often[key(each)] == 1}


def _message_changes(old: PlannedMessage, new: PlannedMessage) -> Iterator[Change]:
    if old.kind != new.kind:
        yield _change(new, What.CALL, f"it is a call of {new.kind}, and was one of {old.kind}", breaking=True)
    if old.name != new.name:
        yield _change(new, What.RENAMED, f"renamed from {_quoted(old.name)} to {_quoted(new.name)}", breaking=True)
    if old.category != new.category:
        text = f"the category changed from {_quoted(old.category)} to {_quoted(new.category)}"
        yield _change(new, What.CATEGORY, text, breaking=True)
    yield from _field_changes(old, new)
    if (old.module, old.class_name) != (new.module, new.class_name):
        text = f"the class moved from {old.module}:{old.class_name} to {new.module}:{new.class_name}"
        yield _change(new, What.MOVED, text, breaking=False)
    if old.deprecated != new.deprecated:
        yield _change(new, What.DEPRECATED, _deprecation(new.deprecated), breaking=False)
    if old.owner != new.owner:
        text = f"the owner changed from {old.owner or 'nobody'} to {new.owner or 'nobody'}"
        yield _change(new, What.OWNER, text, breaking=False)
    if old.doc != new.doc:
        yield _change(new, What.DESCRIPTION, "the description changed", breaking=False)
    yield from _emission_changes(old, new)


def _emission_changes(old: PlannedMessage, new: PlannedMessage) -> Iterator[Change]:
    before, after = ({(each.handler, each.moment) for each in message.emissions} for message in (old, new))
    for handler, moment in sorted(before - after):
        yield _change(new, What.EMITTED, f"no longer emitted by {handler} ({moment})", breaking=False)
    for handler, moment in sorted(after - before):
        yield _change(new, What.EMITTED, f"emitted by {handler} ({moment})", breaking=False)


def _field_changes(old: PlannedMessage, new: PlannedMessage) -> Iterator[Change]:
    before, after = ({each.key: each for each in message.fields} for message in (old, new))
    renamed = _renamed(before, after)
    definitions = Definitions(old.definitions, new.definitions)
    for key, field in before.items():
        if key not in after and key not in renamed:
            yield _change(new, What.REMOVED, f"the {_noun(old, field)} was removed", key=key, breaking=True)
    for key, field in after.items():
        if key in before:
            yield from _changes_of_field(new, before[key], field, definitions)
        elif key in renamed.values():
            former = next(name for name, now in renamed.items() if now == key)
            text = f"the {_noun(new, field)} was renamed from {_quoted(former)}"
            yield _change(new, What.RENAMED, text, key=key, breaking=True)
            yield from _changes_of_field(new, before[former], field, definitions)
        else:
            required = field.required and not field.computed
            text = f"the {_noun(new, field)} was added, {'required' if required else 'optional'}"
            yield _change(new, What.ADDED, text, key=key, breaking=required)


def _renamed(before: dict[str, PlannedField], after: dict[str, PlannedField]) -> dict[str, str]:
    """Return the keys that a field has changed while its name in Python stayed, from old to new."""
    gone = {each.name: key for key, each in before.items() if key not in after}
    return {gone[each.name]: key for key, each in after.items() if key not in before and each.name in gone}


def _changes_of_field(
    message: PlannedMessage, old: PlannedField, new: PlannedField, definitions: Definitions
) -> Iterator[Change]:
    def change(what: What, text: str, *, breaking: bool, within: str = "") -> Change:
        return _change(message, what, text, key=new.key + within, breaking=breaking)

    for each in schema_changes(old.schema_, new.schema_, definitions):
        what = What.TYPE if each.is_type else What.CONSTRAINT
        yield change(what, each.text, breaking=each.breaking, within=each.path)
    was, is_ = (each.required and not each.computed for each in (old, new))
    if is_ and not was:
        yield change(What.REQUIRED, "it is required now", breaking=True)
    if was and not is_:
        yield change(What.REQUIRED, "it is optional now", breaking=False)
    if not was and not is_ and old.schema_.get("default") != new.schema_.get("default"):
        yield change(What.DEFAULT, "the default changed", breaking=False)
    if {each.path: each.policy for each in old.pii} != {each.path: each.policy for each in new.pii}:
        text = "its mark of personal data changed, and with it what is sent"
        yield change(What.PERSONAL_DATA, text, breaking=True)
    if old.deprecated != new.deprecated:
        yield change(What.DEPRECATED, _deprecation(new.deprecated), breaking=False)
    if old.description != new.description:
        yield change(What.DESCRIPTION, "the description changed", breaking=False)


def _change(message: PlannedMessage, what: What, text: str, *, breaking: bool, key: str = "") -> Change:
    return Change(message.kind, message.title, message.class_name, key, what, breaking, text)


def _noun(message: PlannedMessage, field: PlannedField) -> str:
    if any(each.key == field.key for each in message.ids):
        return "id"
    return "trait" if message.payload == "traits" else "property"


def _deprecation(deprecated: str | bool) -> str:  # noqa: FBT001
    if not deprecated:
        return "no longer deprecated"
    return "deprecated" if deprecated is True else f"deprecated: {deprecated}"


def _quoted(name: str | None) -> str:
    return "none" if name is None else f'"{name}"'
