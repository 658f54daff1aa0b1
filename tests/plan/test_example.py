"""The plan of the example lies in the documentation, and is that of its code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from instrument.plan.model import Plan
from tests.docs.documents import ROOT


@pytest.fixture(scope="module")
def stale() -> dict[str, str]:
    """By file, what is said of it where it is not as the plan is now; made in a process that has imported nothing else."""
    forms = {"porter-plan.json": "plan", "porter-plan.md": "markdown", "porter-plan.html": "html"}
    running = {
        name: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "instrument.cli",
                "plan",
                "export",
                "--format",
                form,
                "-o",
                f"docs/{name}",
                "--check",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, form in forms.items()
    }
    said = {name: process.communicate(timeout=120)[0] for name, process in running.items()}
    return {name: said[name] for name, process in running.items() if process.returncode}


@pytest.mark.parametrize("name", ["porter-plan.json", "porter-plan.md", "porter-plan.html"])
def test_the_plan_of_the_example_is_that_of_its_code(stale: dict[str, str], name: str) -> None:
    assert name not in stale, f"{stale[name]}: `make plan` makes it anew"


def test_it_has_every_event_of_the_example() -> None:
    plan = Plan.read(ROOT / "docs" / "porter-plan.json")
    assert [each.kind for each in plan.messages].count("track") == 47
