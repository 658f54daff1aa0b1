"""The pytest plugin: the `tracked` fixture, no test that sends anything, and event coverage where it is asked for.

A module of its own, so that pytest, which imports every installed plugin, imports nothing of the package
before a test uses it.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from instrument.client import Client
    from instrument.testing import Recorder

T = TypeVar("T")

_DELIVERY = "instrument_delivery"
_LENIENT = "instrument_lenient"
# As in instrument.delivery.destination: read by every client, also in processes that a test starts.
_NO_NETWORK = "INSTRUMENT_NO_NETWORK"
_SPOOL_DIR = "INSTRUMENT_SPOOL_DIR"
_SPOOL_PREFIX = "instrument-pytest-"

_COVERAGE = "--event-coverage"
_COVERAGE_PLUGIN = "instrument_event_coverage"
_ALL = True
"""What `--event-coverage` is without a package; no text, which would be read as one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of event coverage, and the settings that stand in for them."""
    group = parser.getgroup("instrument", "event coverage")
    group.addoption(
        _COVERAGE,
        action="append",
        nargs="?",
        const=_ALL,
        type=_package,
        metavar="PACKAGE",
        help="Report which declared messages the tests never emit, and which branches of handlers they never see; "
        "of one package, if it is named. May be given more than once.",
    )
    group.addoption(
        f"{_COVERAGE}-report",
        action="append",
        type=_report,
        metavar="TYPE",
        help="term (the default), json:FILE, html:FILE, or none. May be given more than once.",
    )
    group.addoption(
        f"{_COVERAGE}-fail-under",
        type=_percent,
        metavar="PERCENT",
        help="Fail where less is covered, of messages and branches together.",
    )
    parser.addini("event_coverage_packages", f"What {_COVERAGE} is limited to where it names no package.", "args")
    parser.addini("event_coverage_report", f"What {_COVERAGE}-report is by default.", "args")
    parser.addini("event_coverage_fail_under", f"What {_COVERAGE}-fail-under is by default.")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Forbid sending before the first conftest is imported, which may make a client."""
    _forbid()
    _use_a_spool_of_our_own()
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Forbid sending, also where a conftest named this plugin; declare the markers."""
    _forbid()
    _use_a_spool_of_our_own()
    config.addinivalue_line("markers", f"{_DELIVERY}: let the clients of this test send, which no test does otherwise.")
    config.addinivalue_line("markers", f"{_LENIENT}: let `tracked` log instrumentation errors, as in production.")
    _cover_events(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lift the ban around a marked test, its fixtures included."""
    if item.get_closest_marker(_DELIVERY) is None:
        return (yield)
    os.environ.pop(_NO_NETWORK, None)
    before = _lift()
    try:
        return (yield)
    finally:
        _restore(before)
        _forbid()


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Tell how messages differ, field by field."""
    if "instrument.messages" not in sys.modules:
        return None
    from instrument.testing.recorder import explain_comparison  # noqa: PLC0415 - as the module says

    return explain_comparison(op, left, right)


@pytest.fixture
def tracked(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Record the messages of a test, in strict mode: `assert tracked.events == [...]`."""
    from instrument.testing import recording  # noqa: PLC0415 - as the module says

    lost = ""
    try:
        with recording(strict=_LENIENT not in request.keywords) as recorder:
            yield recorder
    except AssertionError as error:
        lost = str(error)
    if lost:  # outside of `except`, where pytest would show every exception that came before
        pytest.fail(lost, pytrace=False)


def _cover_events(config: pytest.Config) -> None:
    """Observe which messages are emitted, where that is asked for."""
    packages: list[str | bool] | None = config.getoption(_COVERAGE)
    reports: list[str] | None = config.getoption(f"{_COVERAGE}-report")
    fail_under: float | None = config.getoption(f"{_COVERAGE}-fail-under")
    if packages is None:
        if reports is not None or fail_under is not None:
            raise pytest.UsageError(f"{_COVERAGE}-report and {_COVERAGE}-fail-under need {_COVERAGE}")
        return
    from instrument.testing.coverage_plugin import EventCoverage, Wanted  # noqa: PLC0415 - as the module says

    named = [each for each in packages if isinstance(each, str)] or _ini(config, "event_coverage_packages", _package)
    reports = reports or _ini(config, "event_coverage_report", _report) or ["term"]
    if fail_under is None and config.getini("event_coverage_fail_under"):
        (fail_under,) = _ini(config, "event_coverage_fail_under", _percent)
    wanted = Wanted(tuple(dict.fromkeys(named)), tuple(dict.fromkeys(reports)), fail_under)
    config.pluginmanager.register(EventCoverage(config, wanted), _COVERAGE_PLUGIN)


def _ini(config: pytest.Config, name: str, read: Callable[[str], T]) -> list[T]:
    values = config.getini(name)
    try:
        return [read(each) for each in ([values] if isinstance(values, str) else values)]
    except argparse.ArgumentTypeError as error:
        raise pytest.UsageError(f"{name}: {error}") from None


def _package(text: str) -> str:
    if text.endswith(".py") or not all(part.isidentifier() for part in text.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is no package. If it is what to test, write it before {_COVERAGE}")
    return text


def _report(text: str) -> str:
    kind, _, file = text.partition(":")
    if text not in ("term", "none") and not (kind in ("json", "html") and file):
        raise argparse.ArgumentTypeError(f"{text!r} is none of term, json:FILE, html:FILE and none")
    return text


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 100")
    return number


def _forbid() -> None:
    os.environ[_NO_NETWORK] = "pytest"


def _use_a_spool_of_our_own() -> None:
    """Let no test's messages lie where the application would find, and send, them."""
    if _SPOOL_PREFIX in os.environ.get(_SPOOL_DIR, ""):
        return  # a worker of xdist, or an inner test run
    directory = os.environ[_SPOOL_DIR] = tempfile.mkdtemp(prefix=_SPOOL_PREFIX)
    # Registered before any client is made, and so called after every client is closed.
    atexit.register(shutil.rmtree, directory, ignore_errors=True)


def _lift() -> Client | None:
    """Put a default client that only the ban disabled aside, for one that may send; return the one before."""
    before = _swap(None)
    banned = before is not None and not before.enabled and before.settings.enabled is not False
    _swap(_renewed(before) if before is not None and banned else before)
    return before


def _renewed(client: Client) -> Client | None:
    """Return a client with the same settings; `None` where they are those of the environment, by which it is made."""
    from instrument.client import Client  # noqa: PLC0415 - imported already, if there is a client
    from instrument.settings import Settings  # noqa: PLC0415

    settings = client.settings
    if settings == Settings():
        return None
    return Client(**{name: getattr(settings, name) for name in settings.model_fields_set})


def _restore(before: Client | None) -> None:
    """Put a default client back, and deliver what the test's own has accepted."""
    ours = _swap(before)
    if ours is not None and ours is not before:
        ours.close()


def _swap(client: Client | None) -> Client | None:
    module = sys.modules.get("instrument.client")
    return None if module is None else module.swap_default_client(client)
