"""The tests that segment-analytics-python ships with, run against our client: those pass that look at it from outside."""

from __future__ import annotations

import sys
import unittest
import unittest.mock
from typing import TYPE_CHECKING, Any

import pytest

import instrument.compat.segment as ours
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.instrument_delivery

LOOK_INSIDE = {
    "test_default_timeout_15": "client.consumers",
    "test_flush": "client.queue",
    "test_proxies": "the session of segment.analytics.request",
    "test_shutdown": "client.queue",
    "test_synchronous": "client.consumers",
    "test_user_defined_timeout": "client.consumers",
    "test_user_defined_upload_size": "Consumer.request",
}
"""By the name of a test, what it looks at that is not there."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Collector]:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("INSTRUMENT_DURABILITY", "memory")
    monkeypatch.setenv("INSTRUMENT_FLUSH_TIMEOUT", "0.1")
    monkeypatch.setitem(sys.modules, "mock", unittest.mock)
    with Collector() as running:
        yield running


@pytest.fixture
def made(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ours.Client]]:
    """Every client of ours, each of which sends to the collector and is closed after the test."""
    clients: list[ours.Client] = []
    initialize = ours.Client.__init__

    def remembered(self: ours.Client, *args: Any, **kwargs: Any) -> None:
        kwargs["host"] = kwargs.get("host") or collector.url  # never Segment itself
        initialize(self, *args, **kwargs)
        clients.append(self)

    monkeypatch.setattr(ours.Client, "__init__", remembered)
    yield clients
    for each in clients:
        each.join()


def outcomes(module: ModuleType) -> dict[str, str]:
    """Run the tests of a module; return what went wrong by the name of the test."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    assert result.testsRun > 5
    return {test.id().rpartition(".")[2]: trace for test, trace in (*result.failures, *result.errors)}


@pytest.mark.usefixtures("made")
def test_those_of_the_client_pass_that_look_at_it_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("segment.analytics.test.test_client")
    monkeypatch.setattr(module, "Client", ours.Client)
    failed = outcomes(module)
    assert failed.keys() == LOOK_INSIDE.keys(), "\n".join(failed.values())


@pytest.mark.usefixtures("made")
def test_those_of_the_module_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("segment.analytics.test.test_module")
    monkeypatch.setattr(module, "analytics", ours)
    for name in ("write_key", "host", "on_error", "debug", "default_client"):
        monkeypatch.setattr(ours, name, getattr(ours, name))
    monkeypatch.setattr(ours, "default_client", None)
    assert outcomes(module) == {}
