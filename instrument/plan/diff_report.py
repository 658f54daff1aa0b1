"""The changes between two plans: as lines for a terminal, as Markdown for a pull request, as JSON for programs."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from instrument.plan.exports.markdown import code
from instrument.printable import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from instrument.plan.diff import Change, PlanDiff

FORMAT = 1
"""The version of the JSON: raised when a key changes its meaning or goes."""

_MOST_MARKDOWN = 60_000
"""A comment on GitHub takes 65,536 characters."""


def to_text(diff: PlanDiff) -> str:
    """Return the changes as lines, the breaking ones first."""
    lines = [_summary(diff)]
    for heading, changes in (("Breaking", diff.breaking), ("Safe", diff.safe)):
        if changes:
            lines += ["", heading, *_text_lines(changes)]
    return "\n".join(printable(line) for line in lines) + "\n"


def to_markdown(diff: PlanDiff) -> str:
    """Return the changes as a comment for a pull request: the breaking ones in a table, the safe ones folded away.

    Nothing in a name or a description is Markdown or HTML, and nobody is mentioned.
    """
    parts = [f"## Tracking plan: {_summary(diff)}\n"]
    if diff.breaking:
        parts += ["### Breaking\n", _markdown_table(diff.breaking)]
    if diff.safe:
        folded = _markdown_table(diff.safe)
        parts += [f"<details><summary>{counted(len(diff.safe), 'safe change')}</summary>\n", folded, "</details>\n"]
    whole = "\n".join(parts)
    if len(whole) > _MOST_MARKDOWN:
        return (
            f"{parts[0]}\nThere is more than a comment has room for: run `instrument plan diff` for the whole of it.\n"
        )
    return whole


def to_json(diff: PlanDiff) -> str:
    """Return the changes for programs."""
    report: dict[str, Any] = {
        "format": FORMAT,
        "old": diff.old,
        "new": diff.new,
        "breaking": len(diff.breaking),
        "safe": len(diff.safe),
        "changes": [
            {
                "call": each.call,
                "message": each.message,
                "class": each.class_name,
                "key": each.key or None,
                "what": each.what.value,
                "breaking": each.breaking,
                "text": each.text,
            }
            for each in diff.changes
        ],
    }
    return json.dumps(report, indent=2) + "\n"


def _summary(diff: PlanDiff) -> str:
    if not diff.changes:
        return "no change"
    return f"{counted(len(diff.breaking), 'breaking change')}, {len(diff.safe):,} safe"


def _text_lines(changes: Sequence[Change]) -> Iterator[str]:
    for (call, message), of_message in groupby(changes, key=lambda each: (each.call, each.message)):
        yield f'  {call} "{message}"'
        for each in of_message:
            yield f"    {each.key}: {each.text}" if each.key else f"    {each.text}"


def _markdown_table(changes: Iterable[Change]) -> str:
    rows = [f"| {each.call} {code(each.message)} | {code(each.key)} | {literal(each.text)} |" for each in changes]
    return "\n".join(["| message | key | change |", "| --- | --- | --- |", *rows]) + "\n"


def literal(text: str) -> str:
    """Return a text that Markdown and HTML show as it is, in one line; GitHub links no name or number in it.

    >>> literal("<b> *x*")
    '&#60;b&#62; &#42;x&#42;'
    """
    return "".join(map(_literal, printable(text)))


def _literal(character: str) -> str:
    if character.isalnum() or character in " ,.;:()'\"…":
        return character
    # What follows one of these is no name, or number, if something that cannot be seen stands between.
    return f"&#{ord(character)};" + ("&#8288;" if character in "@#" else "")
