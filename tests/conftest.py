"""The fixtures that tests of several folders share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browsers import _hidden_browser, browser, browser_context, browser_problems, need_browser, page

if TYPE_CHECKING:
    import pytest

__all__ = ["_hidden_browser", "browser", "browser_context", "browser_problems", "page"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    need_browser(item)
