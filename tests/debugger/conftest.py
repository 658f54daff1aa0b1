"""A debugger that knows the declared messages of these tests, and its page in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from tests.debugger.asked import Asked
from tests.debugger.pages import DECLARED, DebuggerPage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from playwright.sync_api import Page

    from instrument.debugger.history import History


@pytest.fixture
def watched() -> Iterator[Debugger]:
    """A debugger that is listening."""
    with Debugger(Catalog(DECLARED), port=0) as debugger:
        yield debugger


@pytest.fixture
def shown(watched: Debugger, page: Page) -> Iterator[DebuggerPage]:
    """The page of that debugger."""
    page.goto(watched.url)
    yield DebuggerPage(page)
    page.goto("about:blank")  # so that the stream is closed before the debugger is


@pytest.fixture
def start() -> Iterator[Callable[..., Asked]]:
    """Start a debugger; it ends with the test."""
    running: list[Debugger] = []

    def start(
        catalog: Catalog | None = None,
        *,
        port: int = 0,
        allowed: Collection[str] = (),
        history: History | None = None,
    ) -> Asked:
        debugger = Debugger(catalog, port=port, allowed=allowed, history=history).__enter__()
        running.append(debugger)
        return Asked(debugger.url)

    yield start
    for debugger in running:
        debugger.__exit__()


@pytest.fixture
def debugger(start: Callable[..., Asked]) -> Asked:
    """A debugger to which nothing is declared."""
    return start()
