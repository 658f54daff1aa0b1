"""What changed between two plans, and whether it breaks anything."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from pydantic import BaseModel, Field, create_model
from typer.testing import CliRunner

from instrument import Scope, Track
from instrument.cli.app import app
from instrument.messages import registry
from instrument.plan.collect import plan_of
from instrument.plan.diff import diff
from instrument.plan.diff_report import to_json, to_markdown, to_text
from instrument.plan.model import CodePlace, Emission, PersonalData, Plan, PlannedField, PlannedMessage
from instrument.plan.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.plan.diff import Change

INTEGER = {"type": "integer"}
HERE = CodePlace(file="shop/events.py")


def field(key: str = "amount", schema: dict[str, Any] = INTEGER, **more: Any) -> PlannedField:
    return PlannedField(**{"key": key, "name": key, "type": "…", "schema": schema, **more})


def event(*properties: PlannedField, **more: Any) -> PlannedMessage:
    given: dict[str, Any] = {
        "kind": "track",
        "name": "Order Placed",
        "class_name": "OrderPlaced",
        "module": "shop.events",
        "properties": properties,
        "declared": HERE,
    }
    return PlannedMessage(**{**given, **more})


def plan(*messages: PlannedMessage) -> Plan:
    return Plan(name="shop", messages=messages)


def changes(old: PlannedMessage | Plan, new: PlannedMessage | Plan) -> list[str]:
    """The changes as text, each with its key, and `!` before those that break something."""
    old, new = (each if isinstance(each, Plan) else plan(each) for each in (old, new))
    return [_shown(each) for each in diff(old, new).changes]


def _shown(change: Change) -> str:
    key = f"{change.key}: " if change.key else ""
    return f"{'!' if change.breaking else ''}{key}{change.text}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (event(), plan(), ["!removed"]),
        (plan(), event(), ["added"]),
        (event(), event(name="Order Made"), ['!renamed from "Order Placed" to "Order Made"']),
        (
            event(),
            event(class_name="Order", module="shop.orders"),
            ["the class moved from shop.events:OrderPlaced to shop.orders:Order"],
        ),
        (
            event(kind="page", name_key="name", category="A"),
            event(kind="page", name_key="name", category="B"),
            ['!the category changed from "A" to "B"'],
        ),
        (event(), event(kind="page", name_key="name"), ["!it is a call of page, and was one of track"]),
        (event(), event(deprecated="Order Made"), ["deprecated: Order Made"]),
        (event(deprecated=True), event(), ["no longer deprecated"]),
        (event(owner="web"), event(), ["the owner changed from web to nobody"]),
        (event(doc="One."), event(doc="Two."), ["the description changed"]),
        (event(), event(declared=CodePlace(file="shop/events/__init__.py")), []),
    ],
)
def test_changes_of_a_message(old: PlannedMessage | Plan, new: PlannedMessage | Plan, expected: list[str]) -> None:
    assert changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (event(field()), event(), ["!amount: the property was removed"]),
        (event(), event(field()), ["!amount: the property was added, required"]),
        (event(), event(field(required=False)), ["amount: the property was added, optional"]),
        (event(), event(field(computed=True)), ["amount: the property was added, optional"]),
        (event(field(required=False)), event(field()), ["!amount: it is required now"]),
        (event(field()), event(field(required=False)), ["amount: it is optional now"]),
        (
            event(field("id", name="order_id")),
            event(field("order", {"type": "string"}, name="order_id")),
            [
                '!order: the property was renamed from "id"',
                "!order: the type changed from integer to string",
            ],
        ),
        (event(ids=(field("userId"),)), event(), ["!userId: the id was removed"]),
        (
            event(payload="traits", kind="identify", name=None, name_key=None),
            event(field(), payload="traits", kind="identify", name=None, name_key=None),
            ["!amount: the trait was added, required"],
        ),
        (
            event(field(required=False, schema={"default": 1})),
            event(field(required=False, schema={"default": 2})),
            ["amount: the default changed"],
        ),
        (event(field()), event(field(description="In cents.")), ["amount: the description changed"]),
        (event(field()), event(field(deprecated=True)), ["amount: deprecated"]),
        (
            event(field()),
            event(field(pii=(PersonalData(category="email"),))),
            ["!amount: its mark of personal data changed, and with it what is sent"],
        ),
        (event(field(type="int")), event(field(type="Annotated[int, …]", scope="ShopScope")), []),
    ],
)
def test_changes_of_a_property(old: PlannedMessage, new: PlannedMessage, expected: list[str]) -> None:
    assert changes(old, new) == expected


class Street(BaseModel):
    street: str


class StreetAndNumber(Street):
    number: int


class StreetMaybeNumber(Street):
    number: int | None = None


class Numbered(BaseModel):
    street: int


class Tree(BaseModel):
    branches: list[Tree] = []


class TreeWithLeaves(BaseModel):
    branches: list[TreeWithLeaves] = []
    leaves: int = 0


TYPES: dict[str, tuple[Any, Any, list[str]]] = {
    "another": ("int", "str", ["!the type changed from integer to string"]),
    "wider, which is another": ("int", "float", ["!the type changed from integer to number"]),
    "another format": ("str", "datetime", ["!the type changed from string to string (date-time)"]),
    "nullable": ("int", "int | None", ["it may be null"]),
    "no longer nullable": ("int | None", "int", ["!it may no longer be null"]),
    "nullable and another": ("int", "str | None", ["it may be null", "!the type changed from integer to string"]),
    "one more": ("int", "int | str", ["!the type changed from integer to integer or string"]),
    "one fewer": ("int | str", "int", ["!the type changed from integer or string to integer"]),
    "in another order": ("int | str | None", "None | str | int", []),
    "anything": ("int", "Any", ["!the type changed from integer to anything"]),
    "choices": ("str", "Literal['a', 'b']", ['!it takes only "a", "b"']),
    "fewer choices": ("Literal['a', 'b', 'c']", "Literal['a']", ['!it no longer takes "b", "c"']),
    "more choices": ("Literal['a']", "Literal['b', 'a']", ['it takes "b" too']),
    "other choices": ("Literal['a']", "Literal['b']", ['!it no longer takes "a"', 'it takes "b" too']),
    "any choice": ("Literal['a']", "str", ["it takes any value of its type"]),
    "choices of an enum": ("Colour", "Literal['red']", ['!it no longer takes "blue"']),
    "a least value": ("int", "Annotated[int, Field(ge=1)]", ["!the least value is 1"]),
    "the same least integer": ("Annotated[int, Field(ge=1)]", "Annotated[int, Field(gt=0)]", []),
    "a smaller one": (
        "Annotated[int, Field(ge=1)]",
        "Annotated[int, Field(ge=0)]",
        ["the least value changed from 1 to 0"],
    ),
    "a number excluded": (
        "Annotated[float, Field(ge=0)]",
        "Annotated[float, Field(gt=0)]",
        ["!the least value changed from 0 to above 0"],
    ),
    "a number included": (
        "Annotated[float, Field(lt=9)]",
        "Annotated[float, Field(le=9)]",
        ["the greatest value changed from below 9 to 9"],
    ),
    "no greatest value": ("Annotated[int, Field(le=9)]", "int", ["the greatest value is no longer 9"]),
    "shorter": (
        "Annotated[str, Field(max_length=9)]",
        "Annotated[str, Field(max_length=8)]",
        ["!maxLength changed from 9 to 8"],
    ),
    "longer": (
        "Annotated[str, Field(max_length=9)]",
        "Annotated[str, Field(max_length=10)]",
        ["maxLength changed from 9 to 10"],
    ),
    "a pattern": ("str", "Annotated[str, Field(pattern='^a')]", ['!pattern "^a" was added']),
    "no pattern": ("Annotated[str, Field(pattern='^a')]", "str", ['pattern "^a" was removed']),
    "another pattern": (
        "Annotated[str, Field(pattern='a')]",
        "Annotated[str, Field(pattern='b')]",
        ['!pattern changed from "a" to "b"'],
    ),
    "a coarser multiple": (
        "Annotated[int, Field(multiple_of=2)]",
        "Annotated[int, Field(multiple_of=4)]",
        ["!multipleOf changed from 2 to 4"],
    ),
    "a finer multiple": (
        "Annotated[int, Field(multiple_of=4)]",
        "Annotated[int, Field(multiple_of=2)]",
        ["multipleOf changed from 4 to 2"],
    ),
    "items": ("list[int]", "list[str]", ["![]: the type changed from integer to string"]),
    "a set": ("list[int]", "set[int]", ["!uniqueItems true was added"]),
    "values": ("dict[str, int]", "dict[str, str]", ["!.*: the type changed from integer to string"]),
    "positions": ("tuple[int, int]", "tuple[int, str]", ["![1]: the type changed from integer to string"]),
    "inside of a model": ("Street", "Numbered", ["!.street: the type changed from string to integer"]),
    "of models in a list": ("list[Street]", "list[Numbered]", ["![].street: the type changed from string to integer"]),
    "more in a model": ("Street", "StreetAndNumber", ["!.number: it was added, required"]),
    "maybe more in a model": ("Street", "StreetMaybeNumber", [".number: it was added, optional"]),
    "less in a model": ("StreetAndNumber", "Street", ["!.number: it was removed"]),
    "needed in a model": (
        "StreetMaybeNumber",
        "StreetAndNumber",
        ["!.number: it is required now", "!.number: it may no longer be null"],
    ),
    "a model that holds itself": ("Tree", "TreeWithLeaves", [".leaves: it was added, optional"]),
    "the same model that holds itself": ("Tree", "Tree", []),
    "a model of several": (
        "Street | int",
        "Street | str",
        ["!the type changed from integer or object to object or string"],
    ),
}


def _schemas(annotation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a type as the plan has it, and its definitions."""
    from datetime import datetime
    from enum import Enum
    from typing import Annotated, Literal

    class Colour(str, Enum):
        RED = "red"
        BLUE = "blue"

    names = {
        "Annotated": Annotated,
        "Any": Any,
        "Colour": Colour,
        "Field": Field,
        "Literal": Literal,
        "datetime": datetime,
        **{
            each.__name__: each for each in (Street, StreetAndNumber, StreetMaybeNumber, Numbered, Tree, TreeWithLeaves)
        },
    }
    with registry.isolated():
        user = create_model("DiffScope", __base__=Scope, user_id=int)
        made: Any = create_model("DiffedEvent", __base__=(Track, user), value=(eval(annotation, names), ...))
        (message,) = plan_of([made], Project(Path("/"), ("tests",))).messages
    return message.properties[0].schema_, message.definitions


