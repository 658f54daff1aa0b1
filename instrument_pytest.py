"""The pytest plugin: the `tracked` fixture, and no test that sends anything.

A module of its own, so that pytest, which imports every installed plugin, imports nothing of the package
before a test uses it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder

_MARKER = "instrument_delivery"
# As in instrument.delivery.destination: read by every client, also in processes that a test starts.
_NO_NETWORK = "INSTRUMENT_NO_NETWORK"


def pytest_configure(config: pytest.Config) -> None:
    """Forbid sending, and declare the marker that allows it."""
    config.addinivalue_line("markers", f"{_MARKER}: let the clients of this test send, which no test does otherwise.")
    os.environ[_NO_NETWORK] = "pytest"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Lift the ban around a marked test, its fixtures included."""
    if item.get_closest_marker(_MARKER) is None:
        return (yield)
    banned = os.environ.pop(_NO_NETWORK, None)
    _forget_default_client()
    try:
        return (yield)
    finally:
        _forget_default_client()
        if banned is not None:
            os.environ[_NO_NETWORK] = banned


@pytest.fixture
def tracked() -> Iterator[Recorder]:
    """Record the messages of a test, in strict mode: `assert tracked.events == [...]`."""
    from instrument.testing import recording  # noqa: PLC0415 - nothing of the package is imported before

    with recording() as recorder:
        yield recorder


def _forget_default_client() -> None:
    client = sys.modules.get("instrument.client")
    if client is not None:
        before = client.swap_default_client(None)
        if before is not None:
            before.close()
