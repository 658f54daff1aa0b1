from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from instrument import Client, Scope, Track
from instrument.testing import Collector
from instrument.testing.collector import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0


class CollectorUser(Scope):
    user_id: int


class CollectorLetterPosted(Track, CollectorUser):
    pages: int


class Answer(NamedTuple):
    status: int
    document: Any
    retry_after: str | None = None


SUCCESS = Answer(200, {"success": True})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Threads for requests that are not answered at once."""
    with ThreadPoolExecutor() as pool:
        yield pool


def connect(url: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)


def ask(connection: HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return Answer(response.status, json.loads(response.read()), response.headers["Retry-After"])


def post(url: str, body: bytes, path: str = "/v1/batch", **headers: str) -> Answer:
    with closing(connect(url)) as connection:
        return ask(connection, "POST", path, body, **headers)


def batch(*messages: dict[str, Any]) -> bytes:
    return json.dumps({"batch": messages, "writeKey": "key"}, separators=(",", ":")).encode()


def letter(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Letter Posted", "userId": "7", "messageId": f"letter-{number}", **more}


def sized_letter(size: int) -> dict[str, Any]:
    """Make a message that takes so many bytes as JSON."""
    empty = len(json.dumps(letter(1, properties={"text": ""}), separators=(",", ":")))
    return letter(1, properties={"text": "x" * (size - empty)})


def sized_batch(size: int) -> bytes:
    body = batch(*[letter(number) for number in range(100)])
    return body + b" " * (size - len(body))


def raw_answer(url: str, request: bytes) -> bytes:
    """Send bytes that need not be HTTP, say that no more come, and return what comes back."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


class TestAsSegment:
    @pytest.mark.parametrize("path", ["/v1/batch", "/v1/import"])
    def test_messages_are_kept_as_they_came_and_answered_with_success(self, collector: Collector, path: str) -> None:
        assert post(collector.url, batch(letter(1), letter(2)), path) == SUCCESS
        assert post(collector.url, batch(letter(3)), path) == SUCCESS

        assert collector.messages == [letter(1), letter(2), letter(3)]

    def test_repetitions_are_kept_and_counted_by_message_id(self, collector: Collector) -> None:
        post(collector.url, batch(letter(1), letter(2)))
        post(collector.url, batch(letter(1), {"type": "track", "event": "Letter Without An Id"}))

        assert collector.counts == {"letter-1": 2, "letter-2": 1}
        assert collector.stats() == {"received": 4, "unique": 3, "duplicates": 1, "requests": 2}

    def test_requests_are_kept_with_their_head_and_size(self, collector: Collector) -> None:
        body = batch(letter(1))

        post(collector.url, gzip.compress(body), Content_Encoding="gzip", Authorization="Basic a2V5Og==")

        [request] = collector.requests
        assert (request.path, request.status, request.messages) == ("/v1/batch", 200, 1)
        assert (request.size, request.body, request.write_key) == (len(body), json.loads(body), "key")
        assert request.headers["content-encoding"] == "gzip"

    @pytest.mark.parametrize("authorization", ["Bearer a2V5Og==", "Basic ?", "Basic /w==", ""])
    def test_a_request_without_basic_authentication_has_no_write_key(
        self, collector: Collector, authorization: str
    ) -> None:
        assert post(collector.url, batch(letter(1)), Authorization=authorization) == SUCCESS

        assert [request.write_key for request in collector.requests] == [None]

    def test_one_connection_serves_many_requests(self, collector: Collector) -> None:
        with closing(connect(collector.url)) as connection:
            connection.connect()
            port = connection.sock.getsockname()

            answers = [ask(connection, "POST", "/v1/batch", batch(letter(number))) for number in range(3)]

            assert (answers, connection.sock.getsockname()) == ([SUCCESS] * 3, port)

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(sized_batch(MAX_BATCH_BYTES), id="body"),
            pytest.param(batch(sized_letter(MAX_MESSAGE_BYTES), letter(2)), id="message"),
            pytest.param(batch(*[letter(number) for number in range(MAX_BATCH_MESSAGES)]), id="count"),
            pytest.param(batch(), id="nothing"),
            pytest.param(b'{"batch": [{"event": "a lone surrogate: \\ud800"}]}', id="surrogate"),
        ],
    )
    def test_what_segment_takes_at_the_most_is_taken(self, collector: Collector, body: bytes) -> None:
        assert post(collector.url, body) == SUCCESS

        assert collector.messages == json.loads(body)["batch"]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(sized_batch(MAX_BATCH_BYTES + 1), id="body"),
            pytest.param(batch(letter(2), sized_letter(MAX_MESSAGE_BYTES + 1)), id="message"),
            pytest.param(batch(*[letter(number) for number in range(MAX_BATCH_MESSAGES + 1)]), id="count"),
            pytest.param(b"", id="empty"),
            pytest.param(batch(letter(1))[:-1], id="cut off"),
            pytest.param(b'{"batch": [{"event": "Letter Posted", "properties": {"weight": NaN}}]}', id="nan"),
            pytest.param(b'{"batch": [{"event": "\xff"}]}', id="not utf-8"),
            pytest.param(b"[" * 100_000, id="deep"),
            pytest.param(b"[]", id="list"),
            pytest.param(b'{"batch": {}}', id="no list"),
            pytest.param(b'{"batch": ["letter"]}', id="no messages"),
            pytest.param(b"{}", id="no batch"),
        ],
    )
    def test_bad_json_and_size_are_refused_and_nothing_is_kept(self, collector: Collector, body: bytes) -> None:
        assert post(collector.url, body).status == 400

        assert collector.messages == []
        assert [request.status for request in collector.requests] == [400]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"\x1f\x8bgarbage", id="garbage"),
            pytest.param(gzip.compress(batch(letter(1)))[:-9], id="cut off"),
            pytest.param(gzip.compress(b" " * (100 << 20)), id="bomb"),
        ],
    )
    def test_bad_gzip_is_refused(self, collector: Collector, body: bytes) -> None:
        assert post(collector.url, body, Content_Encoding="gzip").status == 400

        assert collector.messages == []

    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/batch"), ("POST", "/v1/nothing"), ("POST", "/stats")])
    def test_what_does_not_exist_is_not_found(self, collector: Collector, method: str, path: str) -> None:
        with closing(connect(collector.url)) as connection:
            assert ask(connection, method, path, batch(letter(1))).status == 404

        assert (collector.messages, collector.requests) == ([], [])