@pytest.mark.parametrize("case", TYPES)
def test_changes_of_a_type(case: str) -> None:
    old, new, expected = TYPES[case]
    (before, old_definitions), (after, new_definitions) = _schemas(old), _schemas(new)
    found = changes(
        event(field("", before), definitions=old_definitions), event(field("", after), definitions=new_definitions)
    )
    assert found == expected


def test_a_type_is_never_changed_from_itself() -> None:
    for annotation in {each for old, new, _ in TYPES.values() for each in (old, new)}:
        schema, definitions = _schemas(annotation)
        both = event(field("value", schema), definitions=definitions)
        assert changes(both, both) == []


def test_where_it_is_emitted_is_told_and_breaks_nothing() -> None:
    def emitted(handler: str, line: int) -> Emission:
        return Emission(handler=handler, moment="success", place=CodePlace(file="shop/orders.py", line=line))

    old = event(emissions=(emitted("shop.orders:place", 1), emitted("shop.orders:order", 5)))
    new = event(emissions=(emitted("shop.orders:place", 7), emitted("shop.orders:buy", 9)))
    assert changes(old, new) == [
        "no longer emitted by shop.orders:order (success)",
        "emitted by shop.orders:buy (success)",
    ]


def test_a_renamed_event_is_compared_with_what_it_was_and_none_is_taken_twice() -> None:
    old = plan(event(field()), event(name="Order Kept", class_name="OrderKept"))
    new = plan(event(name="Order Made"), event(name="Order Kept", class_name="Kept"))
    assert changes(old, new) == [
        "the class moved from shop.events:OrderKept to shop.events:Kept",
        '!renamed from "Order Placed" to "Order Made"',
        "!amount: the property was removed",
    ]


