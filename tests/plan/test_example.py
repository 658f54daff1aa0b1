"""The plan of the example lies in the documentation, and is that of its code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from instrument.plan.model import Plan
from tests.docs.documents import ROOT

FILES = {"porter-plan.json": "plan", "porter-plan.md": "markdown", "porter-plan.html": "html"}

_EXPORTING = """
import json, sys
from pathlib import Path
from instrument.plan.collect import collect
from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.forms import Form, exported
from instrument.plan.project import find_project

project = find_project(Path.cwd())
plan = collect(project)
files = json.loads(sys.argv[1])
print(json.dumps({
    name: exported(plan, Form(form), CodeLinks.beside(Path("docs", name), project.root)) for name, form in files.items()
}))
"""


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """By file, what is made of the plan now, in a process that has imported nothing else."""
    command = [sys.executable, "-c", _EXPORTING, json.dumps(FILES)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    texts: dict[str, str] = json.loads(done.stdout)
    return texts


@pytest.mark.parametrize("name", FILES)
def test_the_plan_of_the_example_is_that_of_its_code(made: dict[str, str], name: str) -> None:
    lies_there = ROOT.joinpath("docs", name).read_text(encoding="utf-8")
    assert lies_there == made[name], f"docs/{name} is stale: `make plan` makes it anew"


def test_it_has_every_event_of_the_example() -> None:
    plan = Plan.read(ROOT / "docs" / "porter-plan.json")
    assert [each.kind for each in plan.messages].count("track") == 47
