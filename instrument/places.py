"""Where in the user's source something stands: the `file:line` of every error message."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_OURS = __name__.partition(".")[0]
_PASSED_OVER = frozenset({_OURS, "pydantic", "abc", "contextlib", "wrapt"})


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a source file.

    Attributes:
        file: its path.
        line: the number of the line; the first is 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def caller() -> Place:
    """Return the innermost line on the stack that belongs to neither this package nor pydantic."""
    frame = inspect.currentframe()
    while frame is not None and _package(frame) in _PASSED_OVER and frame.f_back is not None:
        frame = frame.f_back
    return Place("<unknown>", 0) if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)


def of_function(function: object) -> Place:
    """Return where a function is defined; for a callable without code, where it was decorated."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return caller() if code is None else Place(code.co_filename, code.co_firstlineno)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
