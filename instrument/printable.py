"""Text for people: what a terminal only shows, whatever is in it, and numbers of things."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""Return a text as it can be shown: control characters, which are commands to a terminal, as escapes.

    >>> print(printable("Invoice\x1b[2J Paid"))
    Invoice\x1b[2J Paid
    """
    return "".join([each if each.isprintable() else escape(each) for each in str(text)])


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "message"), counted(2_000, "message")
    ('1 message', '2,000 messages')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def escape(character: str) -> str:
    """Return a character as Python writes it in a text that is all ASCII."""
    return character.encode("unicode_escape").decode()
