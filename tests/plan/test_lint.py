"""The linter of tracking plans: its rules, as the documentation shows them, and what switches them off."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from instrument.cli.app import app
from instrument.plan.lint import SUMMARIES, LintSettingsError, Problem, lint
from instrument.plan.lint_report import to_github, to_json, to_text
from instrument.plan.lint_settings import LintSettings
from instrument.plan.wording import cases, nearly_one, tense_of_name
from tests.docs.documents import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instrument.plan.project import Project

    WriteProject = Callable[..., Project]
    Lint = Callable[..., list[tuple[str, str]]]

DOCUMENT = ROOT / "docs" / "plan-lint.md"
SHOWN = {each.comment: each.code for each in blocks(DOCUMENT) if each.language == "python"}
HEAD = """from __future__ import annotations
from typing import Annotated, Any, Generic, TypeVar
from instrument import PII, Client, Identify, Page, Scope, Track, emitting, tracks
from pydantic import BaseModel, Field, computed_field
class UserScope(Scope):
    user_id: int
"""


@pytest.fixture
def lint_code(write_project: WriteProject) -> Lint:
    """Give a function that lints the source of a module; it returns the codes, each with the line that it is about."""

    def lint_code(source: str, *, select: str = "IP", head: str = HEAD, **settings: Any) -> list[tuple[str, str]]:
        project = replace(write_project(events=head + source), lint=LintSettings(select=(select,), **settings))
        lines = (project.root / "shop" / "events.py").read_text(encoding="utf-8").splitlines()
        problems = lint(project)
        assert {each.file for each in problems} <= {"shop/events.py"}
        return [(each.code, lines[each.line - 1].strip()) for each in problems]

    return lint_code


def test_the_documentation_has_every_rule_with_its_summary_and_two_examples() -> None:
    headings = re.findall(r"^### (IP\d+): (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(headings) == SUMMARIES
    examples = {each for each in SHOWN if each.startswith(("bad ", "good "))}
    assert examples == {f"{kind} {code}" for kind in ("bad", "good") for code in SUMMARIES}


@pytest.mark.parametrize("code", SUMMARIES)
def test_the_bad_example_of_a_rule_breaks_it(code: str, lint_code: Lint) -> None:
    found = lint_code(SHOWN[f"bad {code}"], select=code if code != "IP002" else "IP", head=SHOWN[""])
    assert code in [each for each, _ in found]
    assert code == "IP002" or {each for each, _ in found} == {code}


@pytest.mark.parametrize("code", SUMMARIES)
def test_the_good_example_of_a_rule_does_not(code: str, lint_code: Lint) -> None:
    found = lint_code(SHOWN[f"good {code}"], select=code if code != "IP002" else "IP", head=SHOWN[""])
    assert code not in [each for each, _ in found]


def test_the_example_application_is_clean() -> None:
    command = [sys.executable, "-m", "instrument.cli", "plan", "lint", "--package", "examples.porter"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT, env=os.environ)
    assert ran.stdout == "no problem\n", ran.stderr


def test_a_field_that_many_inherit_is_found_once_where_it_is_declared(lint_code: Lint) -> None:
    source = """
class Contact(Track, abstract=True):
    email: str
class OrderPlaced(Contact, UserScope): ...
class OrderPaid(Contact, UserScope): ...
class OrderSent(Contact, UserScope):
    email: str | None
"""
    assert lint_code(source, select="IP401") == [("IP401", "email: str"), ("IP401", "email: str | None")]
    silenced = source.replace("email: str\n", "email: str  # instrument: ignore[IP401]\n")
    assert lint_code(silenced, select="IP401") == [("IP401", "email: str | None")]


@pytest.mark.parametrize(
    "source",
    [
        "class OrderPlaced(Track, UserScope):  # instrument: ignore[IP201]\n    email: str  # instrument: ignore[IP401]",
        "class OrderPlaced(Track, UserScope):  # instrument: ignore[IP201, IP401]\n    email: str",
        "class OrderPlaced(Track, UserScope):  # instrument:ignore[ IP2,IP4 ] - as agreed\n    email: str",
        "class OrderPlaced(\n    Track,\n    UserScope,\n):  # instrument: ignore[IP201,IP401]\n    email: str",
        "class OrderPlaced(\n    Track,  # instrument: ignore[IP]\n    UserScope\n):\n    email: str",
        "class OrderPlaced(Track, UserScope): # instrument: ignore[IP2]\n    email: str = Field(  # instrument: ignore[IP4]\n        min_length=1\n    )",
        "class OrderPlaced(Track, UserScope): # instrument: ignore[IP2]\n    @computed_field  # instrument: ignore[IP4]\n    @property\n    def email(self) -> str: return ''",
    ],
)
def test_a_comment_on_the_class_or_the_field_switches_off(lint_code: Lint, source: str) -> None:
    assert lint_code(source, ignore=("IP501",)) == []


def test_classes_of_one_name_are_told_apart(lint_code: Lint) -> None:
    source = """
