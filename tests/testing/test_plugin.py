"""The pytest plugin, in real inner test runs."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]

EVENTS = dedent("""
    from instrument import Scope, Track, default_client, request_scope, tracks

    class PluginScope(Scope):
        user_id: int

    class PluginNoteSaved(Track, PluginScope):
        length: int
        tags: dict[str, int] = {}

    class PluginNoteShared(Track, PluginScope):
        pass

    @tracks(PluginNoteSaved)
    def save(user_id, length):
        return length

    @tracks(failure=PluginNoteSaved.from_call(length=lambda call: 1 // 0))
    def fail(user_id):
        raise LookupError("the handler's own")
""")

SENDS = dedent("""
    import os
    import subprocess
    import sys

    import pytest
    from instrument import Client, Scope, Track, configure, default_client

    class SendingScope(Scope):
        user_id: int

    class PluginMessageSent(Track, SendingScope):
        of: str

    def send(client, of):
        receipt = client.track(PluginMessageSent(user_id=7, of=of))
        client.close()
        return receipt

    CHILD = '''if True:
        from instrument import Client, Scope, Track
        class SendingScope(Scope):
            user_id: int
        class PluginMessageSent(Track, SendingScope):
            of: str
        client = Client()
        client.track(PluginMessageSent(user_id=7, of="a child process"))
        client.close()
    '''

    def send_from_a_child():
        subprocess.run([sys.executable, "-c", CHILD], check=True, timeout=60)
""")


class Server(ThreadingHTTPServer):
    """Takes whatever is posted, and keeps which messages came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def senders(self, *names: str) -> Counter[str]:
        return Counter({name: sum(body.count(f'"of":"{name}"'.encode()) for body in self.bodies) for name in names})


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in the place of Segment, for every client that takes its settings from the environment."""
    with serving() as server:
        monkeypatch.setenv("SEGMENT_CLIENT_KEY", "a-key")
        monkeypatch.setenv("INSTRUMENT_HOST", server.address)
        monkeypatch.delenv("INSTRUMENT_NO_NETWORK")
        yield server


@pytest.fixture(autouse=True)
def settings(pytester: pytest.Pytester) -> None:
    """The settings of the inner test runs."""
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        addopts = "--strict-markers"
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
    """)


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """An application's test directory, whose tests can use the events of a module `application`."""
    pytester.makepyfile(application=EVENTS)
    return pytester


# Plugins that these tests have no use for, and that take most of the time of an inner run to import.
NO_OTHERS = ("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:cacheprovider")


def run(inner: pytest.Pytester, *args: str) -> pytest.RunResult:
    return inner.runpytest_subprocess(*NO_OTHERS, *args, timeout=120)


def test_each_test_has_its_own_messages_under_xdist_asyncio_and_threads(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_recorded="""
        import asyncio
        import threading

        import pytest
        from application import *

        @pytest.mark.parametrize("user", range(8))
        def test_sync(tracked, user):
            save(user, 1)
            save(user, 2)
            assert tracked.events == [PluginNoteSaved(user_id=user, length=1), PluginNoteSaved(user_id=user, length=2)]

        @pytest.mark.parametrize("user", range(8))
        async def test_asyncio(tracked, user):
            async def branch(length):
                with request_scope(user_id=user):
                    await asyncio.sleep(0)
                    save(length=length, user_id=user)
            await asyncio.gather(*map(branch, range(5)))
            assert tracked.messages == [PluginNoteSaved(user_id=user, length=each) for each in range(5)]

        @pytest.mark.parametrize("user", range(8))
        def test_threads(tracked, user):
            for length in range(5):
                thread = threading.Thread(target=save, args=(user, length))
                thread.start()
                thread.join()
            assert [each.length for each in tracked.of(PluginNoteSaved, user_id=user)] == list(range(5))

        class TestInAClass:
            @pytest.fixture(autouse=True)
            def emits_before(self, tracked):
                save(1, 1)

            def test_a_fixture_s_messages_are_the_test_s(self, tracked):
                assert tracked.one(PluginNoteSaved) == PluginNoteSaved(user_id=1, length=1)
        """
    )
    run(inner, "-n", "2").assert_outcomes(passed=25)


def test_a_failed_comparison_shows_the_nearest_message_and_its_fields(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_compared="""
        from application import *

        def test_lists(tracked):
            save(7, 1); save(7, 2); save(8, 3)
            assert tracked.events == [
                PluginNoteSaved(user_id=7, length=1),
                PluginNoteSaved(user_id=9, length=2, tags={"a": 1}),
                PluginNoteShared(user_id=7),
                PluginNoteSaved(user_id=8, length=3),
            ]

        def test_reversed(tracked):
            save(7, 1)
            assert [PluginNoteSaved(user_id=7, length=2)] == tracked.events

        def test_too_many(tracked):
            save(7, 1)
            assert tracked.events == []

        def test_in(tracked):
            save(7, 1); save(9, 9)
            assert PluginNoteSaved(user_id=9, length=8) in tracked.events

        def test_not_at_all_in(tracked):
            save(7, 1)
            assert PluginNoteShared(user_id=7) in tracked.events

        def test_one(tracked):
            save(7, 1)
            assert tracked.one(PluginNoteSaved) == PluginNoteSaved(user_id=7, length=2)

        def test_order(tracked):
            save(7, 1); save(7, 2)
            assert tracked.events == [PluginNoteSaved(user_id=7, length=2), PluginNoteSaved(user_id=7, length=1)]

        def test_other_lists_are_left_to_pytest():
            assert ["a"] == ["b"]
        """
    )
    result = run(inner, "-vv")
    result.assert_outcomes(failed=8)
    result.stdout.fnmatch_lines(
        [
            "E * recorded == expected (3 and 4 messages)",
            "E *[[]1] PluginNoteSaved differs:",
            "E * user_id: expected 9, recorded 7",
            "E * tags.a: expected 1, recorded nothing",
            "E *[[]2] expected, not recorded: PluginNoteShared(user_id=7)",
            "*test_reversed*",
            "E * recorded == expected (1 and 1 messages)",
            "E * length: expected 2, recorded 1",
            "*test_too_many*",
            "E * recorded == expected (1 and 0 messages)",
            "E *[[]0] recorded, not expected: PluginNoteSaved(user_id=7, length=1, tags={})",
            "*test_in*",
            "E * expected in recorded (PluginNoteSaved, PluginNoteSaved)",
            "E * nearest: [[]1] PluginNoteSaved differs:",
            "E * length: expected 8, recorded 9",
            "*test_not_at_all_in*",
            "E * expected in recorded (PluginNoteSaved)",
            "E * expected, not recorded: PluginNoteShared(user_id=7)",
            "*test_one*",
            "E * recorded == expected",
            "E * PluginNoteSaved differs:",
            "E * length: expected 2, recorded 1",
            "*test_order*",
            "E * the same messages, in another order:",
            "*test_other_lists_are_left_to_pytest*",
            "E *assert ?'a'? == ?'b'?",
        ]
    )


def test_in_debug_mode_a_failed_comparison_tells_from_where_the_value_came(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUMENT_DEBUG", "1")
    inner.makepyfile(
        test_compared="""
        from application import *

        def test_lists(tracked):
            save(7, 1)
            assert tracked.events == [PluginNoteSaved(user_id=7, length=2)]
        """
    )
    result = run(inner)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *[[]0] PluginNoteSaved, emitted by application:save (*application.py:*), differs:",
            "E * length: expected 2, recorded 1, from argument 'length'",
        ]
    )


