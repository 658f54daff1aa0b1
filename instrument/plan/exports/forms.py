"""The forms of a plan by name."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from instrument.plan.exports import json_schema, markdown, protocols, spreadsheet, typescript

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instrument.plan.exports.code_links import CodeLinks
    from instrument.plan.model import Plan


class Form(str, Enum):
    """What a plan can be written as."""

    PLAN = "plan"
    JSON_SCHEMA = "json-schema"
    PROTOCOLS = "protocols"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    TYPESCRIPT = "typescript"


def exported(plan: Plan, form: Form, links: CodeLinks) -> str:
    """Return a plan in a form: the same bytes each time.

    Args:
        plan: the plan.
        form: as what.
        links: where its code can be read, for pages.

    Raises:
        ModuleNotFoundError: the page needs jinja2, of the extra `plan`.
    """
    if form is Form.HTML:
        from instrument.plan.exports import web_page  # noqa: PLC0415 - needs an extra

        return web_page.document(plan, links)
    if form is Form.MARKDOWN:
        return markdown.document(plan, links)
    documents: dict[Form, Callable[[], str]] = {
        Form.PLAN: plan.to_json,
        Form.JSON_SCHEMA: lambda: json_schema.document(plan),
        Form.PROTOCOLS: lambda: protocols.document(plan),
        Form.CSV: lambda: spreadsheet.document(plan),
        Form.TYPESCRIPT: lambda: typescript.document(plan),
    }
    return documents[form]()


def exported_files(plan: Plan) -> Mapping[str, str]:
    """Return a JSON Schema for each message, by the names of their files."""
    return json_schema.documents(plan)
