"""Handlers of AWS Lambda run in a request scope of their own, and flush before they return, within the deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, Envelope, MemoryDestination, Scope, Track, Unavailable, request_scope, tracks
from instrument.integrations.awslambda import opens_scope, returns_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instrument.testing import Recorder


class LambdaScope(Scope):
    user_id: int
    request_id: str


class LambdaDone(Track, LambdaScope): ...


class LambdaFailed(Track, LambdaScope): ...


@dataclass(frozen=True)
class Context:
    """What Lambda gives a handler beside the event."""

    aws_request_id: str = "first"
    milliseconds_left: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds_left


def scope_of(event: dict[str, Any], context: Context) -> dict[str, Any]:
    return {"user_id": event.get("user"), "request_id": context.aws_request_id}


async def scope_of_async(event: dict[str, Any], context: Context) -> LambdaScope:
    await asyncio.sleep(0)
    return LambdaScope(user_id=event["user"], request_id=context.aws_request_id)


tell = tracks(LambdaDone, failure=LambdaFailed, failed_if=returns_error)


@opens_scope(scope_of)
@tell
def handler(event: dict[str, Any], context: Context) -> Any:
    if "raise" in event:
        raise ValueError("broken")
    return event.get("answer", "done")


@opens_scope(scope_of_async)
@tell
async def async_handler(event: dict[str, Any], context: Context) -> Any:
    await asyncio.sleep(0)
    if "raise" in event:
        raise ValueError("broken")
    return event.get("answer", "done")


both = pytest.mark.parametrize("invoke", [handler, async_handler])


@both
def test_an_invocation_has_a_scope_of_its_own(tracked: Recorder, invoke: Callable[..., Any]) -> None:
    assert invoke({"user": 7}, Context()) == "done"
    assert invoke({"user": 8}, Context("second")) == "done"
    assert tracked.events == [LambdaDone(user_id=7, request_id="first"), LambdaDone(user_id=8, request_id="second")]
    assert request_scope.values() == {}


@both
def test_what_a_handler_raises_goes_on_and_is_a_failure(tracked: Recorder, invoke: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"^broken$"):
        invoke({"user": 7, "raise": True}, Context())
    assert tracked.events == [LambdaFailed(user_id=7, request_id="first")]


@both
@pytest.mark.parametrize(("status", "event"), [(200, LambdaDone), (302, LambdaDone), (404, LambdaFailed)])
def test_an_answer_with_an_error_status_is_a_failure_where_returns_error_judges(
    tracked: Recorder, invoke: Callable[..., Any], status: int, event: type[Track]
) -> None:
    invoke({"user": 7, "answer": {"statusCode": status}}, Context())
    assert [type(each) for each in tracked.events] == [event]


@both
@pytest.mark.parametrize("event", [{"user": 7}, {"user": 7, "raise": True}])
def test_a_handler_keeps_its_name(event: dict[str, Any], invoke: Callable[..., Any]) -> None:
    assert invoke.__name__ in ("handler", "async_handler")
    assert not asyncio.iscoroutinefunction(invoke)


@pytest.mark.instrument_lenient
def test_a_scope_from_that_raises_is_reported_and_the_handler_runs(
    tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    @opens_scope(scope_of)
    def plain(event: dict[str, Any], context: Context) -> str:
        return "done"

    assert plain(None, Context()) == "done"  # type: ignore[arg-type] # a malformed event
    assert "scope_from scope_of" in caplog.text
    assert "it raised AttributeError" in caplog.text


class Shop(MemoryDestination):
    """Takes nothing while it is shut."""

    def __init__(self) -> None:
        super().__init__("lambda")
        self.shut = False

    def send(self, batch: Sequence[Envelope]) -> None:
        if self.shut:
            raise Unavailable("shut", retry_after=0.01)
        super().send(batch)


@pytest.fixture
def destination() -> Shop:
    return Shop()


@pytest.fixture
def client(destination: Shop, tmp_path: Path) -> Iterator[Client]:
    client = Client(destinations=[destination], spool_dir=tmp_path, flush_timeout=300)
    yield client
    client.close(30)


def test_everything_is_delivered_when_a_handler_has_returned(client: Client, destination: Shop) -> None:
    @opens_scope(scope_of, clients=[client])
    @tracks(LambdaDone, client=client)
    def invoke(event: dict[str, Any], context: Context) -> None: ...

    for number in range(3):
        invoke({"user": number}, Context())
        assert len(destination.envelopes) == number + 1


def test_everything_is_delivered_when_a_handler_has_raised(client: Client, destination: Shop) -> None:
    @opens_scope(scope_of, clients=[client])
    @tracks(failure=LambdaFailed, client=client)
    def invoke(event: dict[str, Any], context: Context) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        invoke({"user": 7}, Context())
    assert len(destination.envelopes) == 1


@pytest.mark.parametrize("milliseconds_left", [550, 100, -1])
def test_a_flush_ends_before_the_deadline_and_the_next_invocation_delivers_the_rest(
    client: Client, destination: Shop, caplog: pytest.LogCaptureFixture, milliseconds_left: int
) -> None:
    @opens_scope(scope_of, clients=[client])
    @tracks(LambdaDone, client=client)
    def invoke(event: dict[str, Any], context: Context) -> str:
        return "done"

    destination.shut = True
    assert invoke({"user": 1}, Context(milliseconds_left=milliseconds_left)) == "done"
    assert "not all messages are delivered; the rest waits for the next invocation" in caplog.text
    destination.shut = False
    invoke({"user": 2}, Context())
    assert [message["userId"] for message in destination.messages] == ["1", "2"]


@pytest.mark.parametrize("context", [None, object()])
def test_without_a_deadline_the_setting_holds(client: Client, destination: Shop, context: Any) -> None:
    def of(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"user_id": event["user"], "request_id": "none"}

    @opens_scope(of, clients=[client])
    @tracks(LambdaDone, client=client)
    def invoke(event: dict[str, Any], context: Any) -> None: ...

    invoke({"user": 7}, context)
    assert len(destination.envelopes) == 1
