"""The debugger's page as somebody sees it, and messages to show in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import requests
from playwright.sync_api import expect

from instrument import Scope, Track

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from instrument.debugger.server import Debugger

_PATIENCE = 10


class DebuggedUserScope(Scope):
    user_id: int


class DebuggedShopScope(DebuggedUserScope):
    shop_id: int


class DebuggedOrderPlaced(Track, DebuggedShopScope):
    """Somebody bought something."""

    amount: int
    currency: str = "EUR"


class DebuggedCartEmptied(Track, DebuggedShopScope):
    """Somebody thought better of it."""


DECLARED = (DebuggedOrderPlaced, DebuggedCartEmptied)

_numbers = count(1)


def track(event: str = "Debugged Order Placed", *, user: str = "7", **message: Any) -> dict[str, Any]:
    """Return an envelope that fits its declaration, but for what is told."""
    properties = message.pop("properties", {"shop_id": 3, "amount": 12, "currency": "EUR"})
    return {
        "type": "track",
        "event": event,
        "userId": user,
        "properties": properties,
        "messageId": f"m-{next(_numbers)}",
        "timestamp": "2026-01-02T03:04:05.678Z",
        **message,
    }


def noted(**notes: Any) -> dict[str, Any]:
    """Return the context that a client in debug mode writes its notes into."""
    return {"context": {"instrument": notes}}


def send(debugger: Debugger, *messages: dict[str, Any]) -> None:
    """Send messages as a client does."""
    body = {"batch": list(messages), "writeKey": "a-write-key"}
    assert requests.post(f"{debugger.url}/v1/batch", json=body, timeout=_PATIENCE).ok


@dataclass(frozen=True)
class DebuggerPage:
    """The page, open in a browser."""

    page: Page

    @property
    def rows(self) -> Locator:
        return self.page.get_by_role("listbox").get_by_role("option")

    @property
    def titles(self) -> Locator:
        return self.page.locator(".row .row-title")

    @property
    def details(self) -> Locator:
        return self.page.get_by_role("region", name="Details of the event")

    @property
    def notice(self) -> Locator:
        return self.page.locator("#notices")

    def expect_numbers(self, *numbers: int) -> None:
        """Wait until the list shows these events, from the top."""
        expect(self.rows).to_have_count(len(numbers))
        for index, number in enumerate(numbers):
            expect(self.rows.nth(index)).to_have_attribute("id", f"event-{number}")

    def expect_shown(self, text: str) -> None:
        """Wait until the page counts so many events."""
        expect(self.page.locator("#shown")).to_have_text(text)

    def open(self, number: int) -> Locator:
        """Open an event; return its details."""
        self.page.locator(f"#event-{number}").click()
        expect(self.details.locator(".details-header .number")).to_have_text(f"#{number:,}")
        return self.details

    def facts(self) -> dict[str, str]:
        """Return the facts of the details by name."""
        names, values = self.details.locator("dl.facts dt"), self.details.locator("dl.facts dd")
        return dict(zip(names.all_inner_texts(), values.all_inner_texts(), strict=True))

    def mark(self, name: str) -> Locator:
        """Return the button that shows only events with a mark."""
        return self.page.get_by_role("group", name="Only events that are").get_by_role("button", name=name)
