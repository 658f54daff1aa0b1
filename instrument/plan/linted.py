"""What the rules of the linter look at, and what they find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instrument.messages import declaration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from instrument.messages import Message
    from instrument.plan.lint_settings import LintSettings
    from instrument.plan.model import Plan, PlannedField, PlannedMessage
    from instrument.plan.project import Project
    from instrument.plan.sources import Located, Sources


@dataclass(frozen=True, slots=True)
class LintedMessage:
    """A message, with where its class stands.

    Attributes:
        planned: the message.
        located: where its class stands.
    """

    planned: PlannedMessage
    located: Located

    @property
    def title(self) -> str:
        """How the message is called in a finding."""
        return f'{self.planned.kind} "{self.planned.title}"'


@dataclass(frozen=True, slots=True)
class LintedField:
    """A property or trait as one class declares it, for itself and for what inherits from it.

    Attributes:
        planned: the field.
        owner: the class that declares it.
        located: where it stands there.
        messages: the messages that have it from there.
    """

    planned: PlannedField
    owner: str
    located: Located
    messages: tuple[LintedMessage, ...]

    @property
    def title(self) -> str:
        """How the field is called in a finding."""
        return f"{self.owner}.{self.planned.name}"


@dataclass(frozen=True, slots=True)
class Linted:
    """A plan with its sources.

    Attributes:
        messages: the messages of the plan.
        fields: every property and trait, once for the class that declares it.
        settings: what the project wants of the linter.
    """

    messages: tuple[LintedMessage, ...]
    fields: tuple[LintedField, ...]
    settings: LintSettings

    @property
    def tracks(self) -> tuple[LintedMessage, ...]:
        """The events among the messages."""
        return tuple(each for each in self.messages if each.planned.kind == "track")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has found.

    Attributes:
        code: the rule.
        about: the message or the field.
        text: what is wrong, and what to write instead.
    """

    code: str
    about: LintedMessage | LintedField
    text: str

    @property
    def messages(self) -> tuple[LintedMessage, ...]:
        """The messages that it is about."""
        return self.about.messages if isinstance(self.about, LintedField) else (self.about,)


def linted(plan: Plan, classes: Iterable[type[Message]], project: Project, sources: Sources) -> Linted:
    """Put a plan together with the sources of its classes.

    Args:
        plan: the plan.
        classes: those that it was made of.
        project: what files are relative to.
        sources: the sources of the classes.
    """
    of_message = {_identity(each): each for each in classes}
    pairs = [
        (LintedMessage(each, sources.of_class(cls)), cls)
        for each in plan.messages
        for cls in [of_message[each.kind, each.name, each.module, each.class_name]]
    ]
    return Linted(tuple(each for each, _ in pairs), tuple(_fields(pairs, sources).values()), project.lint)


def _identity(cls: type[Message]) -> tuple[str, str | None, str, str]:
    # Classes inside of others may have one name, but no two events have.
    declaration = declaration_of(cls)
    return declaration.spec.type, declaration.name, cls.__module__, cls.__name__


def _fields(pairs: Iterable[tuple[LintedMessage, type[Message]]], sources: Sources) -> Mapping[object, LintedField]:
    """Find each property once, where it is declared, however many messages inherit it."""
    found: dict[object, LintedField] = {}
    for message, cls in pairs:
        for planned in message.planned.properties:
            owner, located = sources.of_field(cls, planned.name)
            key = (owner, planned.name, str(planned.schema_))
            messages = (*(found[key].messages if key in found else ()), message)
            found[key] = LintedField(planned, owner.__name__, located, messages)
    return found
