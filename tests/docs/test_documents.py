"""The documentation is true: its code runs, prints what is shown, and its links lead somewhere."""

from __future__ import annotations

import re
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from instrument.messages import registry
from instrument.settings import Settings
from tests.docs.documents import DOCUMENTS, ROOT, as_module, blocks, name_of, unchanging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["pytester"]

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
_TEST = re.compile(r"^(?:async )?def test_|^class \w+\(.*TestCase\)", re.MULTILINE)
TESTED = [document for document in DOCUMENTS if _TEST.search(as_module(document))]
_LINK = re.compile(r"\]\((?!https?://)(?P<file>[^)#]*)(?:#(?P<anchor>[^)]+))?\)")
_VARIABLE = re.compile(r"\bINSTRUMENT_[A-Z_]+\b")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unconfigured: None) -> Iterator[ModuleType]:
    """A module `app` for the blocks of one document, whose declarations and connections are forgotten after it."""
    module = ModuleType("app")
    monkeypatch.setitem(sys.modules, "app", module)
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield module
    for value in vars(module).values():
        if isinstance(value, Engine):
            value.dispose()


@each_document
def test_the_code_runs_and_prints_what_is_shown(document: Path, module: ModuleType) -> None:
    printed = ""
    for block in blocks(document):
        if block.is_run:
            printed = block.run(module)
        elif block.comment == "output" and document.name != "tutorial.md":  # that is followed in test_tutorial.py
            assert unchanging(printed) == unchanging(block.code), f"{document}:{block.line}"


@pytest.mark.parametrize("document", TESTED, ids=name_of)
def test_the_tests_shown_pass(document: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
    """)
    pytester.path.joinpath("test_shown.py").write_text(as_module(document), encoding="utf-8")
    without = [f"-pno:{name}" for name in ("randomly", "hypothesispytest", "anyio", "cacheprovider")]
    result = pytester.runpytest_subprocess(*without, "-q", timeout=120)
    shown = len(_TEST.findall(as_module(document)))
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] >= shown


@each_document
def test_few_blocks_are_left_out_and_each_says_why(document: Path) -> None:
    skipped = [block for block in blocks(document) if block.comment.startswith("skip:")]
    assert all(block.comment.removeprefix("skip:").strip() for block in skipped)
    assert len(skipped) <= 2


@each_document
def test_a_file_that_is_shown_is_as_it_stands(document: Path) -> None:
    for block in blocks(document):
        if block.comment.startswith("file:"):
            file = ROOT / block.comment.removeprefix("file:").strip()
            assert block.code == file.read_text(encoding="utf-8"), f"{document}:{block.line}"
            assert len(block.code.splitlines()) < 50


@each_document
def test_variables_of_the_environment_are_those_that_are_read(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert set(_VARIABLE.findall(text)) <= _variables()


@each_document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for link in _LINK.finditer(document.read_text(encoding="utf-8")):
        target = (document.parent / link["file"]).resolve() if link["file"] else document
        assert target.exists(), link[0]
        if link["anchor"]:
            assert link["anchor"] in _anchors(target), link[0]


def test_every_document_is_reached_by_links_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        document = ahead.pop()
        if document not in reached and document.suffix == ".md":
            reached.add(document)
            links = _LINK.finditer(document.read_text(encoding="utf-8"))
            ahead += [(document.parent / link["file"]).resolve() for link in links if link["file"]]
    assert set(DOCUMENTS) <= reached


@cache
def _variables() -> frozenset[str]:
    """Every variable that a module of the package names, and those of the settings."""
    modules = [ROOT / "instrument_pytest.py", *(ROOT / "instrument").rglob("*.py")]
    named = {name for module in modules for name in _VARIABLE.findall(module.read_text(encoding="utf-8"))}
    return frozenset(named | {f"INSTRUMENT_{name.upper()}" for name in Settings.model_fields})


def _anchors(document: Path) -> set[str]:
    headings = _HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
