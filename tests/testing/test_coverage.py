"""What an observer takes note of, and what findings add up to."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from instrument import Client, Identify, MemoryDestination, Page, Refusal, Scope, Track, emitting, identifies, tracks
from instrument.client import Client as TheClient
from instrument.lifecycle import Instrumentation
from instrument.messages import registry
from instrument.testing import recording
from instrument.testing.coverage import Branch, Coverage, Findings, MessageClass, Observer, is_within
from instrument.testing.coverage_report import failed_threshold, to_html, to_json, to_lines
from tests.browsers import axe_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page as BrowserPage

T = TypeVar("T")
HERE = __name__


class CoverageScope(Scope):
    user_id: int


class ParcelSent(Track, CoverageScope):
    weight: int = 1


class ParcelSending(Track, CoverageScope):
    pass


class ParcelLost(Track, CoverageScope):
    pass


class ParcelOwner(Identify, CoverageScope):
    pass


class ParcelPage(Page, CoverageScope):
    pass


class ParcelWeighed(Track, CoverageScope, Generic[T]):
    weight: T


@tracks(ParcelSent, start=ParcelSending, failure=ParcelLost)
def send(user_id: int, *, lose: bool = False) -> None:
    if lose:
        raise LookupError("lost")


@pytest.fixture
def observer() -> Iterator[Observer]:
    observer = Observer()
    with observer.observing():
        yield observer


def emitted(observer: Observer) -> list[str]:
    return sorted(each.rpartition(":")[2] for each in observer.findings().emitted)


def seen(observer: Observer, handler: str = "") -> list[tuple[str, str]]:
    """The moments and messages of the branches that were seen, those of one handler if it is named."""
    branches = sorted(each for each in observer.findings().seen if each.handler.endswith(handler))
    return [(each.moment, each.message.rpartition(":")[2]) for each in branches]


def branches(observer: Observer, handler: str) -> list[str]:
    return sorted(each.moment for each in observer.findings().branches if each.handler.endswith(handler))


def test_a_call_shows_the_branches_that_it_went_through(observer: Observer) -> None:
    with recording():
        send(7)
    assert emitted(observer) == ["ParcelSending", "ParcelSent"]
    assert seen(observer) == [("start", "ParcelSending"), ("success", "ParcelSent")]
    assert branches(observer, f"{HERE}:send") == ["failure", "start", "success"]
    with recording(), pytest.raises(LookupError):
        send(7, lose=True)
    assert seen(observer)[0] == ("failure", "ParcelLost")


@pytest.mark.parametrize(
    "options",
    [{"strict": True}, {"strict": False}, {"debug": True}, {"strict": True, "debug": True}],
    ids=lambda options: "-".join(f"{name}={value}" for name, value in options.items()),
)
def test_any_client_that_takes_the_message_counts(observer: Observer, options: Any, tmp_path: Path) -> None:
    client = Client(destinations=[MemoryDestination()], durability="memory", spool_dir=tmp_path, **options)

    @tracks(ParcelSent, client=client)
    def by_client(user_id: int) -> None: ...

    by_client(7)
    client.identify(ParcelOwner(user_id=7))
    client.close()
    assert emitted(observer) == ["ParcelOwner", "ParcelSent"]
    assert seen(observer) == [("success", "ParcelSent")]


def test_a_disabled_client_counts_where_it_is_strict_and_so_builds_the_message(observer: Observer) -> None:
    strict, off = Client(enabled=False, strict=True), Client(enabled=False)

    @tracks(ParcelSent, client=strict)
    def built(user_id: int) -> None: ...

    @tracks(ParcelLost, client=off)
    def not_built(user_id: int) -> None: ...

    built(7)
    not_built(7)
    strict.page(ParcelPage(user_id=7))
    off.identify(ParcelOwner(user_id=7))
    assert emitted(observer) == ["ParcelPage", "ParcelSent"]
    assert seen(observer) == [("success", "ParcelSent")]


def test_what_is_refused_does_not_count(observer: Observer) -> None:
    @tracks(ParcelSent.from_call(weight=lambda _: 1 // 0), failure=ParcelLost.from_call(user_id=lambda _: "no user"))
    def refused(user_id: int, *, lose: bool) -> None:
        if lose:
            raise LookupError

    with recording(strict=False) as tracked:
        refused(7, lose=False)
        with pytest.raises(LookupError):
            refused(7, lose=True)
        assert tracked.messages == []
    assert (emitted(observer), seen(observer)) == ([], [])
    with recording(), pytest.raises(Refusal):
        refused(7, lose=False)
    assert (emitted(observer), seen(observer)) == ([], [])


def test_a_message_that_a_source_emits_is_not_taken_for_that_of_the_handler(observer: Observer) -> None:
    with recording(debug=True) as tracked:

        def weigh(_: object) -> int:
            tracked.client.track(ParcelLost(user_id=8))
            raise ValueError("no weight")

        @tracks(ParcelSent.from_call(weight=weigh), failure=ParcelLost)
        def weighed(user_id: int) -> None: ...

        with pytest.raises(Refusal):
            weighed(7)
    assert emitted(observer) == ["ParcelLost"]
    assert seen(observer) == []


def test_coroutines_generators_methods_threads_and_blocks_are_seen(observer: Observer) -> None:
    @tracks(ParcelSent)
    async def coroutine(user_id: int) -> None: ...

    @tracks(ParcelSent)
    def generator(user_id: int) -> Iterator[int]:
        yield 1

    class Depot:
        @tracks(ParcelSent)
        @classmethod
        def method(cls, user_id: int) -> None: ...

    @identifies(ParcelOwner)
    @tracks(ParcelSent)
    def both(user_id: int) -> None: ...

    with recording():
        asyncio.run(coroutine(7))
        list(generator(7))
        Depot.method(7)
        thread = threading.Thread(target=both, args=(7,))
        thread.start()
        thread.join()
        with emitting(ParcelLost, failure=ParcelSending, user_id=7):
            pass
    for each in ("coroutine", "generator", "method"):
        assert seen(observer, each) == [("success", "ParcelSent")]
    assert seen(observer, "both") == [("success", "ParcelOwner"), ("success", "ParcelSent")]
    (block,) = [each for each in observer.findings().seen if each.handler.startswith("with emitting at ")]
    assert (block.module, block.moment, block.message) == (HERE, "success", f"{HERE}:ParcelLost")
    assert branches(observer, block.handler) == ["failure", "success"]


def test_a_handler_that_was_made_and_has_gone_is_known(observer: Observer) -> None:
    def application() -> Callable[[int], None]:
        @tracks(ParcelSent, failure=ParcelLost)
        def route(user_id: int) -> None: ...

        return route

    for _ in range(3):
        application()
    assert branches(observer, "route") == ["failure", "success"]


def test_a_generic_class_is_emitted_by_what_is_made_of_it(observer: Observer) -> None:
    with recording() as tracked:
        tracked.client.track(ParcelWeighed[int](user_id=7, weight=3))
    assert emitted(observer) == ["ParcelWeighed"]


def test_an_observer_within_another_sees_its_own_and_both_see_what_is_common(observer: Observer) -> None:
    inner = Observer()
    with inner.observing(), recording():
        send(7)
    with recording() as tracked:
        tracked.client.identify(ParcelOwner(user_id=7))
    assert emitted(inner) == ["ParcelSending", "ParcelSent"]
    assert emitted(observer) == ["ParcelOwner", "ParcelSending", "ParcelSent"]


def test_nothing_stays_when_it_has_observed() -> None:
    before = Instrumentation.emit, TheClient.accept
    with pytest.raises(RuntimeError), Observer().observing():
        assert Instrumentation.emit is not before[0]
        raise RuntimeError
    assert (Instrumentation.emit, TheClient.accept) == before


def test_what_one_process_found_is_told_to_another_and_adds_up(observer: Observer) -> None:
    with recording():
        send(7)
    ours = observer.findings()
    assert Findings.from_json(ours.to_json()) == ours
    theirs = Findings(
        messages=frozenset([a_message("Other")]),
        emitted=frozenset(["shop:Other"]),
        unimported=frozenset(["a", "b", "c.d", "e"]),
    )
    both = replace(ours, unimported=frozenset(["b", "c", "e.f"])) | theirs
    assert both.messages == ours.messages | theirs.messages
    assert both.emitted == ours.emitted | {"shop:Other"}
    assert both.unimported == {"b", "c.d", "e.f"}


def test_text_that_no_encoding_can_say_is_told_all_the_same(observer: Observer, tmp_path: Path) -> None:
    def hostile(user_id: int) -> None: ...

    hostile.__code__ = hostile.__code__.replace(co_filename=f"{tmp_path}/\udc80\x1b[2J.py")
    hostile.__qualname__ = "host\ud800ile<script>"
    decorated = tracks(ParcelSent, failure=ParcelLost)(hostile)
    with recording():
        decorated(7)
    findings = Findings.from_json(observer.findings().to_json())
    coverage = Coverage.of(findings)
    for report in ("\n".join(to_lines(coverage, tmp_path)), to_html(coverage, tmp_path), to_json(coverage, tmp_path)):
        assert "\x1b" not in report
        assert r"\ud800" in report
        report.encode()
    assert "ile<script>" not in to_html(coverage, tmp_path)


def a_message(name: str, module: str = "shop", event: str = "") -> MessageClass:
    return MessageClass(module, name, "track", event or name, f"/code/{module}.py", 1)


TITLES = {"Failed": "Payment <Failed> & more"}


def a_branch(handler: str, moment: str, message: str, module: str = "shop") -> Branch:
    return Branch(
        module, f"{module}:{handler}", f"/code/{module}.py", 9, moment, f"shop:{message}", TITLES.get(message, message)
    )


FINDINGS = Findings(
    messages=frozenset(
        [
            a_message("Paid"),
            a_message("Failed", event=TITLES["Failed"]),
            a_message("Refunded"),
            a_message("X", "other"),
        ]
    ),
    emitted=frozenset(["shop:Paid", "elsewhere:Gone"]),
    branches=frozenset(
        [
            a_branch("pay", "success", "Paid"),
            a_branch("pay", "failure", "Failed"),
            a_branch("pay", "start", "Paid"),
            a_branch("gone", "success", "DeclaredByATest"),
            a_branch("imported", "success", "Paid", "other"),
        ]
    ),
    seen=frozenset([a_branch("pay", "success", "Paid"), a_branch("gone", "success", "DeclaredByATest")]),
)


def test_messages_and_branches_are_counted_together() -> None:
    coverage = Coverage.of(FINDINGS)
    assert (coverage.message_count.covered, coverage.message_count.total) == (1, 4)
    assert (coverage.branch_count.covered, coverage.branch_count.total) == (1, 4)
    assert coverage.count.percent == 25
    assert [each.message.name for each in coverage.not_emitted] == ["X", "Failed", "Refunded"]
    assert [(each.handler, each.moment) for each in coverage.not_seen] == [
        ("other:imported", "success"),
        ("shop:pay", "start"),
        ("shop:pay", "failure"),
    ]


def test_a_package_has_its_own_messages_and_handlers_alone() -> None:
    coverage = Coverage.of(FINDINGS, ["shop"])
    assert [each.message.name for each in coverage.messages] == ["Failed", "Paid", "Refunded"]
    assert [each.handler for each in coverage.handlers] == ["shop:pay"]
    assert not is_within("shopping", ["shop"])


def test_only_all_of_it_is_a_hundred_percent_and_nothing_at_all_is_no_percentage() -> None:
    assert failed_threshold(Coverage.of(FINDINGS), 25) is None
    assert failed_threshold(Coverage.of(FINDINGS), 25.001) == "25.00% is below the required 25.001%"
    assert failed_threshold(Coverage.of(Findings()), 0) == (
        "no message and no handler was found, so that 0% cannot be reached"
    )


def test_the_lines_of_the_terminal() -> None:
    coverage = Coverage.of(replace(FINDINGS, unimported=frozenset(["shop.old"])), ["shop", "absent"], lost=1)
    assert to_lines(coverage, Path("/code")) == [
        "Module  Messages  Miss  Branches  Miss  Cover",
        "---------------------------------------------",
        "shop           3     2         3     2    33%",
        "---------------------------------------------",
        "TOTAL          3     2         3     2    33%",
        "",
        "Never emitted:",
        "  Payment <Failed> & more  track  shop:Failed    shop.py:1  shop:pay",
        "  Refunded                 track  shop:Refunded  shop.py:1  no handler emits it",
        "",
        "Branches never seen:",
        "  shop:pay  start    Paid                     shop.py:9",
        "  shop:pay  failure  Payment <Failed> & more  shop.py:9",
        "",
        "Not imported, so that nothing is known of what they declare: shop.old",
        "",
        "Without a message or a handler: absent",
        "",
        "Workers that ended without telling what they had seen, so that more may be covered: 1",
    ]


def test_the_json_for_programs() -> None:
    report = json.loads(to_json(Coverage.of(FINDINGS, ["shop"]), Path("/code")))
    assert report["percent"] == pytest.approx(100 / 3)
    assert report["totals"] == {"messages": {"covered": 1, "total": 3}, "branches": {"covered": 1, "total": 3}}
    assert report["messages"][0] == {
        "class": "shop:Failed",
        "type": "track",
        "name": "Payment <Failed> & more",
        "file": "shop.py",
        "line": 1,
        "emitted": False,
        "handlers": [{"handler": "shop:pay", "moment": "failure"}],
    }
    assert report["handlers"] == [
        {
            "handler": "shop:pay",
            "file": "shop.py",
            "line": 9,
            "branches": [
                {"moment": "start", "message": "shop:Paid", "seen": False},
                {"moment": "success", "message": "shop:Paid", "seen": True},
                {"moment": "failure", "message": "shop:Failed", "seen": False},
            ],
        }
    ]
    assert {name: report[name] for name in ("format", "packages", "unimported", "lost_workers")} == {
        "format": 1,
        "packages": ["shop"],
        "unimported": [],
        "lost_workers": 0,
    }


def test_the_page_loads_nothing_and_escapes_what_it_shows() -> None:
    page = to_html(Coverage.of(FINDINGS), Path("/code"))
    assert "Payment &lt;Failed&gt; &amp; more" in page
    assert "<Failed>" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not any(each in page for each in ("http://", "https://", "<script", "<link", "<img", "url("))
    assert page.count('<tr class="missed">') == 6


def test_the_page_is_for_everybody_and_runs_no_name_of_an_event(page: BrowserPage, tmp_path: Path) -> None:
    hostile = a_message("Hostile", event="<script>alert(1)</script><img src=x onerror=alert(2)>")
    file = tmp_path / "events.html"
    coverage = Coverage.of(replace(FINDINGS, messages=FINDINGS.messages | {hostile}))
    file.write_text(to_html(coverage, Path("/code")), encoding="utf-8")
    page.goto(file.as_uri())
    assert page.title() == "Event coverage: 22%"
    assert page.locator("td", has_text="<script>").text_content() == hostile.event
    assert axe_problems(page) == []


def test_modules_that_nobody_imported_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "coverage_depot"
    for name in ("__init__", "__main__", "used", "unused", "inner/__init__", "inner/unused", "tests/__init__"):
        file = package / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        __import__("coverage_depot.used")
        __import__("coverage_depot.inner")
        found = Observer().findings(["coverage_depot", "nowhere.to.be.found"]).unimported
    finally:
        for name in [name for name in sys.modules if name.startswith("coverage_depot")]:
            del sys.modules[name]
    assert found == {
        "coverage_depot.unused",
        "coverage_depot.inner.unused",
        "coverage_depot.tests",
        "nowhere.to.be.found",
    }


def test_what_a_test_declares_for_itself_leaves_nothing_to_cover(observer: Observer) -> None:
    with registry.isolated():

        class ParcelDreamt(Track, CoverageScope):
            pass

        @tracks(ParcelDreamt)
        def dream(user_id: int) -> None: ...

    coverage = Coverage.of(observer.findings(), [HERE])
    assert not any("Dreamt" in each.message.name for each in coverage.messages)
    assert not any(each.handler.endswith("dream") for each in coverage.handlers)
