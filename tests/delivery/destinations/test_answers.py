"""Answers that are no good HTTP: what counts is the status line, and nothing is waited for without an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument import Held, Rejected, Unavailable
from instrument.delivery.destinations.amplitude import AmplitudeDestination
from instrument.delivery.destinations.mixpanel import MixpanelDestination
from instrument.delivery.destinations.segment import SegmentDestination
from tests.delivery.answering import Answer, Answering
from tests.delivery.destinations.vendors import one_of_each
from tests.delivery.envelopes import envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_delivery

HEAD = b"HTTP/1.1 200 OK\r\n"
GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""What such a body begins with; empty blocks may follow without an end."""


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as answering:
        yield answering


@pytest.fixture
def destination(server: Answering) -> Iterator[SegmentDestination]:
    made = SegmentDestination("key", host=server.url, timeout=0.2)
    yield made
    made.close()


@pytest.mark.parametrize(
    "answer",
    [
        Answer((HEAD + b"Content-Length: 1000\r\n\r\n", b"x"), pause=0.05, endless=True),
        Answer((HEAD + b"\r\n", b"x" * 65_536), endless=True),
        Answer((HEAD + b"Content-Length: 1000\r\n\r\nshort",)),
        Answer((HEAD + b"Content-Length: -1\r\n\r\nx",)),
        Answer((HEAD + b"Content-Length: 3\r\n\r\nlonger",)),
        Answer((HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",)),
        Answer((HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",)),
        Answer((HEAD + b"Content-Encoding: gzip\r\n\r\nno gzip",)),
        Answer((HEAD + b"Content-Encoding: gzip\r\n\r\n" + GZIP, b"\0\0\0\xff\xff"), pause=0.05, endless=True),
        Answer((HEAD + b"\r\n\xff\xfe\x00",)),
    ],
    ids=[
        "drips",
        "endless",
        "cut off",
        "negative length",
        "too long",
        "cut chunk",
        "no chunk",
        "no gzip",
        "gzip of nothing",
        "binary",
    ],
)
def test_a_batch_that_was_taken_is_taken_whatever_the_body_is(
    server: Answering, destination: SegmentDestination, answer: Answer
) -> None:
    server.answer([answer])
    destination.send([envelope(1)])  # and does not raise


@pytest.mark.parametrize(
    "piece",
    [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 ", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 100, HEAD + b"a" * 70_000],
)
def test_what_is_no_answer_is_none(server: Answering, destination: SegmentDestination, piece: bytes) -> None:
    server.answer([Answer((piece,))] * 2)
    with pytest.raises(Unavailable, match=r"^http://127.0.0.1:\d+/v1/batch cannot be reached \(\w+\)$"):
        destination.send([envelope(1)])


def test_profiles_of_which_nothing_whole_was_answered_are_sent_again(server: Answering) -> None:
    identify = next(each for each in one_of_each() if each.type == "identify")
    destination = MixpanelDestination("token", host=server.url, timeout=0.2)
    server.answer([Answer((HEAD + b'Content-Length: 13\r\n\r\n{"status": 1',))] * 3)
    with pytest.raises(Unavailable, match=r"(engage|import)\?\w+=1 answered 200, and broke off$"):
        destination.send([identify])
    destination.close()


def test_a_refusal_of_which_nobody_knows_whether_it_is_about_the_key_comes_again(server: Answering) -> None:
    destination = AmplitudeDestination("key", host=server.url, timeout=0.2)
    server.answer([Answer((b'HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n{"error": "Inval',))])
    with pytest.raises(Unavailable, match=r"answered 400, and broke off$"):
        destination.send(one_of_each()[:1])
    destination.close()


def test_a_redirect_is_not_followed(server: Answering, destination: SegmentDestination) -> None:
    server.answer([Answer((b"HTTP/1.1 307 Moved\r\nLocation: " + server.url.encode() + b"/x\r\n\r\n",))])
    with pytest.raises(Held, match="answered 307 Moved: check the host"):
        destination.send([envelope(1)])


def test_no_status_line_commands_the_terminal_of_who_reads_the_log(
    server: Answering, destination: SegmentDestination
) -> None:
    server.answer([Answer((b"HTTP/1.1 400 \x1b[2J" + b"x" * 1_000 + b"\r\nContent-Length: 0\r\n\r\n",))])
    with pytest.raises(Rejected) as raised:
        destination.send([envelope(1)])
    assert str(raised.value).endswith("answered 400 \\x1b[2J" + "x" * 93)


@pytest.mark.parametrize(
    ("asked", "waits"), [("0", 0), ("9" * 30, 300), ("9" * 5_000, None), ("-7", 0), ("soon", None), ("nan", None)]
)
def test_nobody_can_ask_to_wait_for_ever(
    server: Answering, destination: SegmentDestination, asked: str, waits: float | None
) -> None:
    head = f"HTTP/1.1 503 No\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
    server.answer([Answer((head.encode(),))])
    with pytest.raises(Unavailable) as raised:
        destination.send([envelope(1)])
    assert raised.value.retry_after == waits


def test_a_host_that_no_resolver_takes_is_one_that_cannot_be_reached() -> None:
    destination = SegmentDestination("key", host=f"http://{'a' * 300}")
    with pytest.raises(Unavailable, match=r"cannot be reached \(LocationParseError\)$"):
        destination.send([envelope(1)])