class TestAfterHostileRequests:
    @pytest.mark.parametrize(
        ("request_bytes", "answer_starts_with"),
        [
            pytest.param(b"POST /v1/batch HTTP/1.1\r\n\r\n{}", b"HTTP/1.1 400 ", id="no length"),
            pytest.param(b"POST /v1/batch HTTP/1.1\r\nContent-Length: -1\r\n\r\n{}", b"HTTP/1.1 400 ", id="negative"),
            pytest.param(b"POST /v1/batch HTTP/1.1\r\nContent-Length: x\r\n\r\n{}", b"HTTP/1.1 400 ", id="text"),
            pytest.param(
                b"POST /v1/batch HTTP/1.1\r\nContent-Length: 9" + b"9" * 5_000 + b"\r\n\r\n",
                b"HTTP/1.1 400 ",
                id="huge",
            ),
            pytest.param(
                b"POST /v1/batch HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{}", b"HTTP/1.1 400 ", id="too much"
            ),
            pytest.param(b"POST /v1/batch HTTP/1.1\r\nContent-Length: 99\r\n\r\n{}", b"", id="body cut off"),
            pytest.param(b"POST /v1/batch HTTP/1.1\r\nContent-Le", b"HTTP/1.1 400 ", id="head cut off"),
            pytest.param(b"\x16\x03\x01 hello over TLS\r\n\r\n", b"", id="no HTTP"),
            pytest.param(b"", b"", id="nothing"),
        ],
    )
    def test_the_next_request_is_served(
        self, collector: Collector, request_bytes: bytes, answer_starts_with: bytes
    ) -> None:
        answer = raw_answer(collector.url, request_bytes)

        assert answer.startswith(answer_starts_with)
        assert post(collector.url, batch(letter(1))) == SUCCESS
        assert collector.messages == [letter(1)]


