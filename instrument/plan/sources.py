"""Where messages and their fields stand in the source, and what comments there say to the linter.

A comment `# instrument: ignore[IP101, IP2]` stands on the line of a field, or on one of the lines between `class` and
the colon after it. On a class it is also for the fields that the class itself declares.
"""

from __future__ import annotations

import ast
import re
import tokenize
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import Format, get_annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instrument.declared import Declared
    from instrument.plan.model import CodePlace
    from instrument.plan.project import Project

_SAYS = re.compile(r"#\s*instrument:")
_IGNORES = re.compile(r"#\s*instrument:\s*ignore\[\s*([A-Z]+[0-9]*(?:\s*,\s*[A-Z]+[0-9]*)*)\s*\]")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment to the linter.

    Attributes:
        file: where it stands.
        line: its line.
        codes: what it switches off; empty where it cannot be understood.
    """

    file: str
    line: int
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """Something in the source.

    Attributes:
        place: where it is.
        comments: the comments that are for it.
    """

    place: CodePlace
    comments: tuple[Comment, ...] = ()


class Sources:
    """The source of message classes.

    Args:
        project: what files are relative to.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._modules: dict[str, _Module | None] = {}

    def of_class(self, cls: type[Declared]) -> Located:
        """Locate a class."""
        module, statement = self._module(cls), self._statement(cls)
        line = cls.__declared_at__.line if statement is None else statement.lineno
        comments = () if module is None or statement is None else tuple(module.comments_in(*_head(statement)))
        return Located(self._project.place(cls.__declared_at__.file, line, module=cls.__module__), comments)

    def of_field(self, cls: type[Declared], name: str) -> tuple[type[Declared], Located]:
        """Locate a field, in the class that declares it."""
        owner: type[Declared] = next((each for each in cls.__mro__ if _declares(each, name)), cls)
        whole = self.of_class(owner)
        module, statement = self._module(owner), self._statement(owner)
        field = None if statement is None else next(_statements_of(statement, name), None)
        if module is None or field is None:
            return owner, whole
        file = owner.__declared_at__.file
        comments = (*module.comments_in(_first_line(field), field.end_lineno or field.lineno), *whole.comments)
        return owner, Located(self._project.place(file, field.lineno, module=owner.__module__), comments)

    def comments(self) -> Iterator[tuple[Comment, CodePlace]]:
        """Return every comment to the linter in the files that were looked at, with its place."""
        for file, module in self._modules.items():
            for each in module.comments.values() if module is not None else ():
                yield each, self._project.place(file, each.line)

    def _module(self, cls: type[Declared]) -> _Module | None:
        file = cls.__declared_at__.file
        if file not in self._modules:
            self._modules[file] = _parsed(file)
        return self._modules[file]

    def _statement(self, cls: type[Declared]) -> ast.ClassDef | None:
        module = self._module(cls)
        if module is None:
            return None
        around = (each for each in module.classes if each.name == cls.__name__ and _has(each, cls.__declared_at__.line))
        return max(around, key=lambda each: each.lineno, default=None)


@dataclass(frozen=True, slots=True)
class _Module:
    classes: tuple[ast.ClassDef, ...]
    comments: Mapping[int, Comment]

    def comments_in(self, first: int, last: int) -> Iterator[Comment]:
        return (self.comments[line] for line in range(first, last + 1) if line in self.comments)


def _parsed(file: str) -> _Module | None:
    try:
        source = Path(file).read_bytes()
        classes = tuple(each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ClassDef))
        comments = {each.line: each for each in _comments(file, source)}
    except (OSError, SyntaxError, ValueError, tokenize.TokenError):  # of a notebook, or no longer what was imported
        return None
    return _Module(classes, comments)


def _comments(file: str, source: bytes) -> Iterator[Comment]:
    for token in tokenize.tokenize(BytesIO(source).readline):
        if token.type == tokenize.COMMENT and _SAYS.search(token.string):
            found = _IGNORES.search(token.string)
            codes = () if found is None else tuple(code.strip() for code in found[1].split(","))
            yield Comment(file, token.start[0], codes)


def _has(statement: ast.ClassDef, line: int) -> bool:
    """Whether Python says of a class that it stands at a line: that of the statement, or of a decorator over it."""
    return _first_line(statement) <= line <= (statement.end_lineno or statement.lineno)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _head(statement: ast.ClassDef) -> tuple[int, int]:
    """Return the lines from `class` to the colon."""
    ends = [each.end_lineno or 0 for each in (*statement.bases, *(each.value for each in statement.keywords))]
    last = max([statement.lineno, *ends])
    body = statement.body[0].lineno
    return statement.lineno, body - 1 if body > last + 1 and statement.lineno < last else last


def _declares(cls: type, name: str) -> bool:
    return name in cls.__dict__ or name in get_annotations(cls, format=Format.FORWARDREF)


def _statements_of(statement: ast.ClassDef, name: str) -> Iterator[ast.stmt]:
    for each in statement.body:
        named = each.target if isinstance(each, ast.AnnAssign) else None
        if isinstance(named, ast.Name) and named.id == name:
            yield each
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == name:
            yield each
