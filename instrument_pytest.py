"""The pytest plugin: the `tracked` fixture, and no test that sends anything.

A module of its own, so that pytest, which imports every installed plugin, imports nothing of the package
before a test uses it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from instrument.client import Client
    from instrument.testing import Recorder

_DELIVERY = "instrument_delivery"
_LENIENT = "instrument_lenient"
# As in instrument.delivery.destination: read by every client, also in processes that a test starts.
_NO_NETWORK = "INSTRUMENT_NO_NETWORK"
_SPOOL_DIR = "INSTRUMENT_SPOOL_DIR"
_SPOOL_PREFIX = "instrument-pytest-"


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
