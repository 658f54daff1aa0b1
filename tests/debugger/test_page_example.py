"""The example application in debug mode, and the debugger's page beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from examples.porter.demo import Users, application
from examples.porter.scenario import STEPS
from instrument import Identify
from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from instrument.messages import declared_messages
from instrument.testing import Collector
from tests.debugger.pages import DebuggerPage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

_STEPS = STEPS[:4]


@pytest.mark.instrument_delivery
def test_each_event_of_the_example_is_shown_as_its_plan_has_it(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [each for each in declared_messages() if each.__module__.startswith("examples.porter.")]
    with Debugger(Catalog(models), port=0) as debugger, Collector() as collector:
        monkeypatch.setenv("INSTRUMENT_DEBUG_PORT", debugger.url.rpartition(":")[2])
        page.goto(debugger.url)
        shown = DebuggerPage(page)
        with application(collector, tmp_path) as url:
            users = Users(url)
            sent = []
            for step in _STEPS:
                assert users.send(step) == step.status
                sent += ["identify" if isinstance(each, Identify) else each.event for each in step.messages]
                expect(shown.titles).to_have_text(sent[::-1])  # while the application runs
        expect(shown.mark(f"Valid {len(sent)}")).to_be_visible()
        shown.open(len(sent))
        handler = shown.facts()["Handler"]
        assert handler.startswith("examples.porter.")
        assert ".py:" in handler
        assert "request scope 'user_id'" in shown.details.locator(".provenance").inner_text()
        page.goto("about:blank")
