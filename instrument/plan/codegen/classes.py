"""Classes and fields as source code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instrument.plan.codegen.source import comment, docstring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INDENT = "    "


@dataclass(frozen=True, slots=True)
class FieldSource:
    """A field of a class.

    Attributes:
        name: its name.
        annotation: the source code of its type.
        default: that of its default; empty where it is required.
        options: by keyword, what `Field` has to say.
        notes: comments above it.
    """

    name: str
    annotation: str
    default: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the source code, line by line."""
        declared = f"{self.name}: {self.annotation}"
        if self.options:
            options = {"default": self.default, **self.options} if self.default else self.options
            declared += f" = Field({', '.join(f'{key}={value}' for key, value in options.items())})"
        elif self.default:
            declared += f" = {self.default}"
        return [*(line for note in self.notes for line in comment(note)), declared]


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A class.

    Attributes:
        name: its name.
        arguments: its bases, and what else stands in the parentheses.
        doc: its docstring, empty where it has none.
        notes: comments below the docstring.
        fields: its fields.
    """

    name: str
    arguments: Sequence[str]
    doc: str
    fields: Sequence[FieldSource]
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the source code, line by line, with the empty lines below it."""
        doc = docstring(self.doc)
        notes = [line for note in self.notes for line in comment(note)]
        fields = [line for each in self.fields for line in each.lines()]
        body = [
            *doc,
            *([""] if doc and (notes or fields) else []),
            *notes,
            *([""] if notes and fields else []),
            *fields,
        ]
        if not doc and not fields:
            body.append("pass")
        indented = [f"{_INDENT}{line}" if line else "" for line in body]
        return [f"class {self.name}({', '.join(self.arguments)}):", *indented, "", ""]
