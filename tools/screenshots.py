"""Take the screenshots of the debugger for the README: `python -m tools.screenshots`.

They show the real page, and what the example application sends.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Literal

import requests

from examples.porter.demo import Users, application
from examples.porter.scenario import STEPS
from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from instrument.messages import declared_messages
from instrument.testing import Collector
from tests.browsers import installed_browser, launched_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
_DEPLOYED = "/srv/porter"
"""Where the example seems to lie, in place of this checkout."""
_SHOWN = "Application Launch Success"
_AWAITED = sum(len(step.messages) for step in STEPS)
_PATIENCE = 20.0
# What a service without the package would send: its plan is another team's.
_FOREIGN = [
    {"type": "track", "event": "Cluster Provisioning Success", "userId": "1", "messageId": "foreign-1"}
    | {"properties": {"proj_id": 1, "cluster_id": "one", "cluster_type": "eks"}},
    {"type": "track", "event": "clusterDeleted", "userId": "1", "messageId": "foreign-2", "properties": {"id": 1}},
]


def main() -> None:
    """Let users use the example, and photograph what the debugger shows."""
    executable = installed_browser()
    if executable is None:
        sys.exit("no Chrome or Chromium was found")
    catalog = Catalog([each for each in declared_messages() if each.__module__.startswith("examples.porter.")])
    with tempfile.TemporaryDirectory() as directory, Debugger(catalog, port=0) as debugger:
        use_the_example(debugger, Path(directory))
        with launched_browser(executable) as browser:
            photograph(browser, debugger.url, "light")
            photograph(browser, debugger.url, "dark")


def use_the_example(debugger: Debugger, directory: Path) -> None:
    """Send the requests of the example's scenario, and wait for what the debugger is told of them."""
    os.environ["INSTRUMENT_DEBUG_PORT"] = debugger.url.rpartition(":")[2]
    with Collector() as collector, application(collector, directory) as url:
        users = Users(url)
        for step in STEPS:
            users.send(step)
    until_told(debugger, _AWAITED)
    requests.post(f"{debugger.url}/v1/batch", json={"batch": _FOREIGN, "writeKey": "other"}, timeout=10)
    until_told(debugger, _AWAITED + len(_FOREIGN))


def until_told(debugger: Debugger, messages: int) -> None:
    """Wait until the debugger was told of so many messages."""
    deadline = monotonic() + _PATIENCE
    while debugger.history.last < messages:
        if monotonic() > deadline:
            sys.exit(f"the debugger was told of {debugger.history.last} messages, not {messages}")
        sleep(0.05)


def photograph(browser: Browser, url: str, theme: Literal["light", "dark"]) -> None:
    """Take one screenshot."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    page = context.new_page()
    page.route("**/api/events?*", answer_from_elsewhere)
    page.route("**/api/plan", answer_from_elsewhere)
    page.goto(url)
    page.locator(".row", has_text=_SHOWN).first.click()
    page.mouse.move(0, 0)
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"debugger-{theme}.png")
    context.close()


def answer_from_elsewhere(route: Route) -> None:
    """Answer as the debugger does, but for the place of this checkout."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace(str(ROOT), _DEPLOYED))


if __name__ == "__main__":
    main()
