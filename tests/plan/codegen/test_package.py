"""The package on disk: made again without a change, and never at the cost of what is written by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plan.codegen.made import plan_of, rule

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop

OPENED = rule(
    "Opened", {"door": {"type": "string"}, "addresses": {"type": "array", "items": {"properties": {"a": {}}}}}
)
CLOSED = rule("Closed", {"door": {"type": "string"}})


def test_a_second_run_changes_nothing(workshop: Workshop) -> None:
    workshop.made(plan_of(OPENED, CLOSED))
    before = workshop.files()
    times = {path: path.stat().st_mtime_ns for path in workshop.package.iterdir()}
    result = workshop.codegen(plan_of(OPENED, CLOSED))
    assert (result.exit_code, result.output) == (0, f"{workshop.package}: 2 messages, nothing to do\n")
    assert workshop.files() == before
    assert {path: path.stat().st_mtime_ns for path in workshop.package.iterdir()} == times


def test_a_first_run_says_what_it_made(workshop: Workshop) -> None:
    result = workshop.codegen(plan_of(CLOSED))
    package = workshop.package
    assert result.output.splitlines() == [
        "added: Closed",
        f"written: {package / '__init__.py'}",
        f"written: {package / 'events.py'}",
        f"written: {package / 'scopes.py'}",
        f"{package}: 1 message",
    ]


def test_the_header_names_the_command_and_the_plan(workshop: Workshop) -> None:
    workshop.codegen(plan_of(CLOSED), name="tracking plan.json")
    lines = (workshop.package / "events.py").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Made by `instrument plan codegen` from tracking plan.json."
    assert lines[2].startswith("# Fingerprint ")


def test_modules_written_by_hand_are_left_alone(workshop: Workshop) -> None:
    workshop.made(plan_of(OPENED))
    (workshop.package / "bindings.py").write_text("MINE = 1\n", encoding="utf-8")
    (workshop.package / "__init__.py").write_text("MINE = 2\n", encoding="utf-8")
    workshop.made(plan_of(OPENED, CLOSED))
    assert workshop.files()["bindings.py"] == b"MINE = 1\n"
    assert workshop.files()["__init__.py"] == b"MINE = 2\n"


@pytest.mark.parametrize("edit", ["\nX = 1\n", "# a comment\n", '\nclass Opened(Track, name="'])
def test_a_module_that_was_changed_by_hand_is_not_replaced(workshop: Workshop, edit: str) -> None:
    workshop.made(plan_of(OPENED))
    path = workshop.package / "events.py"
    path.write_text(path.read_text(encoding="utf-8") + edit, encoding="utf-8")
    before = workshop.files()
    result = workshop.codegen(plan_of(OPENED, CLOSED))
    assert result.exit_code == 1
    assert result.output == (
        f"{path}: it was changed by hand since it was made, which would be lost. Move the change to another module of "
        "the package, or to the plan; or give --force.\n"
    )
    assert workshop.files() == before
    assert workshop.codegen(plan_of(OPENED, CLOSED), "--force").exit_code == 0
    assert edit.encode() not in workshop.files()["events.py"]


def test_a_module_that_the_command_did_not_make_is_not_replaced(workshop: Workshop) -> None:
    workshop.package.mkdir()
    path = workshop.package / "events.py"
    path.write_text("MINE = 1\n", encoding="utf-8")
    result = workshop.codegen(plan_of(OPENED))
    assert result.exit_code == 1
    assert result.output == f"{path}: it was not made by this command. Make the package elsewhere, or give --force.\n"
    assert workshop.files() == {"events.py": b"MINE = 1\n"}


def test_a_formatter_may_have_its_way(workshop: Workshop) -> None:
    workshop.made(plan_of(OPENED))
    formatter = [sys.executable, "-m", "ruff", "format", "--no-cache", "--line-length=40", str(workshop.package)]
    subprocess.run([*formatter, "--config=format.quote-style='single'"], check=True, capture_output=True)
    assert b"(\n" in workshop.files()["events.py"]
    assert workshop.codegen(plan_of(OPENED)).exit_code == 0


def test_the_project_s_own_formatting_is_used(workshop: Workshop) -> None:
    (workshop.root / "pyproject.toml").write_text("[tool.ruff.format]\nquote-style = 'single'\n", encoding="utf-8")
    assert "'''" not in workshop.made(plan_of(rule("a b", {"B": {"type": "string"}})))
    assert "serialization_alias='B'" in workshop.source("events.py")
    before = workshop.files()
    workshop.made(plan_of(rule("a b", {"B": {"type": "string"}})))
    assert workshop.files() == before


def test_an_event_that_the_plan_has_no_more_is_removed_only_when_that_is_asked_for(workshop: Workshop) -> None:
    workshop.made(plan_of(OPENED, CLOSED))
    before = workshop.files()
    result = workshop.codegen(plan_of(CLOSED))
    assert result.exit_code == 1
    assert result.output == (
        f"{workshop.package}: the plan has these no more, and code may still use their classes:\n"
        "  track 'Opened': class Opened\n"
        "Give --prune to remove them, once nothing uses them.\n"
    )
    assert workshop.files() == before

    result = workshop.codegen(plan_of(CLOSED), "--prune")
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == "removed: Opened"
    assert "class Opened" not in workshop.source("events.py")
    assert set(workshop.files()) == {"__init__.py", "events.py", "scopes.py"}, "no objects are left"


def test_names_stay_when_the_plan_changes_its_order(workshop: Workshop) -> None:
    first = rule("Door opened", {"a b": {"type": "string"}})
    workshop.made(plan_of(first))
    workshop.made(
        plan_of(
            rule("door-opened"), rule("Door opened", {"a-b": {"type": "integer"}, **first["jsonSchema"]["properties"]})
        )
    )
    with workshop.imported() as messages:
        events = {each.__declaration__.name: name for name, each in messages.items() if each.__declaration__}
        assert events == {"door-opened": "DoorOpened2", "Door opened": "DoorOpened"}
        fields = messages["DoorOpened"].model_fields
        assert {name: fields[name].serialization_alias for name in ("a_b", "a_b2")} == {"a_b": "a b", "a_b2": "a-b"}


def test_what_cannot_be_a_package_is_refused(workshop: Workshop) -> None:
    path = workshop.plan(plan_of(OPENED))
    for name, problem in (
        ("my-events", "'my-events' cannot be the name of a package: Python could not import it"),
        ("class", "'class' cannot be the name of a package: Python could not import it"),
        ("plan.json", "it is no directory"),
        ("plan.json/below", "it is no directory"),
    ):
        result = workshop.run("plan", "codegen", str(path), "-o", str(workshop.root / name))
        assert result.exit_code == 1
        assert result.output == f"{workshop.root / name.removesuffix('/below')}: {problem}\n"
    assert [each.name for each in workshop.root.iterdir()] == ["plan.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_nothing_is_left_behind_where_the_package_cannot_be_written(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.made(plan_of(OPENED))
    before = workshop.files()
    # The disk is full when the first module is written.
    monkeypatch.setattr("instrument.plan.codegen.package.mkdtemp", lambda **_: _full(workshop.root / "temporary"))
    result = workshop.codegen(plan_of(OPENED, CLOSED))
    assert (result.exit_code, result.output) == (
        1,
        f"{workshop.package}: it cannot be written: No space left on device\n",
    )
    assert workshop.files() == before
    assert sorted(each.name for each in workshop.root.iterdir()) == [workshop.name, "plan.json"]


def _full(directory: Path) -> str:
    directory.mkdir()
    for name in ("scopes.py", "events.py", "objects.py"):
        (directory / name).symlink_to("/dev/full")
    return str(directory)


def test_directories_above_a_new_package_are_made(workshop: Workshop) -> None:
    target = workshop.root / "src" / "shop" / "analytics"
    assert workshop.run("plan", "codegen", str(workshop.plan(plan_of(OPENED))), "-o", str(target)).exit_code == 0
    assert sorted(each.name for each in target.iterdir()) == ["__init__.py", "events.py", "objects.py", "scopes.py"]
    assert not list(workshop.root.rglob(".*"))


@pytest.mark.parametrize("package", ["datamodel_code_generator", "ruff"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for each in (package, *(name for name in sys.modules if name.startswith(f"{package}."))):
        monkeypatch.setitem(sys.modules, each, None)
    result = workshop.codegen(plan_of(OPENED))
    assert result.exit_code == 2
    assert result.output == (
        f"This needs {package}, which is not installed: pip install 'instrument-analytics[codegen]'\n"
    )
    assert not workshop.package.exists()
