"""Markdown, as GitHub reads it: what comes from the plan is text, or code, and never markup.

https://github.github.com/gfm/
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from instrument.plan.exports.example_values import example
from instrument.plan.exports.schema_texts import constraints_text, type_text
from instrument.plan.exports.texts import one_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.plan.exports.code_links import CodeLinks
    from instrument.plan.model import Emission, Plan, PlannedField, PlannedMessage

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKUP = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
_TICKS = re.compile("`+")


def document(plan: Plan, links: CodeLinks) -> str:
    """Return the plan as a page of Markdown, without line numbers, so that it is fit for version control."""
    plan = plan.without_lines()
    return "\n".join([*_head(plan), *(line for each in plan.messages for line in _section(plan, each, links))]) + "\n"


def escaped(text: str) -> str:
    r"""Return text on one line, in which nothing is markup.

    >>> print(escaped("1. a|b <i>*c*</i> [d](e)"))
    1\. a\|b &lt;i&gt;\*c\*&lt;/i&gt; \[d\](e)
    """
    return _MARKUP.sub(r"\\\g<0>", one_line(text).translate(_ENTITIES))


def code(text: str) -> str:
    r"""Return text as code on one line; a pipe is escaped, as in a table it has to be.

    >>> print(code("int | None"), code("a `b`"))
    `int \| None` `` a `b` ``
    """
    line = one_line(text)
    if not line:
        return ""
    ticks = "`" * (1 + max(map(len, _TICKS.findall(line)), default=0))
    space = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{space}{line}{space}{ticks}".replace("|", r"\|")


def _head(plan: Plan) -> Iterator[str]:
    yield f"# Tracking plan of {escaped(plan.name)}"
    yield ""
    yield "Made by `instrument plan export --format markdown`: change the classes, and make it anew."
    yield ""
    yield "| type | name | scopes | owner | what |"
    yield "| --- | --- | --- | --- | --- |"
    anchors: Counter[str] = Counter()
    for each in plan.messages:
        # As GitHub makes them: what is no word, hyphen or space goes, and repetitions are numbered.
        anchor = re.sub(r"[^\w\- ]", "", _heading(each).lower()).replace(" ", "-")
        number = f"-{anchors[anchor]}" if anchors[anchor] else ""
        anchors[anchor] += 1
        name = f"[{escaped(each.title)}](#{anchor}{number})" if anchor else escaped(each.title)
        scopes = ", ".join(map(code, each.scopes))
        summary = escaped(each.doc.split("\n\n")[0])
        yield f"| {each.kind} | {name} | {scopes} | {escaped(each.owner or '')} | {summary} |"


def _section(plan: Plan, message: PlannedMessage, links: CodeLinks) -> Iterator[str]:
    yield from ("", f"## {_heading(message)}", "")
    if message.deprecated:
        instead = "" if message.deprecated is True else f" {escaped(message.deprecated)}"
        yield from (f"**Deprecated.**{instead}", "")
    for paragraph in filter(str.strip, message.doc.split("\n\n")):
        yield from (escaped(paragraph), "")
    yield from (f"- {fact}" for fact in _facts(plan, message, links))
    if message.fields:
        yield from ("", "| key | type | required | from | what |", "| --- | --- | --- | --- | --- |")
        yield from map(_row, message.fields)
    lines = plain(json.dumps(example(message), indent=2, ensure_ascii=False)).splitlines()
    yield from ("", *(f"    {line}" for line in lines))


def _heading(message: PlannedMessage) -> str:
    return escaped(message.title if message.kind == "track" else f"{message.title} ({message.kind})")


def _facts(plan: Plan, message: PlannedMessage, links: CodeLinks) -> Iterator[str]:
    yield f"class: {code(message.class_name)} in [{code(message.declared.file)}]({links.to(message.declared)})"
    scopes = plan.scopes_of(message)
    if scopes:
        yield f"scopes: {', '.join(map(code, scopes))}"
    if message.owner:
        yield f"owner: {escaped(message.owner)}"
    if message.category:
        yield f"category: {escaped(message.category)}"
    yield from (_emission(each, links) for each in message.emissions)
    if not message.emissions:
        yield "emitted nowhere"


def _emission(emission: Emission, links: CodeLinks) -> str:
    when = "handed to a client" if emission.moment == "direct" else f"emitted on {emission.moment}"
    return f"{when} by [{code(emission.handler)}]({links.to(emission.place)})"


def _row(field: PlannedField) -> str:
    origin = code(field.scope) if field.scope else "own"
    kind = escaped(", ".join(filter(None, (type_text(field.schema_), constraints_text(field.constraints)))))
    return f"| {code(field.key)} | {kind} | {'yes' if field.required else 'no'} | {origin} | {_notes(field)} |"


def _notes(field: PlannedField) -> str:
    notes: list[str] = [escaped(field.description)] if field.description else []
    if field.pii:
        notes.append(f"Personal data: {', '.join(code(each.category) for each in field.pii)}.")
    if field.deprecated:
        notes.append("Deprecated." if field.deprecated is True else f"Deprecated: {escaped(field.deprecated)}")
    return " ".join(notes)
