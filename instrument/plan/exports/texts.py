"""Text out of docstrings and names, which may be anything, made fit for files that people read."""

from __future__ import annotations

import re

# Controls but tab and newline, what is invisible or turns the direction of a text, and separators of lines. Listed,
# and not asked of `str.isprintable`, which knows more characters in each version of Python: a plan has one form.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    r"""Return a text with what cannot be seen as escapes.

    >>> print(plain("Invoice\x1b[2J Paid\u202e"))
    Invoice\x1b[2J Paid\u202e
    """
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    r"""Return a text on one line.

    >>> one_line("An invoice\n  was paid. ")
    'An invoice was paid.'
    """
    return " ".join(plain(text).split())
