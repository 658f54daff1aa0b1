"""The source of a test's assertion that a message was emitted."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel

from instrument.debugger.documents import is_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instrument.messages import Message

_LINE = 100
_SEVERAL = frozenset({list, tuple, set, frozenset, dict})


class _Unsayable(Exception):
    """A value that no short expression makes."""


def assertion_of(message: Message) -> str | None:
    """Return the lines of a test which assert that a message was emitted, with what they import.

    Returns:
        The source; `None` where the message has a value that no short expression makes, or its class cannot be
        imported.
    """
    writer = _Writer()
    try:
        made = writer.made(message)
    except _Unsayable:
        return None
    return f"{writer.imports()}\n\nassert {made} in tracked.messages\n"


@dataclass(slots=True)
class _Writer:
    names: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def imports(self) -> str:
        return "\n".join(
            f"from {module} import {', '.join(sorted(self.names[module]))}" for module in sorted(self.names)
        )

    def made(self, model: BaseModel) -> str:
        """Write a model as the call of its class."""
        kind = self._name(type(model))
        fields = [
            f"{field}={self._value(value)}"
            for field in type(model).model_fields
            if _is_given(model, field, value := getattr(model, field))
        ]
        short = f"{kind}({', '.join(fields)})"
        if len(short) <= _LINE:
            return short
        lines = "".join(f"    {each},\n" for each in fields)
        return f"{kind}(\n{lines})"

    def _value(self, value: Any) -> str:
        if isinstance(value, BaseModel):
            return self.made(value)
        if isinstance(value, Enum):
            return f"{self._name(type(value))}.{value.name}"
        if isinstance(value, (UUID, Decimal)):
            return f"{self._name(type(value))}({str(value)!r})"
        if isinstance(value, (datetime, date, time)):
            return f"{self._name(type(value))}.fromisoformat({value.isoformat()!r})"
        if type(value) in _SEVERAL:
            return self._several(value)
        return _literal(value)

    def _several(self, value: Any) -> str:
        if is_object(value):
            pairs = [f"{self._value(key)}: {self._value(each)}" for key, each in value.items()]
            return "{" + ", ".join(pairs) + "}"
        kind = type(value).__name__
        values: Iterable[Any] = sorted(value, key=repr) if kind.endswith("set") else value
        inner = ", ".join(map(self._value, values))
        return f"[{inner}]" if kind == "list" else f"{kind}([{inner}])"

    def _name(self, kind: type) -> str:
        """Return the name of a class, and import it."""
        # One that is made inside of a function cannot be imported.
        if "<" in kind.__qualname__ or kind.__module__ == "__main__":
            raise _Unsayable
        outer = kind.__qualname__.partition(".")[0]
        self.names.setdefault(kind.__module__, set()).add(outer)
        return kind.__qualname__


def _is_given(model: BaseModel, name: str, value: Any) -> bool:
    """Whether a field has to be written: it was given, and not its default."""
    info = type(model).model_fields[name]
    return info.is_required() or (name in model.model_fields_set and value != info.default)


def _literal(value: Any) -> str:
    text = repr(value)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    raise _Unsayable
