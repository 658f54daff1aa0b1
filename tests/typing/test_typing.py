"""Type checkers see what the package means: mypy and pyright over snippets that must pass, and others that must fail.

Each bad line of a snippet in `rejected` ends with `# error: <mypy's codes>`, and both checkers must complain there and
nowhere else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SNIPPETS = sorted([*HERE.glob("accepted/*.py"), *HERE.glob("rejected/*.py")])

Found = set[tuple[str, int, str]]
"""By file and line, what is wrong there."""


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _expected() -> Found:
    return {
        (_name(path), number, code)
        for path in SNIPPETS
        if path.parent.name == "rejected"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for mark in re.findall(r"# error: (.+)$", line)
        for code in mark.split(", ")
    }


def _lines(found: Found) -> set[tuple[str, int]]:
    return {(file, line) for file, line, _ in found}


def _run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def _by_mypy() -> Found:
    output = _run("mypy", "--strict", "--output", "json", *(str(path.relative_to(ROOT)) for path in SNIPPETS))
    errors: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    return {
        (_name(Path(error["file"])), error["line"], error["code"])
        for error in errors
        if error["severity"] == "error" and ROOT / error["file"] in SNIPPETS
    }


def _by_pyright() -> Found:
    output = _run("pyright", "--outputjson", "--project", str(HERE), "--pythonpath", sys.executable)
    errors: list[dict[str, Any]] = json.loads(output)["generalDiagnostics"]
    return {
        (_name(Path(error["file"])), error["range"]["start"]["line"] + 1, error["message"])
        for error in errors
        if error["severity"] == "error"
    }


def test_mypy_complains_of_every_bad_line_and_of_no_other() -> None:
    expected, found = _expected(), _by_mypy()
    # Of a line with several codes mypy does not always say all.
    assert (found - expected, _lines(expected) - _lines(found)) == (set(), set())


def test_pyright_complains_of_every_bad_line_and_of_no_other() -> None:
    expected, found = _expected(), _by_pyright()
    unexpected = {each for each in found if each[:2] not in _lines(expected)}
    assert (unexpected, _lines(expected) - _lines(found)) == (set(), set())


@pytest.mark.parametrize("path", [path for path in SNIPPETS if path.parent.name == "rejected"], ids=_name)
def test_a_snippet_that_must_fail_has_bad_lines(path: Path) -> None:
    assert any(file == _name(path) for file, _, _ in _expected())