def test_two_events_that_exchange_their_names_are_known_by_these() -> None:
    old = plan(event(field("a"), name="A", class_name="One"), event(field("b"), name="B", class_name="Two"))
    new = plan(event(field("a"), name="A", class_name="Two"), event(field("b"), name="B", class_name="One"))
    assert changes(old, new) == [
        "the class moved from shop.events:One to shop.events:Two",
        "the class moved from shop.events:Two to shop.events:One",
    ]


def test_a_call_without_a_name_may_move_to_another_module() -> None:
    traits: dict[str, Any] = {"kind": "identify", "name": None, "name_key": None, "payload": "traits"}
    assert changes(event(**traits), event(**traits, module="shop.users")) == [
        "the class moved from shop.events:OrderPlaced to shop.users:OrderPlaced"
    ]


HOSTILE = "x`|@all <img src=x onerror=alert(1)>\n# *no*\x1b[2J</details>"


def test_the_text_has_the_breaking_changes_first() -> None:
    found = diff(plan(event(field(), doc="One.")), plan(event(doc="Two."), event(name="New", class_name="New")))
    assert to_text(found) == dedent("""\
        1 breaking change, 2 safe

        Breaking
          track "Order Placed"
            amount: the property was removed

        Safe
          track "New"
            added
          track "Order Placed"
            the description changed
        """)
    assert to_text(diff(plan(), plan())) == "no change\n"


