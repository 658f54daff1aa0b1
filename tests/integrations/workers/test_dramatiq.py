"""The request scope goes along with Dramatiq's messages; what will be run again has not failed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from dramatiq import Actor, Middleware, Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import Retry
from dramatiq.middleware import AsyncIO, SkipMessage

from instrument import Client, MemoryDestination, Scope, Track, request_scope, tracks
from instrument.integrations.dramatiq import ScopeMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instrument.testing import Recorder


class ActorScope(Scope):
    user_id: int


class ActorDone(Track, ActorScope): ...


class ActorFailed(Track, ActorScope):
    error: str


tell = tracks(ActorDone, failure=ActorFailed.from_call(error=lambda call: type(call.error).__name__))
DONE = ActorDone(user_id=7)


def failed(error: str) -> ActorFailed:
    return ActorFailed(user_id=7, error=error)


class Skipping(Middleware):
    """Skips every message that asks for it."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        if "skip" in message.args:
            raise SkipMessage


class Stage:
    """A broker in the process with a running worker of one thread."""

    def __init__(self, **options: Any) -> None:
        self.broker = StubBroker()
        self.broker.add_middleware(ScopeMiddleware(**options))
        self.broker.add_middleware(AsyncIO())
        self.broker.add_middleware(Skipping())
        self.seen: list[dict[str, Any]] = []
        self.worker = Worker(self.broker, worker_timeout=10, worker_threads=1)
        self.worker.start()

    def actor(self, function: Callable[..., Any], **options: Any) -> Actor[..., Any]:
        options = {"min_backoff": 1, "max_backoff": 1, "max_retries": 0, **options}
        return Actor(
            function, broker=self.broker, actor_name="actor", queue_name="default", priority=0, options=options
        )

    def see(self, *_: Any) -> None:
        self.seen.append(request_scope.values())

    def wait(self) -> None:
        self.broker.join("default", timeout=20_000, fail_fast=False)
        self.worker.join()

    def stop(self) -> None:
        self.worker.stop()


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("dramatiq").setLevel(logging.NOTSET)


@pytest.fixture
def stage(quiet: None) -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.stop()


def fails(times: int, error: Exception) -> Callable[[], None]:
    """Make a function that raises so often, and then returns."""
    left = [error] * times

    @tell
    def body() -> None:
        if left:
            raise left.pop()

    return body


def send(actor: Actor[..., Any], *args: Any, user_id: int = 7) -> None:
    with request_scope(user_id=user_id):
        actor.send(*args)


def test_the_scope_goes_along_with_a_message_and_is_gone_after_it(stage: Stage, tracked: Recorder) -> None:
    actor = stage.actor(stage.see)
    send(actor)
    send(actor, user_id=8)
    actor.send()
    stage.wait()
    assert stage.seen == [{"user_id": 7}, {"user_id": 8}, {}]


def test_an_actor_that_succeeds_emits_in_the_scope_of_who_sent_the_message(stage: Stage, tracked: Recorder) -> None:
    send(stage.actor(fails(0, ValueError())))
    stage.wait()
    assert tracked.events == [DONE]


def test_an_attempt_that_will_be_repeated_is_neither_a_success_nor_a_failure(stage: Stage, tracked: Recorder) -> None:
    send(stage.actor(fails(2, ValueError()), max_retries=2))
    stage.wait()
    assert tracked.events == [DONE]


def test_the_last_attempt_that_raises_is_a_failure(stage: Stage, tracked: Recorder) -> None:
    send(stage.actor(fails(3, ValueError()), max_retries=2))
    stage.wait()
    assert tracked.events == [failed("ValueError")]


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": 2, "throws": (ValueError,)},
        {"max_retries": 2, "retry_when": lambda retries, error: False},
    ],
    ids=["throws", "retry_when"],
)
def test_what_an_actor_is_not_retried_for_is_a_failure_at_once(
    stage: Stage, tracked: Recorder, options: dict[str, Any]
) -> None:
    send(stage.actor(fails(1, ValueError()), **options))
    stage.wait()
    assert tracked.events == [failed("ValueError")]


def test_an_actor_that_asks_for_a_retry_has_not_failed(stage: Stage, tracked: Recorder) -> None:
    send(stage.actor(fails(1, Retry(delay=1)), max_retries=1))
    stage.wait()
    assert tracked.events == [DONE]


def test_another_handler_that_fails_inside_an_actor_that_is_retried_has_failed(stage: Stage, tracked: Recorder) -> None:
    inner = fails(1, ValueError())

    @tracks(ActorDone)
    def outer() -> None:
        inner()

    send(stage.actor(outer, max_retries=1))
    stage.wait()
    assert tracked.events == [failed("ValueError"), DONE, DONE]


def test_an_asynchronous_actor_has_the_scope(stage: Stage, tracked: Recorder) -> None:
    left = [ValueError()]

    @tell
    async def body() -> None:
        if left:
            raise left.pop()

    send(stage.actor(body, max_retries=1))
    stage.wait()
    assert tracked.events == [DONE]


def test_a_message_that_is_skipped_leaves_no_scope_behind(stage: Stage, tracked: Recorder) -> None:
    actor = stage.actor(stage.see)
    send(actor, "skip")
    actor.send()
    stage.wait()
    assert stage.seen == [{}]


def test_a_message_that_was_sent_with_a_delay_keeps_its_scope(stage: Stage, tracked: Recorder) -> None:
    actor = stage.actor(stage.see)
    with request_scope(user_id=7):
        actor.send_with_options(delay=1)
    stage.wait()
    assert stage.seen == [{"user_id": 7}]


def test_what_came_along_is_not_believed_where_it_is_no_scope(stage: Stage, tracked: Recorder) -> None:
    actor = stage.actor(stage.see)
    actor.send_with_options(instrument_scope='{"user_id": 7, "stranger": 1}')
    actor.send_with_options(instrument_scope=[7])
    stage.wait()
    assert stage.seen == [{"user_id": 7}, {}]


@pytest.mark.usefixtures("quiet")
def test_scope_from_says_what_did_not_come_along(tracked: Recorder) -> None:
    def of_message(message: Any) -> dict[str, Any]:
        return {"user_id": message.args[0]}

    stage = Stage(scope_from=of_message)
    stage.actor(stage.see).send(9)
    stage.wait()
    stage.stop()
    assert stage.seen == [{"user_id": 9}]


@pytest.mark.usefixtures("quiet")
def test_a_worker_that_stops_delivers(tmp_path: Path) -> None:
    memory = MemoryDestination()
    client = Client(destinations=[memory], spool_dir=tmp_path, flush_timeout=30)
    stage = Stage(clients=[client])
    send(stage.actor(tracks(ActorDone, client=client)(lambda: None)))
    stage.wait()
    stage.stop()
    assert [message["userId"] for message in memory.messages] == ["7"]
    client.close()
