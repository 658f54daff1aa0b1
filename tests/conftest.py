"""The fixtures that tests of several folders share."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from instrument.client import swap_default_client
from tests.browsers import _hidden_browser, browser, browser_context, browser_problems, need_browser, page

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure.
settings.register_profile("tests", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
# As `make fuzz` has them: every test, but those that say how many examples they have, has forty times as many.
settings.register_profile("fuzz", settings.get_profile("tests"), max_examples=2_000)

__all__ = ["_hidden_browser", "browser", "browser_context", "browser_problems", "page"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Run two workers on each processor: tests that wait for processes, servers and pages leave theirs to others."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # which is for the plugin to read
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * processors


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for many seconds: at the end of a run, nothing would be left to do meanwhile.

    Workers share the tests out from the beginning and from the middle.
    """
    waiting = [each for each in items if each.get_closest_marker("waits")]
    others = [each for each in items if not each.get_closest_marker("waits")]
    middle = len(others) // 2
    items[:] = [*waiting[::2], *others[:middle], *waiting[1::2], *others[middle:]]


def pytest_collection_finish() -> None:
    """Keep the collector off what lives as long as the run: the thousands of tests, and the modules they import."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    need_browser(item)


@pytest.fixture
def unconfigured() -> Iterator[None]:
    """No default client, as in a fresh process; the one that a test makes is closed and forgotten."""
    before = swap_default_client(None)
    yield
    ours = swap_default_client(before)
    if ours is not None:
        ours.close()
