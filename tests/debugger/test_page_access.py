"""The debugger's page by keyboard, for screen readers, on narrow screens, in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from tests.browsers import axe_problems
from tests.debugger.pages import noted, send, track

if TYPE_CHECKING:
    from instrument.debugger.server import Debugger
    from tests.debugger.pages import DebuggerPage


@pytest.fixture
def varied(watched: Debugger, shown: DebuggerPage) -> DebuggerPage:
    """The page with an event of each kind, one of them open."""
    origins = {"user_id": "request scope 'user_id'", "shop_id": "argument 'shop_id'"}
    send(
        watched,
        track(messageId="one", **noted(request="first", handler="shop:place", place="shop.py:1", provenance=origins)),
        track("Nobody Declares This", **noted(request="first")),
        track(**noted(fate={"status": "refused", "reason": "no user"})),
        track(**noted(fate={"status": "dropped", "reason": "the queue is full"}, late=True)),
        track(messageId="one"),
        track(properties={"shop_id": 3, "amount": "much"}, **noted(request="first", provenance=origins)),
    )
    shown.expect_numbers(6, 5, 4, 3, 2, 1)
    return shown


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_problem(varied: DebuggerPage, theme: Literal["light", "dark"]) -> None:
    page = varied.page
    page.emulate_media(color_scheme=theme)
    varied.open(4)
    assert axe_problems(page) == []
    varied.open(1).get_by_role("button", name="Compare").click()
    varied.mark("Invalid").click()
    varied.open(6)
    expect(page.get_by_role("region", name="Comparison")).to_be_visible()
    page.get_by_role("button", name="Timeline").click()
    expect(page.locator(".card")).to_have_count(1)
    assert axe_problems(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_problem_without_events_nor_in_the_dialog(
    shown: DebuggerPage, theme: Literal["light", "dark"]
) -> None:
    shown.page.emulate_media(color_scheme=theme)
    expect(shown.page.get_by_role("heading", name="No events yet")).to_be_visible()
    assert axe_problems(shown.page) == []
    shown.page.keyboard.press("?")
    expect(shown.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert axe_problems(shown.page) == []


def test_the_list_is_gone_through_by_keys(varied: DebuggerPage) -> None:
    number = varied.details.locator(".details-header .number")
    listbox = varied.page.get_by_role("listbox")
    listbox.focus()
    for key, reached in {"ArrowDown": 6, "j": 5, "End": 1, "k": 2, "ArrowUp": 3, "Home": 6, "PageDown": 1}.items():
        varied.page.keyboard.press(key)
        expect(listbox).to_have_attribute("aria-activedescendant", f"event-{reached}")
    varied.page.keyboard.press("Enter")
    expect(number).to_have_text("#1")
    varied.page.keyboard.press("Escape")
    expect(varied.page.get_by_role("heading", name="No event is chosen")).to_be_visible()


def test_the_timeline_is_gone_through_by_keys(varied: DebuggerPage) -> None:
    page, number = varied.page, varied.details.locator(".details-header .number")
    page.keyboard.press("t")
    expect(page.locator(".card")).to_have_count(1)
    for key, reached in (("j", "#1"), ("j", "#2"), ("k", "#1"), ("j", "#2")):
        page.keyboard.press(key)
        expect(number).to_have_text(reached)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(number).to_have_text("#6")


def test_the_focus_can_be_seen(varied: DebuggerPage) -> None:
    page = varied.page
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "() => [document.activeElement.id || document.activeElement.textContent.trim(),"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert {"filter-text", "filter-kind", "theme", "import"} <= {name for name, _ in seen}
    assert {outline for _, outline in seen} == {"solid"}


def test_single_keys_do_what_buttons_do(varied: DebuggerPage) -> None:
    page = varied.page
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("xpt")
    expect(page.get_by_role("searchbox")).to_have_value("xpt")
    page.keyboard.press("Enter")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Timeline")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("t")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("g")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("y")
    expect(varied.notice).to_have_text("Choose an event first.")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.keyboard.press("j")
    expect(page.get_by_role("region", name="Comparison")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Comparison")).to_be_hidden()


def test_single_keys_can_be_switched_off_for_good(shown: DebuggerPage) -> None:
    page = shown.page
    page.keyboard.press("?")
    page.get_by_label("Single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Timeline")).to_have_attribute("aria-pressed", "false")


def test_the_theme_is_the_systems_until_it_is_chosen(shown: DebuggerPage) -> None:
    page = shown.page
    ground = "() => getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.get_by_role("button", name="Theme: system").click()
    assert page.evaluate(ground) == light
    page.get_by_role("button", name="Theme: light").click()
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == dark
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) == dark


def test_on_a_narrow_screen_an_event_takes_the_place_of_the_list(varied: DebuggerPage) -> None:
    page = varied.page
    page.set_viewport_size({"width": 380, "height": 700})
    expect(varied.details).to_be_hidden()
    assert _overflow(page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")) == 0
    page.locator("#event-6").click()
    expect(varied.details).to_be_visible()
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(varied.details.locator("h2")).to_be_focused()
    assert _overflow(page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")) == 0
    page.get_by_role("button", name="Events", exact=True).first.click()
    expect(page.get_by_role("listbox")).to_be_focused()
    page.get_by_role("button", name="More filters").click()
    page.select_option("#filter-kind", "track")
    varied.expect_numbers(6, 5, 4, 3, 2, 1)
    for tool in ("Import", "Clear", "Keyboard shortcuts"):
        expect(page.get_by_role("button", name=tool)).to_be_in_viewport(ratio=1)


def _overflow(widths: list[int]) -> int:
    return max(0, widths[0] - widths[1])
