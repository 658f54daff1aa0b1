"""What an application declares, and what that says of a message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from instrument.debugger.assertions import assertion_of
from instrument.debugger.documents import is_object
from instrument.debugger.rebuilding import rebuilt
from instrument.debugger.records import Violation
from instrument.plan.check import PlanChecker
from instrument.plan.collect import plan_of
from instrument.plan.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from instrument.messages import Message
    from instrument.plan.model import Plan, PlannedMessage

_MOST_VIOLATIONS = 50


class PlanMessage(BaseModel):
    """One declared message, as the page lists it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    type: str
    name: str | None
    class_name: str
    doc: str
    scope: tuple[str, ...]
    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the declarations say of a message.

    Attributes:
        declared: whether there is a declaration of it.
        violations: in what it differs from that.
        reason: why it is not declared, as far as that can be told.
        scope: the fields that scopes declare, and their values.
        assertion: the source of a test's assertion that it was emitted, where it can be written.
    """

    declared: bool = False
    violations: tuple[Violation, ...] = ()
    reason: str | None = None
    scope: Mapping[str, Any] | None = None
    assertion: str | None = None


class Catalog:
    """The declared messages.

    Args:
        models: the classes that declare them, as far as they are loaded.
        plan: the plan of them; made of the classes where there is none.

    Attributes:
        plan: what is declared.

    Raises:
        UnplannableError: a class names a type that is not defined.
    """

    def __init__(self, models: Iterable[type[Message]] = (), plan: Plan | None = None) -> None:
        classes = tuple(models)
        self._models = {(each.__module__, each.__name__): each for each in classes}
        self.plan: Plan = plan_of(classes, Project(Path.cwd(), ())) if plan is None else plan
        self._checker = PlanChecker(self.plan)

    def __len__(self) -> int:
        return len(self.plan.messages)

    def listing(self) -> list[PlanMessage]:
        """List the messages."""
        return [_listed(each) for each in self.plan.messages]

    def judge(self, envelope: Mapping[str, Any]) -> Judgement:
        """Compare a message with its declaration."""
        if not self.plan.messages:
            return Judgement(reason="nothing is declared: start the debugger with --package")
        message, found = self._checker.compare(envelope)
        if message is None:
            return Judgement(reason=str(found[0]))
        return Judgement(
            declared=True,
            violations=tuple(Violation(path=each.path, reason=each.reason) for each in found[:_MOST_VIOLATIONS]),
            scope=_scope(message, envelope),
            assertion=None if found else self._assertion(message, envelope),
        )

    def _assertion(self, message: PlannedMessage, envelope: Mapping[str, Any]) -> str | None:
        model = self._models.get((message.module, message.class_name))
        made = None if model is None else rebuilt(model, envelope)
        return None if made is None else assertion_of(made)


def _listed(message: PlannedMessage) -> PlanMessage:
    return PlanMessage(
        type=message.kind,
        name=message.name,
        class_name=message.class_name,
        doc=message.doc,
        scope=tuple(each.name for each in message.fields if each.scope is not None),
        file=message.declared.file,
        line=message.declared.line,
    )


def _scope(message: PlannedMessage, envelope: Mapping[str, Any]) -> dict[str, Any]:
    payload = envelope.get(message.payload or "")
    of_ids = {each.name: envelope.get(each.key) for each in message.ids if each.scope is not None}
    if is_object(payload):
        of_ids |= {each.name: payload.get(each.key) for each in message.properties if each.scope is not None}
    return {name: value for name, value in of_ids.items() if value is not None}
