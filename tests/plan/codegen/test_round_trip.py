"""What is exported can be made into classes again, of which the same is exported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instrument.plan.collect import plan_of
from instrument.plan.exports import json_schema, protocols, spreadsheet
from instrument.plan.project import Project
from tests.plan.codegen.made import ROOT, Workshop
from tests.plan.plans import HOSTILE, PLAN, hostile_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.plan.model import Plan, PlannedMessage

FORMS = ["plan.json", "schema.json", "protocols.json", "table.csv", "each"]
each_form = pytest.mark.parametrize("form", FORMS)


def _export(root: Path, target: Path) -> Path:
    """Export the plan of examples.porter.analytics below a root, and return the file that was imported."""
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("exporting.py")), str(root), str(target)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return Path(ran.stdout)


def _files(directory: Path) -> dict[str, bytes]:
    return {str(each.relative_to(directory)): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is exported of the example, in every form."""
    target = tmp_path_factory.mktemp("exported")
    _export(ROOT, target)
    return target


@each_form
def test_the_plan_of_the_example_comes_back_byte_for_byte(
    workshop: Workshop, exported: Path, form: str, tmp_path: Path
) -> None:
    package = tmp_path / "examples" / "porter" / "analytics"
    result = workshop.run("plan", "codegen", str(exported / form), "-o", str(package))
    assert result.exit_code == 0, result.output
    assert "note: " not in result.output
    for each in (package.parent, package.parent.parent):
        (each / "__init__.py").touch()
    imported = _export(tmp_path, tmp_path / "again")
    assert imported == package / "__init__.py"
    assert _files(tmp_path / "again") == _files(exported)


_WRITTEN: dict[str, Callable[[Plan], str]] = {
    "plan.json": lambda plan: plan.to_json(),
    "schema.json": json_schema.document,
    "protocols.json": protocols.document,
    "table.csv": spreadsheet.document,
}


def _written(plan: Plan, form: str, directory: Path) -> Path:
    path = directory / form
    if form == "each":
        path.mkdir()
        for name, text in json_schema.documents(plan).items():
            (path / name).write_text(text, encoding="utf-8")
    else:
        path.write_text(_WRITTEN[form](plan), encoding="utf-8", newline="")
    return path


def _facts(message: PlannedMessage) -> dict[str, object]:
    """What has to come back of a message, whatever its form: types that JSON Schema has no classes for may change."""
    return {
        **message.model_dump(
            include={"kind", "name", "class_name", "doc", "owner", "deprecated", "category", "scopes"}
        ),
        "fields": [
            each.model_dump(include={"key", "name", "required", "description", "deprecated", "pii", "scope"})
            for each in message.fields
        ],
    }


@each_form
def test_scopes_owners_deprecations_and_personal_data_come_back(workshop: Workshop, form: str, tmp_path: Path) -> None:
    workshop.codegen(_written(PLAN, form, tmp_path))
    with workshop.imported() as messages:
        again = plan_of(messages.values(), Project(root=tmp_path, packages=(workshop.name,), name="shop"))
    assert {each.title: _facts(each) for each in again.messages} == {each.title: _facts(each) for each in PLAN.messages}
    assert [(each.name, each.bases, each.doc) for each in again.scopes] == [
        (each.name, each.bases, each.doc) for each in PLAN.scopes
    ]


def test_classes_of_every_kind_pass_the_checks(workshop: Workshop, tmp_path: Path) -> None:
    workshop.codegen(_written(PLAN, "plan.json", tmp_path))
    assert set(workshop.files()) == {"__init__.py", "events.py", "objects.py", "pages.py", "scopes.py"}
    workshop.check()


@each_form
def test_no_text_of_a_plan_gets_out_of_its_place(workshop: Workshop, form: str, tmp_path: Path) -> None:
    # A table keeps no line ends and control characters, and has a semicolon between the names of scopes.
    texts = [each for each in HOSTILE if form != "table.csv" or (each.isprintable() and "; " not in each)]
    plans = list(map(hostile_plan, texts))
    plan = plans[0].model_copy(
        update={
            "scopes": tuple(scope for each in plans for scope in each.scopes),
            "messages": tuple(
                message.model_copy(update={"class_name": f"{message.class_name}{index}"})
                for index, each in enumerate(plans)
                for message in each.messages
                if message.kind == "track"
            ),
        }
    )
    result = workshop.codegen(_written(plan, form, tmp_path))
    assert result.exit_code == 0, result.output
    with workshop.imported() as messages:
        names = {each.__declaration__.name for each in messages.values() if each.__declaration__}
    assert names == set(texts)
