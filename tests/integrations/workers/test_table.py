"""Every cell of the table in docs/workers.md is backed by tests that there are."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TABLE = re.compile(r"^\| framework \|.*?\n\n", re.MULTILINE | re.DOTALL)
MODULES = {
    "Celery": "celery",
    "RQ": "rq",
    "Dramatiq": "dramatiq",
    "APScheduler": "apscheduler",
    "AWS Lambda": "awslambda",
    "Click": "click",
    "Typer": "typer",
    "gRPC": "grpc",
}


def tables() -> tuple[list[list[str]], list[list[str]]]:
    document = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8") + "\n"
    frameworks, tests = (_rows(match[0]) for match in TABLE.finditer(document))
    return frameworks, tests


def _rows(table: str) -> list[list[str]]:
    lines = table.strip().splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in [lines[0], *lines[2:]]]


def sources() -> dict[str, str]:
    files = [
        *(ROOT / "tests" / "integrations" / "workers").glob("test_*.py"),
        *(ROOT / "examples").glob("*/tests/*.py"),
    ]
    return {str(file): file.read_text(encoding="utf-8") for file in files}


def test_every_cell_is_backed_by_a_test_and_every_test_backs_a_cell() -> None:
    (_, *columns), *rows = tables()[0]
    cells = {
        (name, column) for name, *cells in rows for column, cell in zip(columns, cells, strict=True) if cell != "—"
    }
    assert {(name, column) for name, column, _ in tables()[1][1:]} == cells


@pytest.mark.parametrize(("framework", "test"), sorted({(row[0], row[2].strip("`")) for row in tables()[1][1:]}))
def test_the_named_test_is_there_and_is_about_the_framework(framework: str, test: str) -> None:
    [source] = [
        source for source in sources().values() if re.search(rf"^ *(?:async )?def {test}\(", source, re.MULTILINE)
    ]
    assert MODULES[framework].removeprefix("aws") in source


def test_every_framework_has_a_module_an_extra_and_an_example() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    examples = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").glob("*/*.py")]
    assert [name for name, *_ in tables()[0][1:]] == list(MODULES)
    for module in MODULES.values():
        assert (ROOT / "instrument" / "integrations" / f"{module}.py").exists()
        assert module == "awslambda" or re.search(rf"^{module} = \[", project, re.MULTILINE)
        assert any(f"from instrument.integrations.{module} import" in example for example in examples), module


@pytest.mark.parametrize("module", MODULES.values())
def test_a_module_imports_no_framework_but_its_own(module: str) -> None:
    tree = ast.parse((ROOT / "instrument" / "integrations" / f"{module}.py").read_text(encoding="utf-8"))
    imported = {name.partition(".")[0] for node in ast.walk(tree) for name in _imported(node)}
    assert imported - sys.stdlib_module_names - {"instrument", "typing_extensions"} == {module} - {"awslambda"}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
