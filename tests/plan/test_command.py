"""`instrument plan`: the commands."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from instrument.cli.app import app
from instrument.plan.collect import collect
from instrument.plan.exports.forms import Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from instrument.plan.project import Project

    WriteProject = Callable[..., Project]

EVENTS = """
    from instrument import Track, tracks
    from shop.scopes import ShopScope

    class InvoicePaid(Track, ShopScope, owner="billing"):
        amount: int
        note: str = ""

    class InvoiceLost(Track, ShopScope): ...

    print("printed while it is imported")

    @tracks(InvoicePaid)
    def pay(amount): ...
"""
PAID = {"type": "track", "event": "Invoice Paid", "userId": "7", "properties": {"shop": 1, "amount": 2}}


@pytest.fixture
def project(write_project: WriteProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    found = write_project(events=EVENTS)
    tmp_path.joinpath("pyproject.toml").write_text('[tool.instrument]\npackages = ["shop"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return found


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["plan", *arguments], input=given)


def test_the_messages_of_a_project_are_listed(project: Project) -> None:
    result = run()
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines == [
        ["type", "name", "scopes", "properties", "owner", "emitted", "at"],
        ["track", "Invoice", "Lost", "ShopScope", "shop"],
        ["track", "Invoice", "Paid", "ShopScope", "shop,", "amount,", "note?", "billing", "success:", "pay", "shop/events.py:12"],
        ["2", "messages,", "1", "of", "them", "emitted", "nowhere."],
    ]  # fmt: skip


def test_they_are_listed_as_json_with_lines(project: Project) -> None:
    listed = json.loads(run("--json").stdout)
    assert listed == collect(project).model_dump(mode="json", exclude_defaults=True)
    assert listed["messages"][1]["declared"] == {"file": "shop/events.py", "line": 4}


def test_what_a_module_prints_does_not_get_between(project: Project) -> None:
    assert "printed" not in run().stdout


def test_packages_can_be_named(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("")
    assert "0 messages" in run("--package", "other").stdout
    assert run("--package", "other", "check", "events.jsonl").exit_code == 2


def test_a_project_without_packages_is_told_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert "by --package, or list them: `[tool.instrument]` and `packages =" in _told(result)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[tool.instrument]\npackages = 3", "tool.instrument.packages"),
        ("[tool", "cannot be read"),
        ("tool = 3", "tool: Input should be"),
    ],
)
def test_a_pyproject_that_does_not_fit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, problem: str
) -> None:
    tmp_path.joinpath("pyproject.toml").write_text(toml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("import re\nre.compile('(')", "missing ), unterminated subpattern"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_an_import_that_fails_is_told_with_module_file_and_line(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    project = write_project(broken="\n" * 3 + source, also_broken="1 / 0")
    monkeypatch.chdir(project.root)
    result = run("-p", "shop")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first == "shop/also_broken.py:1: shop.also_broken cannot be imported: ZeroDivisionError: division by zero"
    assert second.startswith(f"shop/broken.py:{1 + source.count(chr(10))}: shop.broken cannot be imported: ")
    assert said in second


def test_a_package_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("-p", "nowhere_to_be_found")
    assert result.exit_code == 2
    assert result.stderr == (
        "nowhere_to_be_found cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found' "
        f"(looked for in {tmp_path}, and among what is installed)\n"
    )


@pytest.mark.parametrize(
    "name", ["./shop", "shop/events.py", "shop.events:OrderPlaced", ".shop", "shop.", "", "a shop"]
)
def test_what_is_no_name_of_a_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("-p", name)
    assert result.exit_code == 2
    assert f"{name!r} is no name of a package: write it as in an import" in _told(result)


def test_a_package_without_messages_is_noted(project: Project, tmp_path: Path) -> None:
    tmp_path.joinpath("barren.py").touch()
    for command in ([], ["export", "--format", "csv"], ["check", os.devnull]):
        result = run(*command, "-p", "barren")
        assert (result.exit_code, result.stderr) == (0, "note: no message is declared in barren\n")


def test_the_help_shows_where_packages_are_named_and_what_is_done_without_a_command() -> None:
    for command in ([], ["export"], ["check"], ["diff"], ["lint"]):
        assert "pyproject.toml names, in its table tool.instrument." in _told(run(*command, "--help"))
    assert "Without a command: list every message" in _told(run("--help"))


def test_what_was_sent_is_checked_line_by_line(project: Project, tmp_path: Path) -> None:
    sent = [PAID, {**PAID, "properties": {"shop": 0, "amount": "secret"}}, {"type": "track", "event": "Secret"}]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([*map(json.dumps, sent), "", "{", "[1]", "NaN"]), encoding="utf-8")
    result = run("check", "events.jsonl")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-6:] == [
        "events.jsonl:2: properties.amount: it should be of type integer, not string",
        "events.jsonl:2: properties.shop: it should be at least 1",
        "events.jsonl:3: event: the plan has no track of this name",
        "events.jsonl:5: the line is no JSON",
        "events.jsonl:6: the line is no JSON object",
        "events.jsonl:7: the line is no JSON",
    ]
    assert result.stdout == "7 lines, 5 of them with violations of the plan.\n"


def test_a_plan_file_is_enough_to_check(project: Project, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(collect(project).to_json(), encoding="utf-8")
    result = run("check", "-", "--plan", str(plan), "--json", given=f"{json.dumps(PAID)}\n{{}}\n")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "lines": 2,
        "violations": [{"line": 2, "wrong": "missing", "path": "type", "reason": "it has no type"}],
    }
    assert run("check", "-", "--plan", str(plan), given=json.dumps(PAID)).exit_code == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [("{", "Invalid JSON"), ('{"format": 2, "name": "x"}', "format: this version reads format 1 alone")],
)
def test_what_is_no_plan_file_is_told(tmp_path: Path, content: str, problem: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(content, encoding="utf-8")
    result = run("check", "-", "--plan", str(plan), given="")
    assert result.exit_code == 2
    told = _told(result)
    assert "export --format plan` writes one: " in told
    assert problem in told


@pytest.mark.parametrize("form", list(Form))
def test_a_plan_is_exported_to_a_file_only_if_it_changes(project: Project, tmp_path: Path, form: Form) -> None:
    file = tmp_path / "docs" / "plan.txt"
    first = run("export", "--format", form.value, "-o", str(file))
    assert (first.exit_code, _joined(first.stdout)) == (0, f"{file} written")
    before = file.stat().st_mtime_ns, file.read_bytes()
    again = run("export", "--format", form.value, "-o", str(file))
    assert (again.exit_code, again.stdout) == (0, "")
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before
    assert sorted(file.parent.iterdir()) == [file]


def test_what_is_exported_to_standard_output_is_what_is_in_the_file(project: Project, tmp_path: Path) -> None:
    run("export", "--format", "csv", "-o", "plan.csv")
    assert run("export", "--format", "csv").stdout_bytes == tmp_path.joinpath("plan.csv").read_bytes()


def test_a_plan_file_gives_the_same_exports_as_the_code_but_for_lines(project: Project, tmp_path: Path) -> None:
    run("export", "--format", "plan", "-o", "plan.json")
    for form in (Form.PLAN, Form.JSON_SCHEMA, Form.PROTOCOLS, Form.MARKDOWN, Form.CSV, Form.TYPESCRIPT):
        of_code = run("export", "--format", form.value).stdout
        assert run("export", "--format", form.value, "--plan", "plan.json").stdout == of_code


def test_a_stale_file_is_told_and_left_alone(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    run("export", "--format", "plan", "-o", "plan.json")
    assert run("export", "--format", "plan", "-o", "plan.json", "--check").exit_code == 0
    file.write_text("{}", encoding="utf-8")
    result = run("export", "--format", "plan", "-o", "plan.json", "--check")
    assert (result.exit_code, result.stdout) == (1, "plan.json is not as the plan is\n")
    assert file.read_text(encoding="utf-8") == "{}"


def test_a_directory_gets_one_file_a_message_and_loses_those_of_messages_that_are_gone(
    project: Project, tmp_path: Path
) -> None:
    schemas = tmp_path / "schemas"
    run("export", "--format", "json-schema", "-o", "schemas")
    gone = schemas / "track-gone.json"
    gone.write_bytes(schemas.joinpath("track-invoice-paid.json").read_bytes())
    schemas.joinpath("other.json").write_text("{}", encoding="utf-8")
    result = run("export", "--format", "json-schema", "-o", "schemas")
    assert result.stdout == "schemas/track-gone.json removed\n"
    assert sorted(each.name for each in schemas.iterdir()) == [
        "other.json",
        "track-invoice-lost.json",
        "track-invoice-paid.json",
    ]


def test_a_file_that_cannot_be_written_is_told(project: Project, tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    result = run("export", "--format", "plan", "-o", "file/plan.json")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_without_a_file_there_is_nothing_to_check(project: Project) -> None:
    result = run("export", "--format", "plan", "--check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--check compares with a file: name it by --output" in _told(result)


def test_a_pipe_gets_the_text_and_stays_a_pipe(project: Project, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # there already, so that nobody waits for one
    try:
        assert run("export", "--format", "typescript", "-o", "pipe").stdout == "pipe written\n"
        assert os.read(reader, 1 << 16).startswith(b"// Made by")
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_is_not_read_to_its_end_nor_replaced(project: Project) -> None:
    """Which `/dev/full` has none of."""
    result = run("export", "--format", "plan", "-o", "/dev/full")
    assert result.exit_code == 2
    assert "/dev/full cannot be written: No space left on device" in _told(result)
    assert Path("/dev/full").is_char_device()


def test_a_source_address_that_is_none_is_told(project: Project) -> None:
    result = run("export", "--format", "html", "--source-url", "javascript:{file}")
    assert result.exit_code == 2
    assert "--source-url" in result.stderr


def test_pages_link_to_where_the_source_can_be_read(project: Project) -> None:
    url = "https://git.example/{file}#L{line}"
    assert (
        'href="https://git.example/shop/events.py#L12"' in run("export", "--format", "html", "--source-url", url).stdout
    )
    assert "(https://git.example/shop/events.py)" in run("export", "--format", "markdown", "--source-url", url).stdout


def _told(result: Result) -> str:
    """Return what was said, without the frame around it."""
    return _joined(result.output.replace("│", ""))


def _joined(text: str) -> str:
    return " ".join(text.split())


def test_a_file_of_events_that_is_not_there_is_told(project: Project) -> None:
    result = run("check", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
