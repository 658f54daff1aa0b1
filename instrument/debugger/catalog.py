"""What an application declares, as the debugger loaded it."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from instrument.debugger.messages import name_of, type_of
from instrument.debugger.rebuilding import DoesNotFit, rebuilt
from instrument.messages import declaration_of, declared_messages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instrument.debugger.records import Violation
    from instrument.messages import Message


class PlanMessage(BaseModel):
    """One declared message, as the page lists it."""

    model_config = ConfigDict(frozen=True)

    type: str
    name: str | None
    class_name: str
    doc: str
    scope: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the declarations say of one message.

    Attributes:
        model: the class that declares it; `None` where none does.
        message: the message as an instance of it; `None` where it does not fit.
        violations: why it does not fit.
    """

    model: type[Message] | None = None
    message: Message | None = None
    violations: tuple[Violation, ...] = ()

    @property
    def scope(self) -> dict[str, Any]:
        """The fields that scopes declare, and their values."""
        if self.model is None or self.message is None:
            return {}
        fields = declaration_of(self.model).scope_fields
        return self.message.model_dump(mode="json", include=set(fields), exclude_none=True, warnings=False)


class Catalog:
    """The declared messages.

    Args:
        models: the classes.
    """

    def __init__(self, models: Iterable[type[Message]] = ()) -> None:
        self.models = tuple(models)
        self._by_name: dict[tuple[str, str | None], list[type[Message]]] = {}
        for model in self.models:
            declaration = declaration_of(model)
            self._by_name.setdefault((declaration.spec.type, declaration.name), []).append(model)

    @classmethod
    def loaded(cls, packages: Iterable[str]) -> Catalog:
        """Import packages with all of their modules, and return what is declared.

        Raises:
            ImportError: a package, or a module in it, cannot be imported.
        """
        for package in packages:
            module = importlib.import_module(package)
            for each in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{package}."):
                importlib.import_module(each.name)
        return cls(declared_messages())

    def listing(self) -> list[PlanMessage]:
        """List the messages."""
        return [_listed(model) for model in self.models]

    def judge(self, envelope: dict[str, Any]) -> Judgement:
        """Compare a message with its declaration.

        Of several declarations, as the identifications of an application that tells them apart by their class only,
        the first one that fits is meant; else the one that it breaks least.
        """
        misfits: list[Judgement] = []
        for model in self._by_name.get((type_of(envelope), name_of(envelope)), ()):
            judgement = _judged(model, envelope)
            if judgement.message is not None:
                return judgement
            misfits.append(judgement)
        return min(misfits, key=lambda each: len(each.violations), default=Judgement())


def _judged(model: type[Message], envelope: dict[str, Any]) -> Judgement:
    try:
        return Judgement(model, rebuilt(model, envelope))
    except DoesNotFit as error:
        return Judgement(model, None, error.violations)


def _listed(model: type[Message]) -> PlanMessage:
    declaration = declaration_of(model)
    return PlanMessage(
        type=declaration.spec.type,
        name=declaration.name,
        class_name=model.__name__,
        doc=(model.__doc__ or "").strip(),
        scope=tuple(sorted(declaration.scope_fields)),
        file=declaration.at.file,
        line=declaration.at.line,
    )
