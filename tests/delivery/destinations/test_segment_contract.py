"""Segment's HTTP API: the same requests as the package's own, and what each answer means for a batch."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from segment.analytics import request

from instrument import Held, Rejected, Unavailable
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.testing import Collector
from tests.delivery.envelopes import envelope, envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instrument import Envelope
    from instrument.delivery.destination import DeliveryError
    from instrument.testing.collector import Received

pytestmark = pytest.mark.instrument_delivery

KEY = "wk-ünïcode"
BATCHES = {
    "one message": [envelope(1)],
    "several": envelopes(range(1, 6)),
    "beyond ASCII": [envelope(1, event="Päckchen “sent” 📦\u2028\n\\")],
    "large": envelopes(range(1, 11), pad=30_000),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def destination(collector: Collector) -> Iterator[SegmentDestination]:
    made = SegmentDestination(KEY, host=collector.url)
    yield made
    made.close()


@pytest.fixture
def package() -> Iterator[Any]:
    """The module that the package sends with, without connections to what other tests have stopped."""
    yield request
    request._session.close()  # type: ignore[attr-defined]


def failure(destination: SegmentDestination) -> DeliveryError:
    with pytest.raises((Rejected, Unavailable)) as caught:
        destination.send([envelope(1)])
    return caught.value


def without(mapping: Any, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def both(
    collector: Collector, package: Any, batch: Sequence[Envelope], *, key: str = KEY, gzip: bool = False
) -> tuple[Received, Received]:
    """Send a batch with the package and with ours; return what the collector got of either."""
    package.post(key, host=collector.url, gzip=gzip, batch=[json.loads(each.body) for each in batch])
    destination = SegmentDestination(key, host=collector.url, gzip=gzip)
    destination.send(batch)
    destination.close()
    theirs, ours = collector.requests
    return theirs, ours


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_a_request_is_the_one_that_the_package_would_make(
    collector: Collector, package: Any, batch: list[Envelope], gzip: bool
) -> None:
    theirs, ours = both(collector, package, batch, gzip=gzip)
    # The package puts blanks between the pieces of its JSON, hence another length; and it lets answers be compressed.
    assert ours.headers["accept-encoding"] == "identity"
    ours_only = ("content-length", "accept-encoding")
    assert without(ours.headers, *ours_only) == without(theirs.headers, *ours_only)
    assert ours.path == theirs.path == "/v1/batch"
    assert ours.body.keys() == theirs.body.keys() == {"batch", "sentAt", "writeKey"}
    assert without(ours.body, "sentAt") == without(theirs.body, "sentAt")
    assert ours.body["writeKey"] == KEY
    assert ours.body["batch"] == [json.loads(each.body) for each in batch]
    assert (ours.status, theirs.status) == (200, 200)


def test_the_headers_tell_the_key_the_format_and_the_package(collector: Collector, package: Any) -> None:
    theirs, ours = both(collector, package, [envelope(1)], gzip=True)
    names = ("authorization", "content-type", "content-encoding", "user-agent")
    assert {name: ours.headers[name] for name in names} == {name: theirs.headers[name] for name in names}
    assert ours.write_key == KEY


def test_the_time_of_sending_has_the_form_that_the_package_gives_it(collector: Collector, package: Any) -> None:
    theirs, ours = both(collector, package, [envelope(1)])
    times = [datetime.fromisoformat(each.body["sentAt"]) for each in (theirs, ours)]
    assert [each.utcoffset() for each in times] == [timedelta(0)] * 2
    assert times == sorted(times)


@pytest.mark.parametrize("key", ['quo"ted', "back\\slash", "col:on", ""])
def test_no_write_key_breaks_the_body(collector: Collector, package: Any, key: str) -> None:
    theirs, ours = both(collector, package, [envelope(1)], key=key)
    assert ours.body["writeKey"] == theirs.body["writeKey"] == key
    assert ours.headers["authorization"] == theirs.headers["authorization"]


def test_passwords_that_the_machine_keeps_for_hosts_do_not_replace_the_write_key(
    collector: Collector, destination: SegmentDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    destination.send([envelope(1)])
    assert [each.write_key for each in collector.requests] == [KEY]


@pytest.mark.parametrize("path", ["", "/"])
def test_a_slash_behind_the_host_makes_no_difference(collector: Collector, path: str) -> None:
    destination = SegmentDestination(KEY, host=collector.url + path)
    destination.send([envelope(1)])
    destination.close()
    assert [each.path for each in collector.requests] == ["/v1/batch"]


@pytest.mark.parametrize("status", [400, 405, 413, 422])
def test_a_batch_that_will_never_be_taken_is_rejected(
    collector: Collector, destination: SegmentDestination, status: int
) -> None:
    collector.behave("status", status=status)
    failed = failure(destination)
    assert type(failed) is Rejected
    assert f"{collector.url}/v1/batch answered {status} " in str(failed)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "check the write key (SEGMENT_CLIENT_KEY)"),
        (403, "check the write key (SEGMENT_CLIENT_KEY)"),
        (302, "check the host (INSTRUMENT_HOST)"),
        (304, "check the host (INSTRUMENT_HOST)"),
        (404, "check the host (INSTRUMENT_HOST)"),
    ],
)
def test_what_somebody_must_act_on_holds_the_batch_and_says_what_to_check(
    collector: Collector, destination: SegmentDestination, status: int, hint: str
) -> None:
    collector.behave("status", status=status)
    failed = failure(destination)
    assert type(failed) is Held
    assert f"{collector.url}/v1/batch answered {status} " in str(failed)
    assert str(failed).endswith(hint)


@pytest.mark.parametrize("status", [408, 410, 429, 460, 500, 502, 503, 504, 511])
def test_what_may_pass_is_tried_again(collector: Collector, destination: SegmentDestination, status: int) -> None:
    collector.behave("status", status=status)
    failed = failure(destination)
    assert type(failed) is Unavailable
    assert failed.retry_after is None
    assert f"{collector.url}/v1/batch answered {status} " in str(failed)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [(7, 7), ("0", 0), ("-3", 0), ("86400", 300), ("Thu, 01 Jan 1970 00:00:00 GMT", None)],
)
def test_the_server_says_when_to_try_again(
    collector: Collector, destination: SegmentDestination, status: int, header: int | str, seconds: float | None
) -> None:
    collector.behave("status", status=status, retry_after=header)
    failed = failure(destination)
    assert isinstance(failed, Unavailable)
    assert failed.retry_after == seconds


def test_a_failure_tells_neither_the_key_nor_the_message(collector: Collector, destination: SegmentDestination) -> None:
    collector.behave("status", status=400)
    said = str(failure(destination))
    assert KEY not in said
    assert "Parcel Sent" not in said


def test_nothing_listening_is_tried_again() -> None:
    with socket.socket() as reserved:  # bound, so that nobody else gets the port, and not listening
        reserved.bind(("127.0.0.1", 0))
        destination = SegmentDestination(KEY, host=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        failed = failure(destination)
        destination.close()
    assert type(failed) is Unavailable
    assert failed.retry_after is None
    assert "cannot be reached (NewConnectionError)" in str(failed)


def test_an_answer_that_gets_lost_is_tried_again(collector: Collector, destination: SegmentDestination) -> None:
    collector.behave("lose answer", times=1)
    assert type(failure(destination)) is Unavailable
    destination.send([envelope(1)])
    assert collector.counts == {"message-1": 2}


def test_a_server_that_does_not_answer_in_time_is_tried_again(collector: Collector) -> None:
    collector.behave("hang")
    destination = SegmentDestination(KEY, host=collector.url, timeout=0.05)
    failed = failure(destination)
    destination.close()
    collector.release()
    assert type(failed) is Unavailable
    assert "cannot be reached (ReadTimeoutError)" in str(failed)


def test_a_destination_goes_on_after_a_failure_and_after_forgetting_its_connections(
    collector: Collector, destination: SegmentDestination
) -> None:
    collector.behave("status", status=503, times=1)
    assert type(failure(destination)) is Unavailable
    destination.send([envelope(1)])
    destination.forget_connections()
    destination.send([envelope(2)])
    assert [each["messageId"] for each in collector.messages] == ["message-1", "message-2"]


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_a_batch_at_the_limits_is_one_that_segment_takes(collector: Collector, gzip: bool) -> None:
    destination = SegmentDestination(KEY, host=collector.url, gzip=gzip)
    many = envelopes(range(destination.limits.count))
    size = len(envelope(0).body) + 1
    largest = [envelope(0, pad=32_000 - size)] * (destination.limits.size // 32_000)
    for batch in (many[: destination.limits.size // (size + 6)], largest):
        assert sum(len(each.body) + 1 for each in batch) <= destination.limits.size
        destination.send(batch)
    destination.close()
    assert [each.status for each in collector.requests] == [200, 200]


def test_the_proxy_of_the_environment_is_used_but_for_the_hosts_that_it_exempts(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", collector.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    SegmentDestination(KEY, host=collector.url).send([envelope(1)])
    elsewhere = SegmentDestination(KEY, host="http://segment.invalid")
    for _ in range(2):  # once more, over the connection that there is
        assert str(failure(elsewhere)).startswith("http://segment.invalid/v1/batch answered 404")  # by the proxy
    assert [each.messages for each in collector.requests] == [1]
