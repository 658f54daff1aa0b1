"""`pytest --event-coverage`, in real inner test runs."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from instrument.client import Client
from instrument.decorated import decorated_handlers
from instrument.lifecycle import Instrumentation
from instrument.messages import registry
from tests.docs.documents import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]

ANALYTICS = dedent("""
    from instrument import Scope, Track

    class ShopScope(Scope):
        user_id: int

    class OrderPlaced(Track, ShopScope): ...

    class OrderStarted(Track, ShopScope): ...

    class OrderFailed(Track, ShopScope): ...

    class OrderShipped(Track, ShopScope): ...
""")
HANDLERS = dedent("""
    from shop.analytics import OrderFailed, OrderStarted, OrderPlaced
    from instrument import tracks

    @tracks(OrderPlaced, start=OrderStarted, failure=OrderFailed)
    def place(user_id):
        if user_id < 0:
            raise LookupError
""")
TESTS = dedent("""
    import pytest
    from shop.orders import place

    def test_sending(tracked):
        place(7)

    def test_not_recorded():
        with pytest.raises(LookupError):
            place(-7)
""")
# What the documentation shows is the report of this application.
REPORT = next(each.code for each in blocks(ROOT / "docs" / "event-coverage.md") if "TOTAL" in each.code)

# Plugins that these tests have no use for, and that take most of the time of an inner run to import.
WITHOUT = tuple(f"-pno:{name}" for name in ("randomly", "hypothesispytest", "anyio", "cacheprovider", "asyncio"))


@pytest.fixture
def shop(pytester: pytest.Pytester, unconfigured: None) -> Iterator[pytest.Pytester]:
    """An application and its tests, without the default client of the outer run; what they declare is forgotten."""
    package = pytester.mkpydir("shop")
    package.joinpath("analytics.py").write_text(ANALYTICS)
    package.joinpath("orders.py").write_text(HANDLERS)
    package.joinpath("legacy.py").write_text("")
    pytester.makepyfile(test_shop=TESTS)
    pytester.syspathinsert()
    with registry.isolated(), decorated_handlers.isolated():
        yield pytester


def run(inner: pytest.Pytester, *args: str) -> pytest.RunResult:
    return inner.runpytest_inprocess(*WITHOUT, *args)


def run_apart(inner: pytest.Pytester, *args: str) -> pytest.RunResult:
    return inner.runpytest_subprocess(*WITHOUT, *args, timeout=120)


def test_the_report_tells_what_was_never_emitted_and_never_seen(shop: pytest.Pytester) -> None:
    result = run(shop, "--event-coverage=shop")
    assert REPORT in result.stdout.str()
    assert result.ret == 0


def test_without_the_option_nothing_is_observed_or_shown(shop: pytest.Pytester) -> None:
    methods = Instrumentation.emit, Client.accept
    shop.makepyfile(
        test_shop="""
        from instrument.client import Client
        from instrument.lifecycle import Instrumentation

        def test_methods():
            assert Instrumentation.emit.__module__ == "instrument.lifecycle"
            assert Client.accept.__module__ == "instrument.client"
        """
    )
    result = run(shop)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*event coverage*")
    assert run(shop, "--event-coverage").parseoutcomes() == {"failed": 1}
    assert (Instrumentation.emit, Client.accept) == methods


def test_workers_tell_the_controller_what_they_saw_and_one_that_died_is_told_of(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_dying="""
        import os
        from shop import analytics

        def test_dying(tracked):
            tracked.client.track(analytics.OrderShipped(user_id=7))
            os._exit(3)
        """
    )
    options = ("--event-coverage=shop", "--event-coverage-report=term", "--event-coverage-fail-under=90")
    result = run_apart(shop, *options, "-n2", "--dist=loadfile", "--max-worker-restart=0")
    assert REPORT in result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "Workers that ended without telling what they had seen, so that more may be covered: 1",
            "",
            "FAIL Event coverage: 57.14% is below the required 90%.",
        ],
        consecutive=True,
    )
    assert result.ret == 1


@pytest.mark.parametrize(("threshold", "status"), [("57.14", 0), ("57.2", 1)])
def test_a_threshold_fails_the_run_as_failed_tests_do(shop: pytest.Pytester, threshold: str, status: int) -> None:
    result = run(shop, "--event-coverage=shop", f"--event-coverage-fail-under={threshold}")
    result.assert_outcomes(passed=2)
    assert result.ret == status
    failure = "FAIL Event coverage: 57.14% is below the required 57.2%."
    assert (failure in result.outlines) is bool(status)


def test_a_package_that_is_none_cannot_reach_any_threshold(shop: pytest.Pytester) -> None:
    result = run(shop, "--event-coverage=shopp", "--event-coverage-fail-under=0")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "Not imported, so that nothing is known of what they declare: shopp",
            "FAIL Event coverage: no message and no handler was found, so that 0% cannot be reached.",
        ]
    )


def test_reports_are_written_where_pytest_was_started_whatever_tests_do(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_leaving="""
        import os

        def test_leaving(tmp_path):
            os.chdir(tmp_path)
        """
    )
    files = ("--event-coverage-report=json:out/events.json", "--event-coverage-report=html:events.html")
    result = run(shop, "--event-coverage=shop", *files)
    result.stdout.fnmatch_lines(["Event coverage written to out/events.json", "Event coverage written to events.html"])
    result.stdout.no_fnmatch_line("*Never emitted*")
    report: dict[str, Any] = json.loads(shop.path.joinpath("out/events.json").read_text())
    assert [each["name"] for each in report["messages"] if not each["emitted"]] == ["Order Failed", "Order Shipped"]
    assert "Order Failed" in shop.path.joinpath("events.html").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_fails_the_run(shop: pytest.Pytester) -> None:
    shop.path.joinpath("file").write_text("")
    result = run(shop, "--event-coverage", "--event-coverage-report=json:file/events.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL Event coverage cannot be written to file/events.json: *"])


def test_the_settings_of_the_project_stand_in_for_options(shop: pytest.Pytester) -> None:
    shop.makepyprojecttoml("""
        [tool.pytest.ini_options]
        event_coverage_packages = ["shop.orders"]
        event_coverage_report = ["term", "json:events.json"]
        event_coverage_fail_under = 80
    """)
    assert run(shop).ret == 0
    result = run(shop, "--event-coverage")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "TOTAL               0     0         3     1    66%",
            "Event coverage written to events.json",
            "FAIL Event coverage: 66.66% is below the required 80%.",
        ]
    )
    result = run(shop, "--event-coverage=shop", "--event-coverage-fail-under=50", "--event-coverage-report=none")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("TOTAL*")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--event-coverage", "test_shop.py"],
            "'test_shop.py' is no package. If it is what to test, write it before",
        ),
        (["--event-coverage=a/b"], "'a/b' is no package"),
        (["--event-coverage", "--event-coverage-report=xml"], "'xml' is none of term, json:FILE, html:FILE and none"),
        (["--event-coverage", "--event-coverage-report=json:"], "'json:' is none of"),
        (["--event-coverage", "--event-coverage-fail-under=nan"], "'nan' is no number from 0 to 100"),
        (["--event-coverage", "--event-coverage-fail-under=101"], "'101' is no number from 0 to 100"),
        (["--event-coverage-fail-under=80"], "--event-coverage-fail-under need --event-coverage"),
        (
            ["--event-coverage", "-o", "event_coverage_fail_under=most"],
            "event_coverage_fail_under: 'most' is no number",
        ),
        (["--event-coverage", "-o", "event_coverage_report=pdf:a"], "event_coverage_report: 'pdf:a' is none of"),
    ],
)
def test_a_wrong_option_is_an_error_of_usage(shop: pytest.Pytester, options: list[str], problem: str) -> None:
    result = run(shop, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{problem}*"])


def test_a_run_that_is_stopped_has_no_report(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_again=TESTS, test_a="def test_failing(): assert False")
    result = run(shop, "--event-coverage", "-x", "test_a.py", "test_shop.py")
    result.stdout.fnmatch_lines(["event coverage: no report, since the run ended before its tests did"])
    result.stdout.no_fnmatch_line("TOTAL*")
    result = run(shop, "--event-coverage", "--collect-only", "--event-coverage-fail-under=100")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*event coverage*")


def test_an_inner_run_has_a_report_of_its_own_and_takes_nothing_from_the_outer_one(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WITHOUT", " ".join(WITHOUT))
    shop.makeconftest('pytest_plugins = ["pytester"]')
    shop.makepyfile(
        test_outer="""
        import os

        from shop.orders import place

        def test_before(tracked):
            place(7)

        def test_inner(pytester):
            pytester.makepyfile("def test_nothing(): pass")
            result = pytester.runpytest_inprocess(*os.environ["WITHOUT"].split(), "--event-coverage=shop")
            result.stdout.fnmatch_lines(["TOTAL *  0%"])

        def test_after(tracked):
            tracked.client.track(__import__("shop.analytics").analytics.OrderShipped(user_id=7))
        """
    )
    result = run(shop, "--event-coverage=shop", "test_outer.py")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["shop.analytics         4     1         0     0    75%"])
