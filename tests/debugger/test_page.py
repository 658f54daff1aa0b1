"""The debugger's page in a browser: what is shown, found, opened, compared, copied, exported and imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.debugger.pages import noted, send, track

if TYPE_CHECKING:
    from pathlib import Path

    from instrument.debugger.server import Debugger
    from tests.debugger.pages import DebuggerPage


def test_without_events_it_says_how_to_send_some(watched: Debugger, shown: DebuggerPage) -> None:
    expect(shown.page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(shown.page.locator(".empty .address")).to_have_text(watched.url)


def test_events_appear_by_themselves_the_newest_on_top(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track())
    shown.expect_numbers(1)
    send(watched, track("Debugged Cart Emptied", properties={"shop_id": 3}), track())
    shown.expect_numbers(3, 2, 1)
    expect(shown.titles.nth(1)).to_have_text("Debugged Cart Emptied")


def test_what_came_before_the_page_was_opened_is_shown(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(), track())
    shown.page.reload()
    shown.expect_numbers(2, 1)


def test_while_somebody_reads_further_down_nothing_moves(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, *(track() for _ in range(50)))
    shown.expect_shown("50 events")
    shown.page.locator("#events").hover()
    shown.page.mouse.wheel(0, 300)
    fresh = shown.page.locator("#fresh")
    expect(fresh).to_be_visible()
    expect(fresh).to_have_text("Paused: back to live")
    send(watched, track(), track())
    expect(fresh).to_have_text("2 new")
    shown.expect_shown("50 events")
    fresh.click()
    shown.expect_shown("52 events")
    expect(shown.page.locator("#event-52")).to_be_visible()
    expect(fresh).to_be_hidden()


def test_it_pauses_when_asked(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track())
    shown.expect_numbers(1)
    pause = shown.page.get_by_role("button", name="Pause", exact=True)
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    send(watched, track())
    expect(shown.page.locator("#fresh")).to_have_text("1 new")
    shown.expect_numbers(1)
    pause.click()
    shown.expect_numbers(2, 1)


def test_events_are_filtered_by_name_kind_user_and_scope(watched: Debugger, shown: DebuggerPage) -> None:
    send(
        watched,
        track(user="7"),
        track("Debugged Cart Emptied", user="71", properties={"shop_id": 4}),
        {"type": "identify", "userId": "8", "messageId": "identify"},
    )
    shown.expect_numbers(3, 2, 1)
    select, fill = shown.page.select_option, shown.page.fill
    select("#filter-kind", "track")
    shown.expect_numbers(2, 1)
    fill("#filter-user", "7")
    shown.expect_numbers(2, 1)
    fill("#filter-user", "=7")
    shown.expect_numbers(1)
    shown.page.get_by_role("button", name="Remove filters").click()
    shown.expect_numbers(3, 2, 1)
    select("#filter-name", "Debugged Cart Emptied")
    shown.expect_numbers(2)
    select("#filter-name", "")
    select("#filter-field", "shop_id")
    shown.expect_numbers(2, 1)
    fill("#filter-value", "3")
    shown.expect_numbers(1)
    shown.expect_shown("1 of 3 event")


def test_an_event_that_matches_the_filter_is_added(watched: Debugger, shown: DebuggerPage) -> None:
    shown.page.fill("#filter-user", "=7")
    send(watched, track(user="7"), track(user="8"))
    shown.expect_numbers(1)
    shown.expect_shown("1 of 2 event")


def test_events_are_filtered_by_what_is_wrong_with_them(watched: Debugger, shown: DebuggerPage) -> None:
    send(
        watched,
        track(messageId="one"),
        track(properties={"shop_id": 3, "amount": "much"}),
        track("Nobody Declares This"),
        track(**noted(fate={"status": "refused", "reason": "no user"})),
        track(**noted(fate={"status": "dropped", "reason": "the queue is full"})),
        track(messageId="one"),
        track(**noted(late=True)),
    )
    shown.expect_shown("7 events")
    for mark, numbers in {
        "Valid": (7, 6, 1),
        "Invalid": (2,),
        "Unknown": (3,),
        "Refused": (4,),
        "Dropped": (5,),
        "Duplicate": (6,),
        "Late": (7,),
    }.items():
        button = shown.mark(f"{mark} {len(numbers)}")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        shown.expect_numbers(*numbers)
        button.click()
    shown.mark("Refused").click()
    shown.mark("Dropped").click()
    shown.expect_numbers(5, 4)


def test_the_search_finds_every_word_in_names_and_values(watched: Debugger, shown: DebuggerPage) -> None:
    send(
        watched,
        track(properties={"shop_id": 3, "amount": 1, "currency": "Ünïcode"}),
        track(properties={"shop_id": 3, "amount": 1, "currency": 'say "yes"\n'}),
        track("Nobody Declares This"),
    )
    shown.expect_numbers(3, 2, 1)
    for searched, numbers in {
        "ÜNÏ": (1,),
        'say "yes"': (2,),
        "order ünï": (1,),
        "declares": (3,),
        "amount": (3, 2, 1),
    }.items():
        shown.page.get_by_role("searchbox").fill(searched)
        shown.expect_numbers(*numbers)
    shown.page.get_by_role("searchbox").fill("nowhere")
    expect(shown.page.get_by_role("heading", name="No event matches")).to_be_visible()


def test_an_event_tells_who_where_and_from_which_handler(watched: Debugger, shown: DebuggerPage) -> None:
    origins = {"user_id": "request scope 'user_id'", "shop_id": "argument 'shop_id'"}
    send(
        watched,
        track(**noted(handler="shop:place", place="/srv/shop.py:12", request="request-1", provenance=origins)),
    )
    details = shown.open(1)
    facts = shown.facts()
    assert facts.pop("Received")
    assert facts.pop("Message id").startswith("m-")
    declared = facts.pop("Declared")
    assert declared.startswith("DebuggedOrderPlaced")
    assert "pages.py:" in declared
    assert declared.endswith("Somebody bought something.")
    assert facts == {
        "Timestamp": "2026-01-02T03:04:05.678Z",
        "User": "7",
        "Scope": "shop_id3",
        "Request": "request-1",
        "Event": "Debugged Order Placed",
        "Write key": "ends in -key",
        "Handler": "shop:place/srv/shop.py:12",
    }
    assert [row.inner_text().split("\t") for row in details.locator(".provenance tbody tr").all()] == [
        ["user_id", "request scope 'user_id'", "7"],
        ["shop_id", "argument 'shop_id'", "3"],
    ]


def test_a_violation_is_shown_at_its_field(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(properties={"shop_id": 3, "amount": "much"}))
    expect(shown.rows.first.locator(".wrong")).to_contain_text("properties.amount")
    details = shown.open(1)
    (violation,) = details.locator(".violations li").all_inner_texts()
    assert violation.startswith("properties.amount")
    assert "integer" in violation
    place = details.locator('.tree li.violating[data-path="properties.amount"]')
    expect(place.locator(".tree-reason")).to_contain_text("integer")


def test_a_field_that_is_missing_is_shown_where_it_should_be(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(properties={"shop_id": 3}))
    place = shown.open(1).locator('.tree li.violating[data-path="properties.amount"]')
    expect(place).to_contain_text("amountmissing")


def test_what_was_not_sent_says_why(watched: Debugger, shown: DebuggerPage) -> None:
    send(
        watched,
        track(**noted(fate={"status": "refused", "reason": "user_id: it has no value"})),
        track(**noted(fate={"status": "dropped", "reason": "the queue is full"})),
    )
    expect(shown.open(1).locator(".banner.mark-refused")).to_contain_text("user_id: it has no value")
    expect(shown.open(2).locator(".banner.mark-dropped")).to_contain_text("the queue is full")


def test_a_duplicate_leads_to_the_first(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(messageId="one"), track(messageId="one"))
    expect(shown.rows.first.locator(".flag")).to_have_text("Duplicate")
    shown.open(2).get_by_role("button", name="#1").click()
    expect(shown.details.locator(".details-header .number")).to_have_text("#1")


def test_the_envelope_opens_and_closes(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(context={"page": {"path": "/checkout"}}))
    tree = shown.open(1).locator(".tree")
    expect(tree).to_contain_text("currency")
    expect(tree).not_to_contain_text("/checkout")
    tree.get_by_role("button", name="context").click()
    expect(tree).to_contain_text("page")
    tree.get_by_role("button", name="page").press("ArrowRight")
    expect(tree).to_contain_text("/checkout")
    properties = tree.get_by_role("button", name="properties")
    properties.click()
    expect(properties).to_have_attribute("aria-expanded", "false")
    expect(tree.get_by_text("currency")).to_be_hidden()


def test_the_timeline_groups_by_request_and_by_user(watched: Debugger, shown: DebuggerPage) -> None:
    at = "2026-01-02T03:04:05.{}Z"
    send(
        watched,
        track(timestamp=at.format("000"), **noted(request="first")),
        track(user="8", timestamp=at.format("000"), **noted(request="second")),
        track("Nobody Declares This", timestamp=at.format("250"), **noted(request="first")),
        track(),
    )
    shown.page.get_by_role("button", name="Timeline").click()
    timeline = shown.page.get_by_role("region", name="Timeline")
    expect(timeline.locator(".card h3")).to_have_text(["requestfirstuser7", "requestseconduser8"])
    first = timeline.locator(".card").first
    expect(first.locator(".offset")).to_have_text(["+0 ms", "+250 ms"])
    expect(first.locator(".card-facts")).to_contain_text("1 with a problem")
    expect(timeline).to_contain_text("1 event has no request")
    first.get_by_role("button").nth(1).click()
    expect(shown.details.locator("h2")).to_have_text("Nobody Declares This")
    shown.page.select_option("#timeline-by", "user")
    expect(timeline.locator(".card h3")).to_have_text(["user7", "user8"])


def test_the_events_of_the_same_request_are_a_click_away(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(**noted(request="first")), track(), track("Debugged Cart Emptied", **noted(request="first")))
    details = shown.open(1)
    expect(details.locator(".related")).to_have_count(2)
    details.get_by_role("button", name="Show only this request").click()
    shown.expect_numbers(3, 1)
    details.locator("button.related").click()
    expect(details.locator("h2")).to_have_text("Debugged Cart Emptied")
    shown.page.get_by_role("button", name="Show all requests").click()
    shown.expect_numbers(3, 2, 1)


def test_counts_per_minute_are_a_plot(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track(), track(), track("Nobody Declares This"))
    plot = shown.page.get_by_role("img", name="Events per minute")
    shown.expect_shown("3 events")
    expect(plot.locator("rect.bar:not(.problem)").last).to_have_attribute("height", "27")
    expect(plot.locator("rect.problem").last).to_have_attribute("height", "9")
    expect(plot.locator("title").last).to_have_text("this minute: 3 events, 1 with a problem")


def test_two_events_are_compared_field_by_field(watched: Debugger, shown: DebuggerPage) -> None:
    send(
        watched,
        track(messageId="a", properties={"shop_id": 3, "amount": 12}),
        track(messageId="b", properties={"shop_id": 3, "amount": 13, "currency": "EUR"}),
    )
    shown.open(1).get_by_role("button", name="Compare").click()
    shown.open(2)
    comparison = shown.page.get_by_role("region", name="Comparison")
    expect(comparison.locator(".card-facts")).to_have_text("3 fields differ, 5 are equal.")
    assert [row.inner_text().split("\t") for row in comparison.locator("tbody tr").all()] == [
        ["properties.amount", "12", "13"],
        ["properties.currency", "missing", '"EUR"'],
        ["messageId", '"a"', '"b"'],
    ]
    shown.details.get_by_role("button", name="Stop comparing").click()
    expect(comparison).to_be_hidden()


def test_an_event_is_copied_as_an_assertion_and_as_json(watched: Debugger, shown: DebuggerPage) -> None:
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    envelope = track()
    send(watched, envelope)
    details = shown.open(1)
    details.get_by_role("button", name="Copy assertion").click()
    expect(shown.notice).to_have_text("The assertion is copied.")
    copied = shown.page.evaluate("navigator.clipboard.readText()")
    assert copied == details.locator(".assertion").inner_text()
    assert "DebuggedOrderPlaced(" in copied
    details.get_by_role("button", name="Copy JSON").click()
    expect(shown.notice).to_have_text("The JSON is copied.")
    assert json.loads(shown.page.evaluate("navigator.clipboard.readText()")) == envelope


def test_what_is_exported_can_be_imported_after_clearing(
    watched: Debugger, shown: DebuggerPage, tmp_path: Path
) -> None:
    send(watched, track(), track())
    shown.expect_numbers(2, 1)
    with shown.page.expect_download() as download:
        shown.page.get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "events.jsonl"
    exported = tmp_path / "events.jsonl"
    download.value.save_as(exported)
    shown.page.get_by_role("button", name="Clear").click()
    expect(shown.page.get_by_role("heading", name="No events yet")).to_be_visible()
    shown.page.set_input_files("#import-file", exported)
    shown.expect_numbers(4, 3)
    expect(shown.notice).to_have_text("2 events imported.")


def test_an_import_says_which_lines_were_rejected(shown: DebuggerPage, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text(f"{json.dumps(track())}\n[1]\n", encoding="utf-8")
    shown.page.set_input_files("#import-file", lines)
    dialog = shown.page.get_by_role("dialog", name="Import")
    expect(dialog).to_contain_text("1 event imported. 1 line was rejected:")
    expect(dialog.get_by_role("listitem")).to_have_text(["Line 2: it is no object"])
    dialog.get_by_role("button", name="Close").click()
    shown.expect_numbers(1)


def test_clearing_in_one_window_clears_the_others(watched: Debugger, shown: DebuggerPage) -> None:
    send(watched, track())
    shown.open(1)
    other = shown.page.context.new_page()
    other.goto(watched.url)
    other.get_by_role("button", name="Clear").click()
    expect(shown.page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(shown.page.get_by_role("heading", name="No event is chosen")).to_be_visible()
    other.close()
