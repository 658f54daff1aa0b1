"""A debugger that knows the declared messages of these tests, and its page in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from tests.debugger.pages import DECLARED, DebuggerPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


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