def test_errors_fail_a_test_unless_it_is_marked_as_lenient(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_strict="""
        import pytest
        from application import *

        def test_strict(tracked):
            save("nobody", 1)

        def test_held_back(tracked):
            with pytest.raises(LookupError):
                fail(7)

        @pytest.mark.instrument_lenient
        def test_lenient(tracked):
            assert save("nobody", 1) == 1
            with pytest.raises(LookupError):
                fail(7)
            assert tracked.messages == []
            assert tracked.client.stats().refused == {"invalid": 1, "source_failed": 1}

        @pytest.mark.instrument_lenient
        class TestLenient:
            def test_of_a_class(self, tracked):
                assert save("nobody", 1) == 1
        """
    )
    result = run(inner)
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_held_back*",
            "messages were lost; their handlers raised, so it could not be said at once:",
            "- application:fail (*application.py:*), failure PluginNoteSaved: *raised ZeroDivisionError",
            "  caused by ZeroDivisionError: *application.py:*",
            "*test_strict*",
            "E *Refusal: PluginNoteSaved: field 'user_id'*",
        ]
    )


def test_nothing_is_sent_from_tests_fixtures_conftests_or_child_processes(
    pytester: pytest.Pytester, server: Server
) -> None:
    pytester.makeconftest(
        SENDS
        + dedent("""
            from instrument import MemoryDestination
            from instrument.delivery.destinations.segment import SegmentDestination

            early = Client()
            send(Client(), "a conftest")

            @pytest.fixture(autouse=True)
            def sends():
                send(Client(), "a fixture")
                yield
                send(Client(), "a fixture's end")
        """)
    )
    pytester.makepyfile(
        """
        from conftest import *

        def test_default_client():
            assert send(default_client(), "the default client").error.reason.value == "disabled"

        def test_client_of_the_conftest():
            assert not send(early, "a client of the conftest")

        def test_configured():
            assert not send(configure(write_key="key", host=os.environ["INSTRUMENT_HOST"]), "a configured client")

        def test_destination():
            segment = SegmentDestination("key", host=os.environ["INSTRUMENT_HOST"])
            assert not send(Client(destinations=[segment]), "a destination")
            with pytest.raises(Exception, match="tests are running"):
                segment.send([])

        def test_local_destinations_work():
            memory = MemoryDestination()
            assert send(Client(destinations=[memory]), "memory")
            assert len(memory.envelopes) == 1

        def test_child():
            send_from_a_child()

        def test_tracked(tracked):
            assert send(default_client(), "a recording client")
            send_from_a_child()
        """
    )
    run(pytester).assert_outcomes(passed=7)
    assert server.bodies == []