class Web:
    class OrderPlaced(Track, UserScope, name="Web Order Placed"):
        email: str  # instrument: ignore[IP401]
class Phone:
    class OrderPlaced(Track, UserScope, name="Phone Order Placed"):
        email: str | None
"""
    assert lint_code(source, select="IP401") == [("IP401", "email: str | None")]


def test_a_comment_elsewhere_or_in_a_text_switches_nothing_off(lint_code: Lint) -> None:
    source = """
# instrument: ignore[IP201]
class OrderPlaced(Track, UserScope):
    # instrument: ignore[IP201]
    note: str = "# instrument: ignore[IP201]"
"""
    assert [code for code, _ in lint_code(source, select="IP201")] == ["IP201"]
    assert [code for code, _ in lint_code(source, ignore=("IP501",))] == ["IP002", "IP201", "IP002"]


def test_rules_are_chosen_by_how_their_codes_begin_and_the_longer_one_wins(lint_code: Lint) -> None:
    source = "class Order(Track, UserScope):\n    email: str\n    other: Any\n"

    def codes(**settings: Any) -> list[str]:
        return [code for code, _ in lint_code(source, **settings)]

    assert codes() == ["IP101", "IP201", "IP501", "IP401", "IP301"]
    assert codes(select="IP4") == ["IP401"]
    assert codes(ignore=("IP1", "IP501", "IP301")) == ["IP201", "IP401"]
    assert codes(select="IP401", ignore=("IP4",)) == ["IP401"]
    assert codes(select="IP4", ignore=("IP4",)) == []
    assert codes(per_event_ignores={"Ord*": ("IP1", "IP5"), "shop.events:Order": ("IP4",)}) == ["IP201", "IP301"]


def test_a_field_stays_found_for_the_messages_that_are_not_ignored(lint_code: Lint) -> None:
    source = """
class Contact(Track, abstract=True):
    email: str
class OrderPlaced(Contact, UserScope): ...
class OrderPaid(Contact, UserScope): ...
"""
    ignored = {"OrderPlaced": ("IP401",)}
    assert lint_code(source, select="IP401", per_event_ignores=ignored) == [("IP401", "email: str")]
    ignored["OrderPaid"] = ("IP401",)
    assert lint_code(source, select="IP401", per_event_ignores=ignored) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"select": ("IP999",)}, "select: there is no rule 'IP999'"),
        ({"ignore": ("",)}, "ignore: there is no rule ''"),
        ({"per_event_ignores": {"Order": ("ip101",)}}, "Order: there is no rule 'ip101'"),
    ],
)
def test_a_setting_that_names_no_rule_is_an_error(
    write_project: WriteProject, settings: dict[str, Any], problem: str
) -> None:
    project = replace(write_project(), lint=LintSettings(**settings))
    with pytest.raises(LintSettingsError, match=re.escape(problem)):
        lint(project)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("customerEmail: str", True),
        ("e_mail: list[str]", True),
        ("ip: str | None = None", True),
        ("contact: str = Field(serialization_alias='phone')", True),
        ("phone: int", True),
        ("mac_address: str", True),
        ("badge: str", True),
        ("password: Any", True),
        ("email: Annotated[str, PII('email')]", False),
        ("email: list[Annotated[str, PII('email')]]", False),
        ("has_email: bool", False),
        ("email: bool", False),
        ("email_count: int", False),
        ("zip: str", False),
        ("ship: str", False),
        ("emails_sent_by_shipping: Literal[1]", False),
    ],
)
def test_what_looks_like_personal_data(lint_code: Lint, fields: str, found: bool) -> None:
    source = f"from typing import Literal\nclass OrderPlaced(Track, UserScope):\n    {fields}\n"
    assert [code for code, _ in lint_code(source, select="IP401", pii_names=("badge",))] == ["IP401"] * found


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        ("Any", True),
        ("object", True),
        ("dict", True),
        ("list", True),
        ("list[dict[str, Any]]", True),
        ("tuple[int, Any]", True),
        ("int | Any", True),
        ("Part", True),
        ("list[str] | None", False),
        ("dict[str, list[int]]", False),
        ("Tree", False),
    ],
)
def test_what_has_no_type(lint_code: Lint, annotation: str, found: bool) -> None:
    source = f"""
