"""Any bytes, at any pace, in the place of an answer: every message comes to a known end, and the worker lives on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument import Client, Held, Rejected, Scope, Track, Unavailable
from instrument.delivery.destinations.amplitude import AmplitudeDestination
from instrument.delivery.destinations.mixpanel import MixpanelDestination
from instrument.delivery.destinations.posthog import PostHogDestination
from instrument.delivery.destinations.rudderstack import RudderStackDestination
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.delivery.destinations.snowplow import SnowplowDestination
from tests.delivery.answering import TAKEN, Answer, Answering
from tests.delivery.destinations.vendors import one_of_each
from tests.fuzz.fuzzing import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument import Destination

pytestmark = [pytest.mark.instrument_delivery, pytest.mark.instrument_lenient]

PATIENCE = 20.0


class AnswerFuzzScope(Scope):
    user_id: int


class AnswerFuzzed(Track, AnswerFuzzScope):
    number: int


_words = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=12).map(
    lambda each: each.encode("latin-1")
)
_headers = st.tuples(
    st.sampled_from(
        [
            *(b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"Location", b"Set-Cookie", b"Connection"),
            *(b"Content-Type", b"Trailer", b"", b"X"),
        ]
    )
    | _words,
    st.sampled_from(
        [
            *(b"0", b"17", b"1000", b"-1", b"chunked", b"gzip", b"deflate", b"gzip, gzip", b"close", b"keep-alive"),
            *(b"http://127.0.0.1:1/", b"//", b"9" * 30, b"x" * 9_000, b"text/html; charset=utf-16"),
        ]
    )
    | _words,
).map(lambda pair: pair[0] + b": " + pair[1] + b"\r\n")
_retries = st.sampled_from(
    [
        b"0",
        b"-1",
        b"nan",
        b"1e9",
        b"soon",
        b"Wed, 21 Oct 2015 07:28:00 GMT",
        b"Wed, 99 Foo 99999 99:99:99 +9999",
        b"\xff",
    ]
).map(lambda value: b"Retry-After: " + value + b"\r\n")
_bodies = st.binary(max_size=60) | st.sampled_from(
    [
        b'{"success": true}',
        b'{"error": "Invalid API key"}',
        b"[" * 5_000,
        b'{"status": 1}',
        b"5\r\nabcde\r\n0\r\n\r\n",
        b"\x1f\x8b",
    ]
)


def _answers(statuses: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    parts = st.tuples(statuses, _words, st.lists(_headers | _retries, max_size=4), _bodies)
    return parts.map(lambda each: b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (each[0], each[1], b"".join(each[2]), each[3]))


def _cut(whole: bytes) -> st.SearchStrategy[Answer]:
    """Send bytes whole or up to somewhere, in one piece or several, and perhaps before the request was read."""
    return st.builds(
        lambda end, middle, pause, reads: Answer(
            (whole[: min(middle, end)], whole[min(middle, end) : end]), pause=pause, reads=reads
        ),
        st.integers(0, len(whole)) | st.just(len(whole)),
        st.integers(0, len(whole)),
        st.sampled_from([0.0, 0.0, 0.0, 0.02]),
        st.sampled_from([True, True, True, False]),
    )


_any_answer = (_answers(st.integers(0, 999)) | st.binary(max_size=80)).flatmap(_cut)
# Those after which a batch is tried again, or is dead: of 401, 403, 404 and redirects somebody has to hear.
_passing = (
    _answers(st.sampled_from([200, 204, 400, 408, 413, 422, 429, 500, 503, 599])) | st.binary(max_size=80)
).flatmap(_cut)


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    with Answering() as answering:
        yield answering


MAKERS: dict[str, Callable[[str], Destination]] = {
    "segment": lambda url: SegmentDestination("key", host=url, timeout=0.1),
    "rudderstack": lambda url: RudderStackDestination("key", url, timeout=0.1),
    "posthog": lambda url: PostHogDestination("key", host=url, timeout=0.1),
    "amplitude": lambda url: AmplitudeDestination("key", host=url, timeout=0.1),
    "mixpanel": lambda url: MixpanelDestination("key", host=url, timeout=0.1),
    "snowplow": lambda url: SnowplowDestination(url, vendor="com.shop", timeout=0.1),
}


@pytest.mark.parametrize("name", MAKERS)
def test_any_answer_has_one_of_the_known_meanings(server: Answering, name: str) -> None:
    destination = MAKERS[name](server.url)
    batch = one_of_each()[:1]

    @examples(25)
    @given(answers=st.lists(_any_answer, min_size=1, max_size=3))
    def meant(answers: list[Answer]) -> None:
        server.answer(answers)
        try:
            destination.send(batch)
        except Held as held:
            assert held.retry_after is None
        except Unavailable as unavailable:
            assert unavailable.retry_after is None or 0 <= unavailable.retry_after <= 300
            assert str(unavailable).isprintable()
        except Rejected as rejected:
            assert str(rejected).isprintable()

    meant()
    destination.close()


@examples(12)
@given(answers=st.lists(_passing, max_size=4))
def test_any_answers_leave_a_worker_that_delivers(
    server: Answering, tmp_path_factory: pytest.TempPathFactory, answers: list[Answer]
) -> None:
    server.answer(answers)
    before = set(threading.enumerate())
    client = Client(
        write_key="key", host=server.url, timeout=0.1, spool_dir=tmp_path_factory.mktemp("spool"), durability="batched"
    )
    for number in range(3):
        assert client.track(AnswerFuzzed(user_id=7, number=number))
    _hurried(client)
    stats = client.stats()
    assert stats.accepted == 3
    assert sum(stats.delivered.values()) + sum(stats.dead.values()) == 3
    assert client.close(PATIENCE)
    for each in set(threading.enumerate()) - before:
        if each.name.startswith("instrument-"):
            each.join(PATIENCE)
            assert not each.is_alive(), each.name


def _hurried(client: Client) -> None:
    """Have everything settled without the pauses between attempts, which a flush ends."""
    done: Any = False
    for _ in range(200):
        done = client.flush(0.1)
        if done:
            break
    assert done, client.stats()


def test_the_answer_that_means_taken_is_one(server: Answering) -> None:
    """What the others end with, so that they could not all be tried for ever."""
    server.answer([Answer((TAKEN,))])
    destination = MAKERS["segment"](server.url)
    destination.send(one_of_each()[:1])
    destination.close()
