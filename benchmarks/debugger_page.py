"""The debugger's page under 1,000 events a second, in a real browser: `python -m benchmarks.debugger_page`."""

from __future__ import annotations

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.measuring import quantile
from benchmarks.table import aligned
from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from tests.browsers import installed_browser, launched_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

EVENTS = 10_000
PER_SECOND = 1_000
_BATCH = 100
_ALONE = 50
"""How many events are sent one by one, to see how long each takes to be shown."""
_WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => window.longTasks.push(duration)))
  .observe({ type: "longtask", buffered: true });
"""


def main() -> None:
    """Measure, and print a table."""
    executable = installed_browser()
    if executable is None:
        sys.exit("no Chrome or Chromium was found")
    with launched_browser(executable) as browser:
        delays = sorted(shown_after(browser))
        rows = [
            ("one event, from the request to its row: median", f"{statistics.median(delays):.0f} ms"),
            ("one event, from the request to its row: longest", f"{quantile(delays, 1):.0f} ms"),
            *(
                (f"{view}: {what}", figure)
                for view in ("Events", "Timeline")
                for what, figure in under_load(browser, view)
            ),
            *under_load_shown_again(browser),
        ]
    print(aligned(("what", "figure"), rows))


def shown_after(browser: Browser) -> Iterator[float]:
    """Yield how many milliseconds pass from before an event is sent until its row can be seen."""
    with opened(browser) as (debugger, page):
        for number in range(1, _ALONE + 1):
            start = perf_counter()
            _send(debugger, [_message(number)])
            page.locator(f"#event-{number}").wait_for(state="visible")
            yield (perf_counter() - start) * 1e3
            sleep(0.02)


def under_load(browser: Browser, view: str) -> Iterator[tuple[str, str]]:
    """Show events as they come, while somebody goes through the list."""
    with opened(browser) as (debugger, page), ThreadPoolExecutor(1) as sender:
        page.get_by_role("button", name=view, exact=True).click()
        sending = sender.submit(_send_paced, debugger)
        while not sending.done():
            page.keyboard.press("j")
            page.keyboard.press("g")  # back to the newest, which going through the list has left
            page.wait_for_timeout(100)
        start = perf_counter()
        page.locator("#shown", has_text=f"{EVENTS:,} events").wait_for()
        yield f"{EVENTS:,} events, sent in", f"{sending.result():.1f} s"
        yield "all counted after the last was sent", f"{(perf_counter() - start) * 1e3:.0f} ms"
        yield from _long_tasks(page)
        yield "elements of the page", f"{page.evaluate('() => document.querySelectorAll(`*`).length'):,}"
        yield "memory of its scripts", f"{page.evaluate('() => performance.memory.usedJSHeapSize') / (1 << 20):.0f} MiB"


def under_load_shown_again(browser: Browser) -> Iterator[tuple[str, str]]:
    """Open the page where there are as many events as are kept, and search them."""
    with opened(browser) as (debugger, page):
        for first in range(0, EVENTS, _BATCH):
            _send(debugger, [_message(number) for number in range(first, first + _BATCH)])
        start = perf_counter()
        page.reload()
        page.locator("#shown", has_text=f"{EVENTS:,} events").wait_for()
        yield f"opened with {EVENTS:,} events: all counted after", f"{(perf_counter() - start) * 1e3:.0f} ms"
        start = perf_counter()
        page.fill("#filter-text", f"order {EVENTS - 1}")
        page.locator("#shown", has_text="1 of").wait_for()
        yield f"a search in {EVENTS:,} events", f"{(perf_counter() - start) * 1e3:.0f} ms"
        for what, figure in _long_tasks(page):
            yield f"opened and searched: {what}", figure


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[Debugger, Page]]:
    """Give a debugger, and its page in a browser."""
    with Debugger(Catalog(), port=0) as debugger:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(debugger.url)
        yield debugger, page
        context.close()


def _long_tasks(page: Page) -> Iterator[tuple[str, str]]:
    durations: list[float] = page.evaluate("() => window.longTasks")
    yield "tasks of more than 50 ms", str(len(durations))
    yield "longest task", f"{max(durations):.0f} ms" if durations else "below 50 ms"


def _send_paced(debugger: Debugger) -> float:
    start = perf_counter()
    for first in range(0, EVENTS, _BATCH):
        _send(debugger, [_message(number) for number in range(first, first + _BATCH)])
        sleep(max(0.0, start + (first + _BATCH) / PER_SECOND - perf_counter()))
    return perf_counter() - start


def _send(debugger: Debugger, batch: list[dict[str, Any]]) -> None:
    requests.post(f"{debugger.url}/v1/batch", json={"batch": batch, "writeKey": "key"}, timeout=30).raise_for_status()


def _message(number: int) -> dict[str, Any]:
    notes = {"request": f"request-{number // 4}", "handler": "shop:order", "place": "/srv/shop.py:12"}
    return {
        "type": "track",
        "event": f"Order {('Placed', 'Paid', 'Sent')[number % 3]}",
        "userId": str(number % 50),
        "properties": {"order": number, "amount": 12.5, "currency": "EUR", "items": [{"sku": "a-1"}, {"sku": "b-2"}]},
        "messageId": f"message-{number}",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "context": {"library": {"name": "a-client", "version": "1"}, "instrument": notes},
    }


if __name__ == "__main__":
    main()
