"""The browser of the tests: what a page must never do is seen."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tests.browsers import CHOICE, axe_problems, installed_browser

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page


@pytest.fixture
def html(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_a_page_is_opened(page: Page, html: Path) -> None:
    html.write_text("<!doctype html><title>A file</title>", encoding="utf-8")
    page.goto(html.as_uri())
    assert page.title() == "A file"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('wrong')", "error in the console: wrong"),
        ("setTimeout(() => { throw new Error('wrong') })", "error of the page: wrong"),
        ("alert('wrong')", "dialog: wrong"),
        ("fetch('http://elsewhere.example/').catch(() => 0)", "request to another host: http://elsewhere.example/"),
    ],
)
def test_what_a_page_must_never_do_is_seen(
    page: Page, browser_problems: list[str], html: Path, script: str, problem: str
) -> None:
    html.write_text(f"<!doctype html><title>A file</title><script>{script}</script>", encoding="utf-8")
    page.goto(html.as_uri())
    deadline = monotonic() + 10
    while not browser_problems and monotonic() < deadline:
        page.wait_for_timeout(5)  # which lets events arrive
    assert browser_problems[0].startswith(problem)
    page.context.close()
    browser_problems.clear()


def test_a_text_without_contrast_is_a_serious_problem(page: Page) -> None:
    page.set_content("<!doctype html><html lang=en><title>A</title><main><h1 style='color:#eee'>Pale</h1></main>")
    (problem,) = axe_problems(page)
    assert problem.startswith("color-contrast: ['h1']")


async def test_a_loop_of_asyncio_runs_after_the_browser_was_used() -> None:
    assert asyncio.get_running_loop().is_running()


def test_the_browser_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = tmp_path / "my-browser"
    chosen.touch(mode=0o755)
    monkeypatch.setenv(CHOICE, str(chosen))
    assert installed_browser() == str(chosen)
