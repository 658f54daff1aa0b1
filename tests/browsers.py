"""A real browser for the tests of pages: any Chrome or Chromium of this machine, driven by Playwright.

The fixtures are `browser` (one a process), `browser_context` and `page` (new for each test). What a page must never do fails
its test: an error in the console, an error nobody caught, a dialog, a request to another host.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError

CHOICE = "CHROME_PATH"
"""The environment variable that names the browser to use."""

_NAMES = (
    # Without all that a window has, a page takes less than half of the processor's time.
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but this machine has an address: a page that asks for another host is found out, and does not reach it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_OWN_HOSTS = {"127.0.0.1", "localhost"}
_LOCAL_SCHEMES = {"about", "blob", "data", "file"}
_PATIENCE = 10_000.0


def installed_browser() -> str | None:
    """Return the path of the browser that the tests use; nothing where there is none."""
    chosen = os.environ.get(CHOICE)
    found = (shutil.which(name) for name in ([chosen] if chosen else _NAMES))
    return next((path for path in found if path is not None), None)


@contextmanager
def launched_browser(executable: str) -> Iterator[Browser]:
    """Run a browser without a window, on a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Hidden:
    """Playwright's event loop, out of the sight of everything that is no test of a page.

    Its synchronous interface leaves a loop running in the thread, in which no other test could then run a loop of its own.
    """

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None

    def hide(self) -> None:
        self._loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)

    def show(self) -> None:
        asyncio._set_running_loop(self._loop)


def need_browser(item: pytest.Item) -> None:
    """Skip a test of a page where there is no browser; fail it where `CI` is set, which stands for a machine that must have one."""
    if "browser" not in getattr(item, "fixturenames", ()) or installed_browser() is not None:
        return
    missing = f"no Chrome or Chromium was found: install one, or set {CHOICE} to its path"
    if os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def _hidden_browser() -> Iterator[tuple[Browser, Hidden]]:
    executable = installed_browser()
    assert executable is not None
    hidden = Hidden()
    with launched_browser(executable) as browser:
        hidden.hide()
        yield browser, hidden
        hidden.show()


@pytest.fixture
def browser(_hidden_browser: tuple[Browser, Hidden]) -> Iterator[Browser]:
    """Give the browser of this process."""
    browser, hidden = _hidden_browser
    hidden.show()
    yield browser
    hidden.hide()


@pytest.fixture
def browser_problems() -> Iterator[list[str]]:
    """Collect what a page must never do; what is left of it after the test fails it."""
    problems: list[str] = []
    yield problems
    assert problems == []


@pytest.fixture
def browser_context(browser: Browser, browser_problems: list[str]) -> Iterator[BrowserContext]:
    """Give a context of the browser without cookies, storage or cache of other tests, for pages that are watched."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(_PATIENCE)
    watch(context, browser_problems)
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    """Give an empty page that is watched."""
    from playwright.sync_api import expect

    expect.set_options(timeout=_PATIENCE)
    return browser_context.new_page()


def watch(context: BrowserContext, problems: list[str]) -> None:
    """Collect what the pages of a context must never do."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(f"error in the console: {message.text}")

    def on_error(error: WebError) -> None:
        problems.append(f"error of the page: {error.error}")

    def on_dialog(dialog: Dialog) -> None:
        problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(request: Request) -> None:
        if not _is_own(request.url):
            problems.append(f"request to another host: {request.url}")

    context.on("console", on_console)
    context.on("weberror", on_error)
    context.on("dialog", on_dialog)
    context.on("request", on_request)


def axe_problems(page: Page) -> list[str]:
    """Return what axe-core finds to be a serious or critical problem for people with disabilities: rule and elements."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[dict[str, Any]] = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['target']}: {node['failureSummary']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def _is_own(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in _LOCAL_SCHEMES or address.hostname in _OWN_HOSTS
