# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from examples.grpc_app.app import WordFound, WordNotFound, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


@pytest.fixture
def look_up(tracked: Recorder) -> Iterator[Any]:
    """Call the method of a running server."""
    del tracked  # recorded from before the server starts
    with ThreadPoolExecutor(2) as pool:
        running = server(pool)
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel.unary_unary("/Dictionary/LookUp")
        running.stop(None).wait(30)


def test_a_word_that_is_found_is_told_of_who_asked(look_up: Any, tracked: Recorder) -> None:
    assert look_up(b"cat", metadata=[("x-user-id", "7")], timeout=30) == b"Katze"
    assert tracked.events == [WordFound(user_id=7, letters=3)]


def test_a_word_that_is_not_found_is_a_failure(look_up: Any, tracked: Recorder) -> None:
    with pytest.raises(grpc.RpcError):
        look_up(b"unicorn", metadata=[("x-user-id", "7")], timeout=30)
    assert tracked.events == [WordNotFound(user_id=7, code="NOT_FOUND")]
