"""Text that a terminal only shows: names and messages come from anywhere, and some characters are commands to it."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""Return a text as it can be shown: control characters and the like as escapes.

    >>> print(printable("Invoice\x1b[2J Paid"))
    Invoice\x1b[2J Paid
    """
    return "".join([each if each.isprintable() else _escape(each) for each in str(text)])


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