class Part(BaseModel):
    anything: Any
class Tree(BaseModel):
    branches: list[Tree] = []
class OrderPlaced(Track, UserScope):
    value: {annotation}
"""
    assert [code for code, _ in lint_code(source, select="IP301")] == ["IP301"] * found


def test_a_property_s_usual_type_is_that_of_most_messages(lint_code: Lint) -> None:
    source = """
class OrderPlaced(Track, UserScope):
    total: float
class OrderPaid(Track, UserScope):
    total: Annotated[int, Field(ge=0)] | None
class OrderSent(Track, UserScope):
    total: int = 0
class OrderKept(Track, UserScope):
    total: list[int]
"""
    assert lint_code(source, select="IP302") == [("IP302", "total: float"), ("IP302", "total: list[int]")]


def test_emission_by_blocks_and_clients_is_seen_and_a_start_may_end_in_another_handler(lint_code: Lint) -> None:
    source = """
class OrderStarted(Track, UserScope): ...
class OrderSuccess(Track, UserScope): ...
class OrderFailed(Track, UserScope): ...
class CartStart(Track, UserScope): ...
class CartLeft(Track, UserScope): ...
class VisitBegun(Track, UserScope): ...
def send(client: Client) -> None:
    client.track(OrderStarted(user_id=7))
    with emitting(OrderSuccess, failure=OrderFailed, user_id=7): ...
@tracks(CartLeft, start=CartStart)
def cart(): ...
"""
    assert lint_code(source, select="IP5") == [
        ("IP503", "class CartStart(Track, UserScope): ..."),
        ("IP501", "class VisitBegun(Track, UserScope): ..."),
        ("IP502", "class VisitBegun(Track, UserScope): ..."),
    ]


def test_the_tense_and_the_verbs_can_be_said(lint_code: Lint) -> None:
    source = """