class TestToldToFail:
    def test_a_status_is_answered_so_many_times_and_nothing_is_kept(self, collector: Collector) -> None:
        collector.behave("status", status=503, times=2)

        assert [post(collector.url, batch(letter(number))).status for number in range(3)] == [503, 503, 200]
        assert collector.messages == [letter(2)]
        assert [request.status for request in collector.requests] == [503, 503, 200]

    def test_a_status_is_answered_until_the_collector_is_told_otherwise(self, collector: Collector) -> None:
        collector.behave("status", status=401)
        assert [post(collector.url, batch(letter(number))).status for number in range(3)] == [401, 401, 401]

        collector.behave()

        assert post(collector.url, batch(letter(3))) == SUCCESS

    def test_a_rate_limit_says_when_to_come_again(self, collector: Collector) -> None:
        collector.behave("status", status=429, retry_after=7)

        answer = post(collector.url, batch(letter(1)))

        assert (answer.status, answer.retry_after) == (429, "7")

    def test_poison_costs_its_whole_batch(self, collector: Collector) -> None:
        collector.behave("poison", marker="Letter Bomb")

        by_event = post(collector.url, batch(letter(1), letter(2, event="Letter Bomb")))
        by_property = post(collector.url, batch(letter(3), letter(4, properties={"Letter Bomb": True})))
        without = post(collector.url, batch(letter(5), letter(6, properties="none")))

        assert (by_event.status, by_property.status, without.status) == (400, 400, 200)
        assert collector.messages == [letter(5), letter(6, properties="none")]

    def test_a_lost_answer_leaves_the_messages_kept(self, collector: Collector) -> None:
        collector.behave("lose answer", times=1)

        with pytest.raises(ConnectionError):
            post(collector.url, batch(letter(1)))
        post(collector.url, batch(letter(1)))

        assert collector.counts == {"letter-1": 2}
        assert [request.status for request in collector.requests] == [None, 200]

    def test_a_slow_answer_is_an_answer(self, collector: Collector) -> None:
        collector.behave("slow", delay=0.01)

        assert post(collector.url, batch(letter(1))) == SUCCESS
        assert collector.messages == [letter(1)]

    def test_a_hanging_request_is_dropped_when_released_and_never_kept(
        self, collector: Collector, elsewhere: ThreadPoolExecutor
    ) -> None:
        collector.behave("hang", times=1)
        hanging = elsewhere.submit(post, collector.url, batch(letter(1)))
        collector.wait_for_requests(1, PATIENCE)
        assert post(collector.url, batch(letter(2))) == SUCCESS
        assert not hanging.done()

        collector.release()

        with pytest.raises(ConnectionError):
            hanging.result(PATIENCE)
        assert collector.messages == [letter(2)]

    @pytest.mark.parametrize(
        "behaviour", [{"mode": "explode"}, {"mode": "status", "status": 200}, {"mode": "status", "times": 0}]
    )
    def test_what_it_cannot_do_is_an_error(self, collector: Collector, behaviour: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            collector.behave(**behaviour)

        assert post(collector.url, json.dumps(behaviour).encode(), "/control").status == 400
        assert post(collector.url, batch(letter(1))) == SUCCESS


class TestClosing:
    def test_a_hanging_request_is_dropped(self, elsewhere: ThreadPoolExecutor) -> None:
        with Collector() as collector:
            collector.behave("hang")
            hanging = elsewhere.submit(post, collector.url, batch(letter(1)))
            collector.wait_for_requests(1, PATIENCE)

        with pytest.raises(ConnectionError):
            hanging.result(PATIENCE)

    def test_a_slow_request_is_dropped(self, elsewhere: ThreadPoolExecutor) -> None:
        with Collector() as collector, closing(connect(collector.url)) as connection:
            collector.behave("slow", delay=3_600)
            connection.request("POST", "/v1/batch", batch(letter(1)))
            collector.close()

            with pytest.raises(ConnectionError):
                connection.getresponse()

        assert collector.messages == []

    def test_no_thread_is_left(self) -> None:
        before = set(threading.enumerate())
        with Collector() as collector, closing(connect(collector.url)) as idle:
            ask(idle, "POST", "/v1/batch", batch(letter(1)))

            collector.close()
            collector.close()

            assert [thread for thread in set(threading.enumerate()) - before if thread.is_alive()] == []

    def test_a_collector_started_again_is_at_its_address_and_has_what_it_had(self, collector: Collector) -> None:
        url = collector.url
        post(url, batch(letter(1)))

        collector.close()
        with pytest.raises(ConnectionError):
            post(url, batch(letter(2)))
        collector.start()

        assert post(url, batch(letter(3))) == SUCCESS
        assert collector.messages == [letter(1), letter(3)]


class TestWaiting:
    def test_it_ends_when_the_messages_have_come(self, collector: Collector, elsewhere: ThreadPoolExecutor) -> None:
        waiting = elsewhere.submit(collector.wait_for, 2, PATIENCE)

        post(collector.url, batch(letter(1), letter(1)))
        assert not waiting.done()
        post(collector.url, batch(letter(2)))

        assert waiting.result(PATIENCE) == [letter(1), letter(1), letter(2)]

    def test_what_did_not_come_is_an_error_that_tells_what_did(self, collector: Collector) -> None:
        post(collector.url, batch(letter(1)))

        with pytest.raises(TimeoutError, match=r"2 messages .* within 0 seconds; received: 1, unique: 1,"):
            collector.wait_for(2, timeout=0)
        with pytest.raises(TimeoutError, match="2 requests"):
            collector.wait_for_requests(2, timeout=0)

    def test_a_collector_that_was_not_started_has_no_address(self) -> None:
        with pytest.raises(RuntimeError, match="with Collector"):
            _ = Collector().url


class TestWithoutKeeping:
    def test_only_counts_stay_in_memory(self) -> None:
        with Collector(keep=False) as collector:
            post(collector.url, batch(letter(1), letter(2)))
            post(collector.url, batch(letter(1)))

        assert collector.messages == []
        assert [request.body for request in collector.requests] == [None, None]
        assert collector.stats() == {"received": 3, "unique": 2, "duplicates": 1, "requests": 2}


@pytest.mark.instrument_delivery
class TestWithTheRealClient:
    def test_messages_arrive_whole(self, collector: Collector) -> None:
        client = Client(write_key="key", host=collector.url)
        try:
            assert client.track(CollectorLetterPosted(user_id=7, pages=3), message_id="letter-1")
            [message] = collector.wait_for(1, PATIENCE)
        finally:
            client.close()

        context, timestamp = message.pop("context"), message.pop("timestamp")
        assert message == {
            "type": "track",
            "event": "Collector Letter Posted",
            "userId": "7",
            "properties": {"pages": 3},
            "messageId": "letter-1",
            "integrations": {},
        }
        assert context["library"]["name"] == "instrument-analytics"
        assert datetime.fromisoformat(timestamp.replace("Z", "+00:00")).tzinfo is not None
        assert [request.write_key for request in collector.requests] == ["key"]


class TestAsAProcess:
    def test_messages_are_in_the_file_before_they_are_answered_and_the_rest_goes_over_http(
        self, tmp_path: Path
    ) -> None:
        out = tmp_path / "received.jsonl"
        surrogate = letter(3, event="a lone surrogate: \ud800")
        with running("--out", str(out)) as url, closing(connect(url)) as connection:
            assert ask(connection, "POST", "/v1/batch", batch(letter(1), letter(2))) == SUCCESS
            assert written(out) == [letter(1), letter(2)]

            assert ask(connection, "POST", "/control", b'{"mode": "status", "status": 500, "times": 1}') == SUCCESS
            assert ask(connection, "POST", "/v1/batch", batch(letter(4))).status == 500
            assert ask(connection, "POST", "/v1/batch", batch(letter(1), surrogate)) == SUCCESS

            assert written(out) == [letter(1), letter(2), letter(1), surrogate]
            assert ask(connection, "GET", "/stats") == Answer(
                200, {"received": 4, "unique": 3, "duplicates": 1, "requests": 3}
            )


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Run a collector as a process of its own; give its address, and interrupt it at the end."""
    command = [sys.executable, "-W", "error", "-m", "instrument.testing.collector", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "")


def written(out: Path) -> list[Any]:
    return [json.loads(line) for line in out.read_bytes().splitlines()]
