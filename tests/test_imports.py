"""A good guest: importing the package changes nothing in the process but the modules that it has."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest


def _in_a_fresh_process(script: str, **environment: str) -> Any:
    """Run a script and return what it prints, as JSON."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def before_and_after() -> dict[str, list[Any]]:
    """What a process has before and after the import, by kind."""
    found: dict[str, list[Any]] = _in_a_fresh_process(
        """
        import atexit, builtins, json, logging, multiprocessing.process, os, signal, socket, subprocess, sys, threading
        import asyncio, concurrent.futures, contextlib, contextvars, functools, inspect, typing, weakref
        import contextvars_extras, pydantic, wrapt

        opened = []
        threads_started = []

        def hook(event, args):
            if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
                opened.append(str(args[0]))
            elif event in ("socket.connect", "subprocess.Popen", "os.system", "os.fork", "sqlite3.connect"):
                opened.append(event)
            elif event == "_thread.start_new_thread":
                threads_started.append(str(args[0]))

        def state():
            return {
                "threads": [each.name for each in threading.enumerate()],
                "descriptors": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
                "log handlers": [repr(each) for each in logging.getLogger().handlers],
                "log level": logging.getLogger().level,
                "signals": [repr(signal.getsignal(each)) for each in (signal.SIGTERM, signal.SIGINT)],
                "exit functions": [repr(os._exit), repr(sys.exit), repr(sys.excepthook), repr(threading.excepthook)],
                "others' functions": [
                    repr(each)
                    for each in (os.fork, threading.Thread.start, threading.Thread.run, subprocess.Popen.__init__,
                                 multiprocessing.process.BaseProcess.start, socket.socket.connect, builtins.open,
                                 contextvars.copy_context, asyncio.create_task, functools.wraps, inspect.signature)
                ],
                "environment": dict(os.environ),
            }

        sys.addaudithook(hook)
        before = state()
        import instrument
        after = state()
        own = logging.getLogger("instrument")
        print(json.dumps({
            **{kind: [before[kind], after[kind]] for kind in before},
            "written": [[], opened],
            "started": [[], threads_started],
            "own logger": [[[], 0, True], [[repr(each) for each in own.handlers], own.level, own.propagate]],
        }))
        """
    )
    return found


@pytest.mark.parametrize(
    "kind",
    [
        "threads",
        "started",
        "descriptors",
        "written",
        "log handlers",
        "log level",
        "own logger",
        "signals",
        "exit functions",
        "others' functions",
        "environment",
    ],
)
def test_an_import_changes_nothing(before_and_after: dict[str, list[Any]], kind: str) -> None:
    before, after = before_and_after[kind]
    assert after == before


def test_the_plugin_imports_nothing_of_the_package() -> None:
    listed = _in_a_fresh_process(
        """
        import json, sys
        import instrument_pytest
        print(json.dumps([name for name in sys.modules if name.partition(".")[0] in ("instrument", "pydantic", "wrapt")]))
        """
    )
    assert listed == []


_GUEST = """
from instrument import Scope, Track, request_scope, tracks

class GuestScope(Scope):
    user_id: int

class GuestSeen(Track, GuestScope):
    pass

@tracks(GuestSeen)
def handle():
    return "handled"
"""


def test_declaring_and_decorating_start_nothing() -> None:
    found = _in_a_fresh_process(
        _GUEST
        + dedent("""
        import json, sys, threading

        modules = [name for name in ("requests", "segment.analytics", "sqlite3", "pydantic_settings") if name in sys.modules]
        with request_scope(user_id=7):
            print(json.dumps([modules, threading.active_count(), sys.argv[1:]]))
        """)
    )
    assert found == [[], 1, []]


_SERVED = (
    _GUEST
    + """
import json, sys
from instrument import default_client
from instrument.integrations.asgi import ScopeMiddleware

def slow():
    return {name for name in sys.modules if name.partition(".")[0] in ("instrument", "requests", "segment", "sqlite3")}

async def application(*_): ...

ScopeMiddleware(application, lambda request: None)
before = slow()
with request_scope(user_id=7):
    handle()
accepted = default_client().stats().accepted
print(json.dumps([accepted, sorted({name.partition(".")[0] for name in before}), sorted(slow() - before)]))
default_client().close(0)
"""
)


@pytest.mark.instrument_delivery
def test_the_first_message_of_a_service_waits_for_no_import(tmp_path: Any) -> None:
    found = _in_a_fresh_process(
        _SERVED, SEGMENT_CLIENT_KEY="k", INSTRUMENT_HOST="http://127.0.0.1:9", INSTRUMENT_SPOOL_DIR=str(tmp_path)
    )
    assert found == [1, ["instrument", "requests", "segment", "sqlite3"], []]


@pytest.mark.parametrize(
    "switched_off", [{"SEGMENT_CLIENT_KEY": ""}, {"INSTRUMENT_ENABLED": "no"}, {"INSTRUMENT_DURABILITY": "?"}]
)
def test_a_service_that_sends_nothing_imports_nothing_for_that(switched_off: dict[str, str]) -> None:
    accepted, slow, _ = _in_a_fresh_process(_SERVED, **{"SEGMENT_CLIENT_KEY": "k", **switched_off})
    assert (accepted, slow) == (0, ["instrument"])


def test_a_client_that_is_disabled_starts_nothing(tmp_path: Any) -> None:
    found = _in_a_fresh_process(
        _GUEST
        + dedent("""
        import json, os, sys, threading

        with request_scope(user_id=7):
            handled = handle()
        modules = [name for name in ("requests", "segment.analytics", "sqlite3") if name in sys.modules]
        print(json.dumps([handled, modules, threading.active_count(), os.listdir(os.environ["INSTRUMENT_SPOOL_DIR"])]))
        """),
        SEGMENT_CLIENT_KEY="",
        INSTRUMENT_SPOOL_DIR=str(tmp_path),
    )
    assert found == ["handled", [], 1, []]
