"""Every cell of the table in docs/integrations.md is backed by tests that there are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = re.compile(r"^\| framework \|.*?\n\n", re.MULTILINE | re.DOTALL)
MODULES = {
    "any of ASGI": "asgi",
    "Starlette": "starlette",
    "FastAPI": "fastapi",
    "Litestar": "litestar",
    "Quart": "quart",
    "any of WSGI": "wsgi",
    "Flask": "flask",
    "Django, WSGI": "django",
    "Django, ASGI": "django",
}
OF_NO_FRAMEWORK = {"asgi", "wsgi"}


def _rows(table: str) -> list[list[str]]:
    lines = table.strip().splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in [lines[0], *lines[2:]]]


FRAMEWORKS, TESTS = (
    _rows(match[0]) for match in TABLE.finditer((ROOT / "docs" / "integrations.md").read_text(encoding="utf-8") + "\n")
)


def test_every_cell_is_backed_by_a_test_and_every_test_backs_a_cell() -> None:
    (_, *columns), *rows = FRAMEWORKS
    cells = {
        (name, column) for name, *cells in rows for column, cell in zip(columns, cells, strict=True) if cell != "—"
    }
    assert {(name, column) for name, column, _ in TESTS[1:]} == cells


def test_every_test_that_is_named_is_there() -> None:
    files = [f"tests/integrations/test_{name}.py" for name in ("web", "frameworks", "entry", "django")]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *files]
    collected = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {line.partition("::")[2].strip() for line in collected.splitlines()}
    of_any = {name.partition("[")[0] for name in names}
    assert [test for _, _, cell in TESTS[1:] if (test := cell.strip("`")) not in names | of_any] == []


def test_every_framework_has_a_module_an_extra_and_an_example() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    examples = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").glob("*/*.py")]
    assert [name for name, *_ in FRAMEWORKS[1:]] == list(MODULES)
    for module in {*MODULES.values(), "executors", "baggage"}:
        assert (ROOT / "instrument" / "integrations" / f"{module}.py").exists()
        assert any(f"from instrument.integrations.{module} import" in example for example in examples), module
    for module in set(MODULES.values()) - OF_NO_FRAMEWORK:
        assert re.search(rf"^{module} = \[", project, re.MULTILINE), module


@pytest.mark.parametrize("module", sorted({*MODULES.values(), "entry", "executors", "baggage"}))
def test_a_module_imports_no_framework_but_its_own(module: str) -> None:
    tree = ast.parse((ROOT / "instrument" / "integrations" / f"{module}.py").read_text(encoding="utf-8"))
    imported = {name.partition(".")[0] for node in ast.walk(tree) for name in _imported(node)}
    of_the_language = {*sys.stdlib_module_names, "_typeshed", "instrument", "typing_extensions"}
    own = {"django": {"django", "asgiref"}, "entry": set(), "executors": set(), "baggage": {"pydantic"}}
    expected = set() if module in OF_NO_FRAMEWORK else own.get(module, {module})
    assert imported - of_the_language == expected


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
