"""The debugger's page shows what strangers send, and does nothing of what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from instrument.debugger.page import PAGE
from tests.debugger.pages import noted, send, track

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from instrument.debugger.server import Debugger
    from tests.debugger.pages import DebuggerPage

SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</title></textarea></style><script>alert(1)</script>",
    "\"'><iframe srcdoc='<script>parent.alert(1)</script>'>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<a href='javascript:alert(1)' autofocus onfocus=alert(1)>",
)
MARKED = {
    "\u202egnp.exe": "U+202Egnp.exe",
    "a\u2066b\u2069": "aU+2066bU+2069",
    "bell\u0007": "bellU+0007",
    "zero\u200b\u200b\u200b": "zeroU+200B\u00d73",
    "nul\0": "nul\\0",
    "tab\t": "tab\\t",
    "line\u2028": "lineU+2028",
    "no\u00a0break": "noU+00A0break",
    "\ufeffmark": "U+FEFFmark",
    "tag\U000e0041": "tagU+E0041",
    "private\ue000": "privateU+E000",
}


def _record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "seq": number,
        "received_at": "2026-01-02T03:04:05.678Z",
        "type": "track",
        "name": "An Event",
        "user": "7",
        "message_id": f"m-{number}",
        "write_key_hint": None,
        "envelope": {},
        "status": "valid",
        "violations": [],
        "duplicate_of": None,
        "late": False,
        "provenance": None,
        "handler": None,
        "request": None,
        "scope": {},
        "reason": None,
        "assertion": None,
    } | changes


def _answer(page: Page, *records: str) -> None:
    """Let the debugger answer with these records, which it would never send as they are."""

    def answer(route: Route) -> None:
        listed = ",".join(records) if "after=0&" in route.request.url else ""
        body = f'{{"events":[{listed}],"last":{len(records)},"forgotten":0,"run":"one"}}'
        route.fulfill(body=body, content_type="application/json")

    page.route("**/api/events?*", answer)
    page.reload()


def test_no_script_of_the_page_makes_markup_or_code_of_text() -> None:
    scripts = list(PAGE.glob("*.js"))
    assert scripts
    for script in scripts:
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
            assert forbidden not in script.read_text(encoding="utf-8"), (script.name, forbidden)


def test_no_value_is_ever_markup(watched: Debugger, shown: DebuggerPage) -> None:
    for text in SCRIPTS:
        send(
            watched,
            track(
                text,
                user=text,
                properties={text: text, "list": [text], "shop_id": text},
                messageId=text,
                **noted(
                    handler=text,
                    place=f"{text}:1",
                    request=text,
                    provenance={text: text},
                    fate={"status": "refused", "reason": text},
                ),
            ),
        )
    send(watched, {"type": SCRIPTS[0], "userId": "7"}, {"type": "identify", "userId": "7", "traits": SCRIPTS[1]})
    shown.expect_shown(f"{len(SCRIPTS) + 2} events")
    elements = shown.page.locator("main :is(script, img, iframe, a)")
    for number, text in enumerate(SCRIPTS, start=1):
        expect(shown.open(number).locator("h2")).to_have_text(text)
        assert shown.facts()["User"] == text
        assert elements.count() == 0
    shown.open(1).get_by_role("button", name="Compare").click()
    shown.open(2)
    for by in ("request", "user"):
        shown.page.get_by_role("button", name="Timeline").click()
        shown.page.select_option("#timeline-by", by)
        expect(shown.page.locator(".card").first).to_be_visible()
        assert elements.count() == 0


def test_characters_that_hide_or_turn_text_are_spelled_out(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, *(track(text, properties={text: text}) for text in MARKED))
    shown.expect_shown(f"{len(MARKED)} events")
    assert list(reversed(shown.titles.all_text_contents())) == list(MARKED.values())
    for number, spelled in enumerate(MARKED.values(), start=1):
        details = shown.open(number)
        expect(details.locator("h2")).to_have_text(spelled)
        expect(details.locator(".tree .key bdi", has_text=spelled).first).to_be_visible()
        expect(details.locator(".tree .string", has_text=spelled).first).to_be_visible()
    options = shown.page.locator("#filter-name option").all_text_contents()
    assert "\u2039U+202E\u203agnp.exe" in options


def test_a_lone_surrogate_is_spelled_out(shown: DebuggerPage) -> None:
    name = "half \ud83d"
    _answer(shown.page, json.dumps(_record(1, name=name, envelope={name: name})))
    expect(shown.titles).to_have_text("half U+D83D")
    shown.open(1)
    expect(shown.details.locator(".tree .string")).to_have_text("half U+D83D")


def test_a_megabyte_is_shown_as_far_as_it_is_asked_for(shown: DebuggerPage) -> None:
    _answer(shown.page, json.dumps(_record(1, name="n" * 1_000_000, envelope={"text": "x" * 1_000_000})))
    shown.open(1)
    text = shown.details.locator(".tree .string bdi")
    expect(text).to_have_text("x" * 400 + "999,600 more characters")
    text.get_by_role("button").click()
    expect(text).to_have_text("x" * 8400 + "991,600 more characters")
    assert shown.page.evaluate("() => document.body.innerText.length") < 20_000


def test_no_character_is_cut_in_two(shown: DebuggerPage) -> None:
    _answer(shown.page, json.dumps(_record(1, name="🦊" * 500, envelope={"text": "a" + "🦊" * 500})))
    shown.open(1)
    text = shown.details.locator(".tree .string bdi")
    expect(text).to_have_text("a" + "🦊" * 199 + "602 more characters")
    text.get_by_role("button").click()
    expect(text).to_have_text("a" + "🦊" * 500)


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_what_is_nested_deeply_opens_step_by_step(shown: DebuggerPage, opening: str) -> None:
    depth = 20_000
    nested = opening * depth + "1" + ("}" if opening.startswith("{") else "]") * depth
    record = json.dumps(_record(1, envelope={"nested": "HERE"})).replace('"HERE"', nested)
    _answer(shown.page, record)
    shown.open(1)
    toggles = shown.details.locator(".tree .toggle")
    opened = toggles.count()
    for step in range(5):
        toggles.last.click()
        expect(toggles).to_have_count(opened + step + 1)


def test_what_is_long_is_shown_part_by_part(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(properties={"shop_id": 3, "amount": 1, "many": list(range(1000))}))
    tree = shown.open(1).locator(".tree")
    many = tree.locator('li[data-path="properties.many"]')
    expect(many.locator("ul > li")).to_have_count(101)
    many.get_by_role("button", name="900 more").click()
    expect(many.locator("ul > li")).to_have_count(201)


def test_names_of_javascript_are_names_like_others(watched: Debugger, shown: DebuggerPage) -> None:
    names = ("__proto__", "constructor", "hasOwnProperty", "toString", "prototype")
    send(watched, *(track(name, properties={name: {"inside": name}}, user=name) for name in names))
    shown.expect_shown(f"{len(names)} events")
    for number, name in enumerate(names, start=1):
        expect(shown.open(number).locator(".tree")).to_contain_text(name)
    shown.page.select_option("#filter-name", "__proto__")
    shown.expect_numbers(1)