def test_a_marked_test_sends_and_no_test_around_it(pytester: pytest.Pytester, server: Server) -> None:
    pytester.makeconftest(SENDS)
    pytester.makepyfile(
        """
        from conftest import *

        def test_before():
            assert not send(default_client(), "the test before")

        @pytest.mark.instrument_delivery
        def test_marked():
            assert send(default_client(), "the marked test")

        @pytest.mark.instrument_delivery
        def test_marked_child():
            send_from_a_child()

        @pytest.mark.instrument_delivery
        def test_not_waited_for():
            default_client().track(PluginMessageSent(user_id=7, of="a test that ends at once"))

        def test_after():
            assert not send(default_client(), "the test after")
            send_from_a_child()
        """
    )
    run(pytester).assert_outcomes(passed=5)
    assert server.senders(
        "the test before", "the marked test", "a child process", "a test that ends at once", "the test after"
    ) == {
        "the test before": 0,
        "the marked test": 1,
        "a child process": 1,
        "a test that ends at once": 1,
        "the test after": 0,
    }


def test_a_marked_test_keeps_the_settings_of_the_application_and_later_tests_its_client(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as elsewhere:
        monkeypatch.setenv("ELSEWHERE", elsewhere.address)
        pytester.makeconftest(SENDS + 'configured = configure(write_key="key", host=os.environ["ELSEWHERE"])\n')
        pytester.makepyfile(
            """
            from conftest import *
            from instrument import MemoryDestination

            @pytest.mark.instrument_delivery
            def test_marked():
                assert send(default_client(), "the marked test")

            def test_after():
                assert default_client() is configured
                assert not send(default_client(), "the test after")

            @pytest.mark.instrument_delivery
            def test_configures_itself():
                configure(write_key="key", host=os.environ["INSTRUMENT_HOST"])
                assert send(default_client(), "its own client")

            def test_at_last():
                assert default_client() is configured
            """
        )
        run(pytester).assert_outcomes(passed=4)
        assert elsewhere.senders("the marked test", "the test after") == {"the marked test": 1, "the test after": 0}
    assert server.senders("its own client", "the marked test") == {"its own client": 1, "the marked test": 0}


def test_messages_of_tests_lie_in_no_spool_of_the_application(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(pytester.path / "production"))
    pytester.makepyfile(
        """
        import os

        from instrument import Client, MemoryDestination, Scope, Track

        class SpoolingScope(Scope):
            user_id: int

        class PluginMessageSpooled(Track, SpoolingScope): ...

        def test_spooling():
            client = Client(destinations=[MemoryDestination()])
            assert client.track(PluginMessageSpooled(user_id=7))
            assert os.path.isdir(os.environ["INSTRUMENT_SPOOL_DIR"])
            with open("spool", "w") as file:
                file.write(os.environ["INSTRUMENT_SPOOL_DIR"])
        """
    )
    run(pytester).assert_outcomes(passed=1)
    assert not (pytester.path / "production").exists()
    assert not Path((pytester.path / "spool").read_text()).exists()


def test_the_plugin_imports_nothing_of_the_package_until_a_test_uses_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest

        def loaded():
            return [name for name in sys.modules if name.split(".")[0] in ("instrument", "pydantic", "wrapt")]

        def test_failing():
            assert loaded() == []
            assert ["a"] == ["b"]

        @pytest.mark.instrument_delivery
        def test_marked():
            assert loaded() == []

        def test_using(tracked):
            assert "instrument.testing.recorder" in loaded()
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E *assert ?'a'? == ?'b'?"])


def test_this_very_test_run_cannot_send() -> None:
    assert os.environ["INSTRUMENT_NO_NETWORK"]
