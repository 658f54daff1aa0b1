"""The debugger's page under more events than anybody reads, and over a debugger that goes away."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import requests
from playwright.sync_api import expect

from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from tests.debugger.pages import DECLARED, DebuggerPage, send, track

if TYPE_CHECKING:
    from playwright.sync_api import Page

_MANY = 12_000
_MOST = 10_500
"""How many events the page keeps at most: those of the debugger, and a few, so that room is made for many at once."""
_ELEMENTS = "() => document.querySelectorAll('*').length"


def import_many(debugger: Debugger, number: int) -> None:
    lines = "\n".join(
        json.dumps({"type": "identify", "userId": str(user), "messageId": str(user)}) for user in range(number)
    )
    assert requests.post(f"{debugger.url}/api/import", data=lines, timeout=60).json()["imported"] == number


def test_many_events_are_counted_and_few_are_elements(watched: Debugger, shown: DebuggerPage) -> None:
    page = shown.page
    import_many(watched, _MANY)
    expect(page.locator(f"#event-{_MANY}")).to_be_visible(timeout=30_000)
    expect(page.locator("#forgotten")).not_to_be_empty()
    kept, forgotten = (_number(page.locator(each).inner_text()) for each in ("#shown", "#forgotten"))
    assert kept + forgotten == _MANY
    assert kept <= _MOST
    assert page.evaluate(_ELEMENTS) < 1500
    page.get_by_role("listbox").press("End")
    expect(page.get_by_role("listbox")).to_have_attribute("aria-activedescendant", f"event-{forgotten + 1}")
    page.fill("#filter-user", f"={_MANY - 1}")
    shown.expect_numbers(_MANY)
    page.fill("#filter-user", "")
    page.get_by_role("button", name="Timeline").click()
    page.select_option("#timeline-by", "user")
    expect(page.locator(".card")).to_have_count(15)
    assert page.evaluate(_ELEMENTS) < 1500


def _number(text: str) -> int:
    found = re.search(r"[\d,]+", text)
    assert found is not None
    return int(found[0].replace(",", ""))


_RARE_FRAMES = """() => {
    const request = window.requestAnimationFrame;
    window.requestAnimationFrame = (work) => setTimeout(() => request(work), 500);
}"""


def test_a_debugger_that_comes_back_is_followed_again(page: Page, browser_problems: list[str]) -> None:
    with Debugger(Catalog(DECLARED), port=0) as first:
        page.goto(first.url)
        shown = DebuggerPage(page)
        send(first, track(), track())
        shown.expect_numbers(2, 1)
        port = int(first.url.rpartition(":")[2])
    page.evaluate(
        _RARE_FRAMES
    )  # as on a busy machine: the old events go and the new ones come before the page is drawn
    expect(page.locator("#connection-text")).to_have_text("connection lost")
    shown.expect_numbers(2, 1)
    with Debugger(Catalog(DECLARED), port=port) as second:
        send(second, track("Debugged Cart Emptied", properties={"shop_id": 3}))
        expect(page.locator("#connection-text")).to_have_text("live")
        shown.expect_numbers(1)
        expect(shown.titles).to_have_text("Debugged Cart Emptied")
        page.goto("about:blank")
    unreached = [each for each in browser_problems if "ERR_CONNECTION_REFUSED" in each]
    assert browser_problems == unreached
    browser_problems.clear()