class OrderPlaced(Track, UserScope): ...
class OrderPaid(Track, UserScope): ...
class OrderSend(Track, UserScope): ...
class UserOnboard(Track, UserScope): ...
"""
    send, placed, paid = ("class OrderSend", "class OrderPlaced", "class OrderPaid")
    of = "(Track, UserScope): ..."
    assert lint_code(source, select="IP102") == [("IP102", send + of)]
    assert lint_code(source, select="IP102", tense="present") == [("IP102", placed + of), ("IP102", paid + of)]
    assert lint_code(source, select="IP101") == [("IP101", "class UserOnboard" + of)]
    assert lint_code(source, select="IP101", verbs=("Onboard",)) == []
    assert lint_code(source, select="IP102", verbs=("onboard",))[-1] == ("IP102", "class UserOnboard" + of)


@pytest.mark.parametrize(
    ("name", "tense"),
    [
        ("Order Placed", "past"),
        ("User Verified Email", "past"),
        ("Order Place", "present"),
        ("Cluster Provisioning Error", None),
        ("Password Reset", None),
        ("Feed Need", None),
        ("Created", None),
        ("", None),
        ("\x1b[2J", None),
    ],
)
def test_the_tense_of_a_name(name: str, tense: str | None) -> None:
    assert tense_of_name(name) == tense


@pytest.mark.parametrize(
    ("name", "among"),
    [
        ("AWS Account ID Inputted", "Title Case"),
        ("Redeployed via Webhook", "Title Case"),
        ("Invoice paid by ACH", "Sentence case"),
        ("invoice_paid2", "snake_case"),
        ("invoicePaid", "camelCase"),
        ("InvoicePaid", "PascalCase"),
        ("invoice-paid", "kebab-case"),
        ("INVOICE_PAID", "UPPER_CASE"),
        ("Émission Envoyée", "Title Case"),
    ],
)
def test_the_case_of_a_name(name: str, among: str) -> None:
    assert among in cases(name)


@pytest.mark.parametrize("name", ["", " ", "Invoice  Paid", "Invoice\nPaid", "<b>", "a_B c", "🎉"])
def test_a_name_that_is_written_in_no_known_case(name: str) -> None:
    assert cases(name) == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("Order Completed", "Order Complete", True),
        ("Orders Shipped", "Order Shipping", True),
        ("Query Tried", "Query Try", True),
        ("Sign Up", "signup", True),
        ("Payment Recieved", "Payment Received", True),
        ("Payment Recived", "Payment Received", True),
        ("Order Started", "Order Starred", False),
        ("Step 1", "Step 2", False),
        ("App Installed", "App Uninstalled", False),
        ("Cluster Provisioning Error", "Registry Provisioning Error", False),
        ("Address Added", "Addressed", False),
        ("", "", True),
    ],
)
def test_names_that_are_nearly_one(one: str, other: str, near: bool) -> None:
    assert nearly_one(one, other) is near
    assert nearly_one(other, one) is near


HOSTILE = 'class OrderPlaced(Track, UserScope, name="Order, Place::d%\\n::error::\\x1b[2J<b>"):\n    "Doc."\n'


def test_hostile_names_are_no_commands_to_a_terminal_or_to_github(write_project: WriteProject, tmp_path: Path) -> None:
    project = replace(write_project(events=HEAD + HOSTILE), lint=LintSettings(select=("IP103", "IP501")))
    hostile = Problem("shop/a,b:c%.py", 3, "IP101", "an\x1b[2J event\n::error::x")
    problems = [*lint(project), hostile]
    assert "\x1b" not in to_text(problems, tmp_path)
    lines = to_github(problems, tmp_path).splitlines()
    assert len(lines) == len(problems)
    assert all(line.startswith("::error file=") for line in lines)
    assert lines[-1].endswith(r"a%2Cb%3Ac%25.py,line=3,title=IP101::an\x1b[2J event\n::error::x")
    assert [each["code"] for each in json.loads(to_json(problems, tmp_path))["problems"]] == ["IP501", "IP101"]


def test_the_command_tells_by_its_exit_status(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project = write_project(events=HEAD + "class OrderPlaced(Track, UserScope): ...\n")
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text('[tool.instrument]\npackages = ["shop"]\n[tool.instrument.lint]\nignore = ["IP501"]\n')
    monkeypatch.chdir(project.root)

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["plan", "lint", *arguments])
        return result.exit_code, result.output

    assert run() == (
        1,
        "shop/events.py:7: IP201 OrderPlaced has no docstring: say when it is emitted\n1 problem\n",
    )
    assert run("--exit-zero")[0] == 0
    assert run("--ignore", "IP2") == (0, "no problem\n")
    assert run("--select", "IP1") == (0, "no problem\n")
    assert run("--format", "github", "--project", str(project.root / "shop"))[1] == (
        "::error file=shop/events.py,line=7,title=IP201::OrderPlaced has no docstring: say when it is emitted\n"
    )
    status, output = run("--select", "IP20 1")
    assert status == 2
    assert "there is no rule 'IP20 1'" in output
    for wrong in ('lint = {selct = ["IP1"]}', 'lint = {tense = "future"}', 'lint = {per-event-ignores = ["IP1"]}'):
        pyproject.write_text(f'[tool.instrument]\npackages = ["shop"]\n{wrong}\n')
        assert run()[0] == 2


def test_a_module_that_cannot_be_imported_is_told(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project = write_project(events="import nowhere_to_be_found")
    monkeypatch.chdir(project.root)
    result = CliRunner().invoke(app, ["plan", "lint", "-p", "shop"])
    assert result.exit_code == 2
    assert "shop.events cannot be imported" in result.output