class Rendered(HTMLParser):
    """A page that was made of Markdown: its tags, and its text inside and outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.code: list[str] = []
        self.text = ""
        self._in_code = False
        self.feed(MarkdownIt("commonmark").enable("table").render(markdown))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self._in_code = tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code.append(data)
        else:
            self.text += data


def test_nothing_in_a_name_is_markdown_html_or_a_command_to_a_terminal() -> None:
    added = diff(plan(), plan(event(name=HOSTILE, class_name=HOSTILE)))
    broken = diff(plan(event(name=HOSTILE)), plan(event(field(HOSTILE), name=HOSTILE, owner=HOSTILE)))
    shown = HOSTILE.replace("\n", " ").replace("\x1b", r"\x1b")
    for found, code in ((added, [shown]), (broken, [shown, shown, shown])):
        rendered = Rendered(to_markdown(found))
        assert rendered.tags <= {"h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code"}
        assert rendered.code == code
        assert not re.search(r"[@#]\w", rendered.text)  # by which somebody would be mentioned
        assert "\x1b" not in to_text(found)
    literally = HOSTILE.replace("\n", r"\n").replace("\x1b", r"\x1b").replace("@", "@\u2060").replace("#", "#\u2060")
    assert f"the owner changed from nobody to {literally}" in Rendered(to_markdown(broken)).text


def test_the_markdown_of_a_pull_request() -> None:
    found = diff(plan(event(field())), plan(event(field(schema={"type": "string"}), owner="web")))
    assert to_markdown(found) == dedent("""\
        ## Tracking plan: 1 breaking change, 1 safe

        ### Breaking

        | message | key | change |
        | --- | --- | --- |
        | track `Order Placed` | `amount` | the type changed from integer to string |

        <details><summary>1 safe change</summary>

        | message | key | change |
        | --- | --- | --- |
        | track `Order Placed` |  | the owner changed from nobody to web |

        </details>
        """)


def test_markdown_that_no_comment_has_room_for_says_so() -> None:
    many = plan(*(event(name=f"Event {number}", class_name=f"E{number}") for number in range(2_000)))
    markdown = to_markdown(diff(many, plan()))
    assert len(markdown) < 65_536
    assert "2,000 breaking changes" in markdown
    assert "run `instrument plan diff`" in markdown


def test_the_json_for_programs() -> None:
    report = json.loads(to_json(diff(plan(event(field())), plan(event()), names=("main", "working tree"))))
    assert report == {
        "format": 1,
        "old": "main",
        "new": "working tree",
        "breaking": 1,
        "safe": 0,
        "changes": [
            {
                "call": "track",
                "message": "Order Placed",
                "class": "OrderPlaced",
                "key": "amount",
                "what": "removed",
                "breaking": True,
                "text": "the property was removed",
            }
        ],
    }


def run(*arguments: object) -> tuple[int, str]:
    """Run the command in this process; return its exit status and what it printed."""
    with registry.isolated():
        result = CliRunner().invoke(app, ["plan", "diff", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three plan files: one, the same with a safe change, and with a breaking one."""
    plans = {"old": event(field()), "safe": event(field(), owner="web"), "breaking": event()}
    for name, message in plans.items():
        tmp_path.joinpath(f"{name}.json").write_text(plan(message).to_json(), encoding="utf-8")
    return tmp_path / "old.json", tmp_path / "safe.json", tmp_path / "breaking.json"


