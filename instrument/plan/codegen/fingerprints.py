"""The header of a module that was made, and whether anybody has changed the module since.

A formatter's work is no change: only names, values and comments count, not how they are laid out.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = re.compile(r"\A# Made by `(?P<command>[^`\n]+)` from [^\n]*\n(?:# [^\n]*\n)*?# Fingerprint (?P<print>\w+)\n")
_LAYOUT = frozenset(
    {
        *(tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    }
)
_OPTIONAL = frozenset("(),")


def with_header(source: str, command: str, origin: str) -> str:
    """Put the header before a module's source code.

    Args:
        source: the source code, formatted.
        command: the command that made it.
        origin: what it was made from.
    """
    origin = "".join(each if each.isprintable() else "?" for each in origin)
    return (
        f"# Made by `{command}` from {origin}.\n"
        "# What is written in here by hand is lost when it is made again: write it in another module.\n"
        f"# Fingerprint {fingerprint(source)}\n"
        f"{source}"
    )


def is_made(source: str) -> bool:
    """Whether a module has the header."""
    return _HEADER.match(source) is not None


def is_unchanged(source: str) -> bool:
    """Whether a module is as it was made, but for its layout."""
    header = _HEADER.match(source)
    return header is not None and header["print"] == fingerprint(source[header.end() :])


def fingerprint(source: str) -> str:
    """Return a short hash of what a module says, whatever its layout; of its text, where it is no Python."""
    try:
        said = "\n".join(_said(source))
    except (tokenize.TokenError, SyntaxError):
        said = source
    return sha256(said.encode()).hexdigest()[:16]


def _said(source: str) -> Iterator[str]:
    texts: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            texts.append(str(ast.literal_eval(token.string)))
        elif token.type not in _LAYOUT and token.string not in _OPTIONAL:
            # Texts side by side are one text.
            yield from ["".join(texts)] if texts else []
            texts.clear()
            yield token.string
    yield from ["".join(texts)] if texts else []
