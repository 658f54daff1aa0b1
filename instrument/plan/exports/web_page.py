"""One page of HTML that holds everything: it works without a network and, but for search and filters, without scripts.

What comes from the plan is text, escaped by the template; a policy in the page lets no other script or style run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from instrument.plan.exports.example_values import example
from instrument.plan.exports.naming import slugs
from instrument.plan.exports.schema_texts import constraints_text, type_text
from instrument.plan.exports.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.plan.exports.code_links import CodeLinks
    from instrument.plan.model import CodePlace, Deprecation, Emission, Plan, PlannedField, PlannedMessage

_PARTS = "page_parts"
_PACKAGE = "instrument.plan.exports"


@dataclass(frozen=True, slots=True)
class _Link:
    text: str
    address: str


@dataclass(frozen=True, slots=True)
class _Field:
    key: str
    type: str
    constraints: str
    required: bool
    origin: str
    description: str
    deprecated: str
    personal: str


@dataclass(frozen=True, slots=True)
class _Emitted:
    when: str
    handler: str
    link: _Link


@dataclass(frozen=True, slots=True)
class _Message:
    """A message as the page shows it.

    Attributes:
        found_by: what the search looks at.
    """

    anchor: str
    kind: str
    title: str
    summary: str
    paragraphs: tuple[str, ...]
    owner: str
    category: str
    deprecated: str
    scopes: tuple[str, ...]
    class_name: str
    declared: _Link
    fields: tuple[_Field, ...]
    emissions: tuple[_Emitted, ...]
    example: str
    found_by: str


def document(plan: Plan, links: CodeLinks) -> str:
    """Return the plan as a page, with links to the lines of the code."""
    anchors = slugs(plan.messages)
    script, style = _part("plan.js"), _part("plan.css")
    template = _environment().get_template("plan.html.jinja")
    return template.render(
        name=plan.name,
        messages=[_message(plan, each, anchors[each.identity], links) for each in plan.messages],
        kinds=sorted({each.kind for each in plan.messages}),
        scopes=[plain(each.name) for each in plan.scopes],
        script=script,
        style=style,
        script_digest=_digest(script),
        style_digest=_digest(style),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE, _PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )


def _finalized(value: object) -> object:
    """Spell out what cannot be seen; what is markup already is the template's own."""
    return plain(value) if type(value) is str else value


def _part(name: str) -> str:
    return files(_PACKAGE).joinpath(_PARTS).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _message(plan: Plan, message: PlannedMessage, anchor: str, links: CodeLinks) -> _Message:
    fields = tuple(map(_field, message.fields))
    emissions = tuple(_emitted(each, links) for each in message.emissions)
    scopes = plan.scopes_of(message)
    paragraphs = tuple(filter(None, (each.strip() for each in message.doc.split("\n\n"))))
    return _Message(
        anchor=anchor,
        kind=message.kind,
        title=message.title,
        summary=paragraphs[0] if paragraphs else "",
        paragraphs=paragraphs[1:],
        owner=message.owner or "",
        category=message.category or "",
        deprecated=_said(message.deprecated),
        scopes=tuple(map(plain, scopes)),
        class_name=f"{message.module}.{message.class_name}",
        declared=_link(message.declared, links),
        fields=fields,
        emissions=emissions,
        example=json.dumps(example(message), indent=2, ensure_ascii=False),
        found_by=" ".join(_found_by(message, fields, emissions)),
    )


def _found_by(message: PlannedMessage, fields: tuple[_Field, ...], emissions: tuple[_Emitted, ...]) -> Iterator[str]:
    yield from (message.title, message.class_name, message.kind, message.doc, message.owner or "")
    for field in fields:
        yield from (field.key, field.description, field.personal)
    yield from (each.handler for each in emissions)


def _field(field: PlannedField) -> _Field:
    return _Field(
        key=field.key,
        type=type_text(field.schema_),
        constraints=constraints_text(field.constraints),
        required=field.required,
        origin=field.scope or "own",
        description=field.description,
        deprecated=_said(field.deprecated),
        personal=", ".join(dict.fromkeys(each.category for each in field.pii)),
    )


def _emitted(emission: Emission, links: CodeLinks) -> _Emitted:
    when = "handed to a client" if emission.moment == "direct" else f"on {emission.moment}"
    return _Emitted(when, emission.handler, _link(emission.place, links))


def _link(place: CodePlace, links: CodeLinks) -> _Link:
    return _Link(str(place), links.to(place))


def _said(deprecated: Deprecation) -> str:
    return "Deprecated." if deprecated is True else f"Deprecated: {deprecated}" if deprecated else ""