def test_the_exit_status_says_whether_something_breaks(files: tuple[Path, Path, Path]) -> None:
    old, safe, breaking = files
    assert run(old, old) == (0, "no change\n")
    assert run(old, safe)[0] == 0
    assert run(old, breaking)[0] == 1
    assert run(old, breaking, "--fail-on", "never")[0] == 0
    assert run(old, safe, "--fail-on", "any")[0] == 1
    assert run(old, old, "--fail-on", "any")[0] == 0
    assert run(old, breaking, "--format", "markdown")[1].startswith("## Tracking plan: 1 breaking change, 0 safe\n")


def test_what_is_no_plan_is_an_error_of_usage(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    tmp_path.joinpath("other.json").write_text("{}")
    for wrong in (tmp_path / "other.json", tmp_path / "absent.json", "--upload-pack=x", "HEAD~99", ""):
        status, output = run("--project", tmp_path, "--", files[0], wrong)
        assert status == 2, output


# A repository with three commits: an event, a breaking change of it, and one whose code cannot be imported.
BEFORE = """
    import sys
    from instrument import Scope, Track

    print("printed by the application")

    class ShopScope(Scope):
        user_id: int

    class OrderPlaced(Track, ShopScope):
        amount: int
"""
AFTER = BEFORE.replace("amount: int", "amount: str\n        shop: int = 1")


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(repository), *identity, *arguments], check=True, capture_output=True)
    return done.stdout.decode()


