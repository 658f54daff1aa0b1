"""The plan's page in a real browser, from a file, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.forms import Form, exported
from instrument.plan.model import Plan
from tests.browsers import axe_problems
from tests.plan.plans import HOSTILE, PAID, PLAN, hostile_plan

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page


def opened(page: Page, directory: Path, plan: Plan = PLAN, address: str = "") -> Page:
    """Open the page of a plan, whose code lies in the directory too."""
    file = directory / "docs" / "plan.html"
    file.parent.mkdir()
    file.write_text(exported(plan, Form.HTML, CodeLinks.beside(file, directory)), encoding="utf-8")
    page.goto(file.as_uri() + address)
    return page


def shown(page: Page) -> list[str]:
    return page.locator(".message:visible h2").all_text_contents()


def test_each_message_is_there_and_opens(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path)
    assert shown(page) == ["Known", "Start", "Invoice Paid"]
    paid = page.locator("#track-invoice-paid")
    paid.locator("summary").click()
    assert '"event": "Invoice Paid"' in paid.locator("pre").inner_text()
    row = paid.locator("tbody tr", has_text="payer")
    assert row.inner_text().split("\t") == ["payer", "string or null", "no", "own", "personal data: email Deprecated."]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("invoice", ["Invoice Paid"]),
        ("GITHUB", ["Known"]),
        ("shop.jobs:repay", ["Invoice Paid"]),
        ("billing cents", ["Invoice Paid"]),
        ("nothing like that", []),
        (" ", ["Known", "Start", "Invoice Paid"]),
    ],
)
def test_a_search_finds_names_properties_handlers_and_owners(
    page: Page, tmp_path: Path, text: str, found: list[str]
) -> None:
    opened(page, tmp_path).get_by_label("Search").fill(text)
    assert shown(page) == found
    assert page.locator("#count").inner_text() == f"{len(found)} of 3"
    assert page.locator("#nothing").is_visible() == (not found)


def test_messages_are_filtered_by_type_and_by_any_of_their_scopes(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path)
    page.get_by_label("Type").select_option("page")
    assert shown(page) == ["Start"]
    page.get_by_label("Type").select_option("")
    page.get_by_label("Scope").select_option("ShopScope")
    assert shown(page) == ["Invoice Paid"]
    page.get_by_label("Scope").select_option("UserScope")
    assert shown(page) == ["Known", "Start", "Invoice Paid"]


def test_everything_can_be_done_by_the_keyboard(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path)
    page.keyboard.press("/")
    page.keyboard.type("paid")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#track-invoice-paid").get_attribute("open") is not None
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Escape")
    assert len(shown(page)) == 3


def test_a_large_plan_is_shown_whole_again_after_a_search(page: Page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    many = [PAID.model_copy(update={"name": f"Paid {each:03}", "class_name": f"Paid{each}"}) for each in range(900)]
    opened(page, tmp_path, PLAN.model_copy(update={"messages": tuple(many)}))
    page.get_by_label("Search").fill("Paid 899")
    assert shown(page) == ["Paid 899"]
    page.keyboard.press("Escape")
    assert page.locator("#count").inner_text() == "900 of 900"
    expect(page.locator(".message:not([hidden])")).to_have_count(900)
    page.get_by_label("Search").fill("Paid 899")
    page.evaluate("location.hash = '#track-paid-700'")
    expect(page.locator("#track-paid-700")).to_have_attribute("open", "")
    assert page.locator("#track-paid-700").is_visible()


def test_links_lead_to_the_code(page: Page, tmp_path: Path) -> None:
    tmp_path.joinpath("shop").mkdir()
    tmp_path.joinpath("shop", "web.py").write_text("def pay(): ...\n", encoding="utf-8")
    opened(page, tmp_path)
    page.locator("#track-invoice-paid summary").click()
    link = page.get_by_role("link", name="shop/web.py:20")
    address = link.evaluate("each => each.href")
    assert address == tmp_path.joinpath("shop", "web.py").as_uri() + "#L20"
    page.goto(address)
    assert "def pay" in page.content()


def test_an_address_opens_a_message(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, address="#track-invoice-paid")
    assert page.locator("#track-invoice-paid").get_attribute("open") is not None
    page.get_by_label("Search").fill("github")
    page.evaluate("location.hash = '#page-start'")
    page.locator("#page-start[open]").wait_for()
    assert page.locator("#page-start").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(page: Page, tmp_path: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, tmp_path)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert axe_problems(page) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_narrow_window_shows_everything_without_scrolling_sideways(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 380, "height": 700})
    opened(page, tmp_path)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.locator("#track-invoice-paid td", has_text="string or null").is_visible()


def test_it_is_whole_without_scripts(browser_context: BrowserContext, tmp_path: Path) -> None:
    assert browser_context.browser is not None
    context = browser_context.browser.new_context(java_script_enabled=False)
    page = opened(context.new_page(), tmp_path)
    page.locator("#track-invoice-paid summary").click()
    assert page.locator("#track-invoice-paid pre").is_visible()
    assert page.locator("#search").is_hidden()
    context.close()


def test_what_a_class_says_runs_nothing_and_asks_for_nothing(page: Page, tmp_path: Path) -> None:
    plans = [hostile_plan(text) for text in HOSTILE]
    scopes = tuple(sorted((scope for plan in plans for scope in plan.scopes), key=lambda each: each.name))
    messages = tuple(
        message.model_copy(update={"module": f"{message.module}{number}"})
        for number, plan in enumerate(plans)
        for message in plan.messages
    )
    opened(page, tmp_path, Plan(name=HOSTILE[0], scopes=scopes, messages=messages))
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    for index, text in enumerate(HOSTILE, start=1):
        page.get_by_label("Scope").select_option(index=index)
        assert len(shown(page)) == 3
        page.get_by_label("Search").fill(text.replace("\r", " ").replace("\n", " ").replace("\x00", ""))
        page.get_by_label("Search").fill("")
    assert page.evaluate("typeof evil") == "undefined"
