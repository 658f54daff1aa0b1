"""Pieces of source code: texts, docstrings and comments out of what may be any text."""

from __future__ import annotations

from inspect import cleandoc
from textwrap import wrap

from instrument.printable import escape

_WIDTH = 70
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text(value: str) -> str:
    r"""Return the source code of a text; a long one in several parts.

    >>> print(text('say "hi"\n'))
    "say \"hi\"\n"
    """
    parts = [value[start : start + _WIDTH] for start in range(0, len(value), _WIDTH)] or [""]
    quoted = [f'"{_escaped(part, quote=True)}"' for part in parts]
    return quoted[0] if len(quoted) == 1 else "(\n" + "\n".join(quoted) + "\n)"


def literal(value: str | float | bool | None) -> str:  # noqa: FBT001 - it is the value
    """Return the source code of a plain value.

    >>> literal(True), literal(1.5), literal("a")
    ('True', '1.5', '"a"')
    """
    return text(value) if isinstance(value, str) else repr(value)


def docstring(value: str, indent: str = "") -> list[str]:
    """Return the lines of a docstring, none for an empty text.

    >>> docstring("A user paid.")
    ['\"\"\"A user paid.\"\"\"']
    """
    lines = clean(value).split("\n")
    if lines == [""]:
        return []
    inner = [_escaped(line).replace('"""', '\\"\\"\\"') for line in lines]
    if inner[-1].endswith('"') or len(inner) > 1:
        # A quote must not meet those that end the docstring.
        inner.append("")
    first = f" {inner[0]}" if inner[0].startswith('"') else inner[0]
    body = [f'"""{first}', *inner[1:]]
    body[-1] += '"""'
    return [f"{indent}{line}" if line else "" for line in body]


def comment(value: str, indent: str = "") -> list[str]:
    """Return the lines of a comment.

    >>> comment("Called at app.py:3")
    ['# Called at app.py:3']
    """
    whole = "".join(each if each.isprintable() else " " for each in value)
    return [f"{indent}# {line}" for line in wrap(whole, _WIDTH + 10, break_long_words=False, break_on_hyphens=False)]


def clean(value: str) -> str:
    """Return a description as a docstring can say it: no space at the ends of lines or around it."""
    return "\n".join(line.rstrip() for line in cleandoc(value.expandtabs(4)).splitlines()).strip()


def _escaped(value: str, *, quote: bool = False) -> str:
    escapes = {**_ESCAPES, '"': '\\"'} if quote else _ESCAPES
    return "".join(escapes.get(each) or (each if each.isprintable() else escape(each)) for each in value)