def commit(repository: Path, content: str, message: str) -> None:
    repository.joinpath("app", "diffed_shop", "events.py").write_text(dedent(content), encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A repository whose project lies in a directory of it, with a space in its path."""
    repository = tmp_path / "my shop"
    package = repository / "app" / "diffed_shop"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").write_text("")
    repository.joinpath("app", "pyproject.toml").write_text('[tool.instrument]\npackages = ["diffed_shop"]\n')
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch hook-ran\n")
    hook.chmod(0o755)
    commit(repository, BEFORE, "before")
    commit(repository, AFTER, "after")
    commit(repository, "import nowhere_to_be_found", "broken")
    yield repository
    for name in [each for each in sys.modules if each.partition(".")[0] == "diffed_shop"]:
        del sys.modules[name]


def left_behind(repository: Path) -> list[str]:
    """What is left of a worktree: in the list of git, in the working tree, in the directory for temporary files."""
    listed = [each for each in git(repository, "worktree", "list").splitlines() if "my shop" not in each]
    return (
        listed + [each.name for each in Path(os.environ["TMPDIR"]).iterdir()] + git(repository, "status", "-s").split()
    )


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()


def test_two_revisions_are_compared_and_nothing_is_left_of_them(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a hook of git, whose commands would work on that index.
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git" / "index"))
    index = (repository / ".git" / "index").read_bytes()
    status, output = run("HEAD~2", "HEAD~1", "--project", repository / "app")
    assert output == dedent("""\
        1 breaking change, 1 safe

        Breaking
          track "Order Placed"
            amount: the type changed from integer to string

        Safe
          track "Order Placed"
            shop: the property was added, optional
        """)
    assert status == 1
    assert (repository / ".git" / "index").read_bytes() == index
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert left_behind(repository) == []


def test_a_revision_is_compared_with_the_working_tree(repository: Path) -> None:
    events = repository / "app" / "diffed_shop" / "events.py"
    events.write_text(dedent(BEFORE), encoding="utf-8")
    status, output = run("main~2", "--project", repository / "app")
    assert status == 0
    assert output.startswith("no change\n")


def test_a_revision_that_cannot_be_imported_says_so_with_its_commit(repository: Path) -> None:
    status, output = run("main", "main~1", "--project", repository / "app")
    commit_id = git(repository, "rev-parse", "main").strip()
    assert status == 2
    assert output.startswith(f"main ({commit_id[:12]}): ")
    assert "diffed_shop.events cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in output
    assert left_behind(repository) == []


def test_a_package_that_is_not_in_the_revision_is_not_taken_from_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "installed" / "diffed_elsewhere"
    elsewhere.mkdir(parents=True)
    elsewhere.joinpath("__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere.parent))
    status, output = run("main", "main", "-p", "diffed_elsewhere", "--project", repository / "app")
    assert status == 2
    assert "the package diffed_elsewhere is not there: what was imported is" in output


def test_a_committed_plan_file_is_read_instead_of_importing(repository: Path) -> None:
    project = repository / "app"
    project.joinpath("pyproject.toml").write_text(
        '[tool.instrument]\npackages = ["diffed_shop"]\nplan = "plans/shop.json"\n'
    )
    plans = project / "plans"
    plans.mkdir()
    for number, message in enumerate([event(field()), event()]):
        plans.joinpath("shop.json").write_text(plan(message).to_json(), encoding="utf-8")
        commit(repository, f"raise SystemExit({number})", "with a plan file")
    status, output = run("HEAD~1", "HEAD", "--project", project)
    assert (status, output.splitlines()[-1]) == (1, "    amount: the property was removed")
    plans.joinpath("shop.json").write_text("{", encoding="utf-8")
    commit(repository, "", "with a damaged plan file")
    status, output = run("HEAD", "HEAD~1", "--project", project)
    assert status == 2
    assert output.startswith("HEAD: its plans/shop.json is no plan file: Invalid JSON")


def test_a_command_that_is_terminated_leaves_nothing_behind(repository: Path, tmp_path: Path) -> None:
    began = tmp_path / "began"
    commit(repository, f"import pathlib, time; pathlib.Path({str(began)!r}).touch(); time.sleep(60)", "slow")
    command = [sys.executable, "-m", "instrument.cli", "plan", "diff", "HEAD", "--project", str(repository / "app")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = monotonic() + 60
        while not began.exists() and monotonic() < deadline:
            sleep(0.02)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert began.exists(), output
    assert process.returncode == 128 + signal.SIGTERM
    assert left_behind(repository) == []
