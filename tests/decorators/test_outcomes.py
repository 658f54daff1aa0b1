"""How a call ended decides which message is emitted; `failed_if` has the last word on what returns or raises."""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Call, Outcome, Scope, Track, tracks
from instrument.outcomes import judge_raised
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from instrument.testing import Recorder


class OutcomeScope(Scope):
    user_id: int


class OutcomeBegun(Track, OutcomeScope):
    outcome: str


class OutcomeDone(Track, OutcomeScope):
    outcome: str


class OutcomeFailed(Track, OutcomeScope):
    outcome: str
    status: int | None = None
    reason: str | None = None


class OutcomeDetailed(Track, OutcomeScope):
    error: str
    code: int
    seconds: float


def outcome(call: Call) -> str:
    return call.outcome.value


BEGUN = OutcomeBegun(user_id=7, outcome="running")
DONE = OutcomeDone(user_id=7, outcome="success")
START = OutcomeBegun.from_call(outcome=outcome)
SUCCESS = OutcomeDone.from_call(outcome=outcome)
FAILURE = OutcomeFailed.from_call(outcome=outcome)

observed = tracks(SUCCESS, start=START, failure=FAILURE)


def failed(outcome: str) -> OutcomeFailed:
    return OutcomeFailed(user_id=7, outcome=outcome)


@observed
def run(user_id: int, body: Callable[[], object]) -> object:
    return body()


@observed
async def run_async(user_id: int, body: Callable[[], object]) -> object:
    return body()


@observed
def run_generator(user_id: int, body: Callable[[], object]) -> Generator[object, None, None]:
    yield body()


@observed
async def run_async_generator(user_id: int, body: Callable[[], object]) -> AsyncGenerator[object, None]:
    yield body()


def drive(user_id: int, body: Callable[[], object]) -> None:
    """Run a coroutine without a loop, which would take `SystemExit` and `KeyboardInterrupt` for itself."""
    with pytest.raises(StopIteration):
        run_async(user_id, body).send(None)


def drive_async_generator(user_id: int, body: Callable[[], object]) -> None:
    async def exhaust() -> None:
        async for _ in run_async_generator(user_id, body):
            pass

    with pytest.raises(StopIteration):
        exhaust().send(None)


RUNS: dict[str, Callable[[int, Callable[[], object]], object]] = {
    "function": run,
    "coroutine": drive,
    "generator": lambda user_id, body: list(run_generator(user_id, body)),
    "async generator": drive_async_generator,
}


@pytest.fixture(params=RUNS.values(), ids=list(RUNS))
def run_as(request: pytest.FixtureRequest) -> Callable[[int, Callable[[], object]], object]:
    """Run a body in a handler of each nature."""
    runs: Callable[[int, Callable[[], object]], object] = request.param
    return runs


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


ENDINGS: dict[str, tuple[BaseException, list[Track]]] = {
    "exception": (ValueError("no"), [failed("failure")]),
    "KeyboardInterrupt": (KeyboardInterrupt(), [failed("cancelled")]),
    "CancelledError": (asyncio.CancelledError(), [failed("cancelled")]),
    "SystemExit without a code": (SystemExit(), []),
    "SystemExit(0)": (SystemExit(0), []),
    "SystemExit(1)": (SystemExit(1), [failed("failure")]),
    "SystemExit with a text": (SystemExit("no"), [failed("failure")]),
}


@pytest.mark.parametrize(("error", "emitted"), ENDINGS.values(), ids=ENDINGS)
def test_what_a_body_raises_decides_and_goes_on(
    tracked: Recorder,
    run_as: Callable[[int, Callable[[], object]], object],
    error: BaseException,
    emitted: list[Track],
) -> None:
    with pytest.raises(type(error)) as raised:
        run_as(7, raising(error))
    assert raised.value is error
    assert tracked.events == [BEGUN, *emitted]


def test_a_body_that_returns_is_a_success(
    tracked: Recorder, run_as: Callable[[int, Callable[[], object]], object]
) -> None:
    run_as(7, lambda: None)
    assert tracked.events == [BEGUN, DONE]


def test_a_generator_exit_in_a_function_counts_as_cancelled(tracked: Recorder) -> None:
    with pytest.raises(GeneratorExit):
        run(7, raising(GeneratorExit()))
    assert tracked.events == [BEGUN, failed("cancelled")]


def test_a_start_alone_is_emitted_whatever_happens(tracked: Recorder) -> None:
    @tracks(start=START)
    def fail(user_id: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        fail(7)
    assert tracked.events == [BEGUN]


def test_without_a_failure_message_an_exception_emits_nothing(tracked: Recorder) -> None:
    @tracks(SUCCESS)
    def fail(user_id: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        fail(7)
    assert tracked.events == []


class Rejection(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def test_the_failure_reads_the_error_its_attributes_and_the_duration(tracked: Recorder) -> None:
    @tracks(failure=OutcomeDetailed.from_call(error="error", code="error.code", seconds="duration"))
    def reject(user_id: int) -> None:
        raise Rejection(418)

    with pytest.raises(Rejection):
        reject(7)
    event = tracked.one(OutcomeDetailed)
    assert (event.error, event.code) == ("code 418", 418)
    assert event.seconds >= 0


def test_a_call_tells_all_of_itself_to_a_callable_source(tracked: Recorder) -> None:
    told: list[dict[str, Any]] = []

    def tell(call: Call) -> str:
        told.append(
            {
                "arguments": dict(call.arguments),
                "has_result": call.has_result,
                "result": call.result if call.has_result else None,
                "error": call.error,
                "outcome": call.outcome,
                "handler": call.handler.name,
            }
        )
        return "told"

    @tracks(OutcomeDone.from_call(outcome=tell), start=OutcomeBegun.from_call(outcome=tell))
    def double(user_id: int, *more: int, factor: int = 2, **rest: int) -> int:
        return user_id * factor

    assert double(7, 8, other=9) == 14
    arguments = {"user_id": 7, "more": (8,), "factor": 2, "rest": {"other": 9}}
    name = f"{__name__}:{double.__qualname__}"
    assert told == [
        {
            "arguments": arguments,
            "has_result": False,
            "result": None,
            "error": None,
            "outcome": Outcome.RUNNING,
            "handler": name,
        },
        {
            "arguments": arguments,
            "has_result": True,
            "result": 14,
            "error": None,
            "outcome": Outcome.SUCCESS,
            "handler": name,
        },
    ]


@dataclass
class Response:
    status: int


BY_RESULT = OutcomeFailed.from_call(outcome=outcome, status="result.status", reason="error")


def is_error_response(call: Call) -> bool:
    return bool(call.result.status >= 400)


@tracks(SUCCESS, failure=BY_RESULT, failed_if=is_error_response)
def respond(user_id: int, status: int) -> Response:
    if status == 0:
        raise ValueError("no response")
    return Response(status)


def test_failed_if_makes_a_returned_result_a_failure_and_returns_it(tracked: Recorder) -> None:
    assert respond(7, 503) == Response(503)
    assert tracked.events == [OutcomeFailed(user_id=7, outcome="failure", status=503)]


def test_failed_if_that_does_not_apply_leaves_a_success(tracked: Recorder) -> None:
    assert respond(7, 200) == Response(200)
    assert tracked.events == [DONE]


def test_failed_if_on_the_result_leaves_an_exception_a_failure(tracked: Recorder) -> None:
    with pytest.raises(ValueError, match=r"^no response$"):
        respond(7, 0)
    assert tracked.events == [OutcomeFailed(user_id=7, outcome="failure", reason="no response")]
    assert tracked.errors == ()


async def test_failed_if_judges_what_a_coroutine_returned(tracked: Recorder) -> None:
    @tracks(SUCCESS, failure=BY_RESULT, failed_if=is_error_response)
    async def answer(user_id: int, status: int) -> Response:
        return Response(status)

    assert await answer(7, 404) == Response(404)
    assert tracked.events == [OutcomeFailed(user_id=7, outcome="failure", status=404)]


def test_failed_if_judges_what_a_generator_returned(tracked: Recorder) -> None:
    @tracks(SUCCESS, failure=BY_RESULT, failed_if=is_error_response)
    def stream(user_id: int, status: int) -> Generator[str, None, Response]:
        yield "body"
        return Response(status)

    assert list(stream(7, 404)) == ["body"]
    assert tracked.events == [OutcomeFailed(user_id=7, outcome="failure", status=404)]


def is_server_error(call: Call) -> bool:
    return isinstance(call.error, Rejection) and call.error.code >= 500


@tracks(SUCCESS, failure=FAILURE, failed_if=is_server_error)
def reject(user_id: int, error: Exception | None) -> str:
    if error is not None:
        raise error
    return "accepted"


def test_failed_if_on_the_error_chooses_the_exceptions_that_are_failures(tracked: Recorder) -> None:
    with pytest.raises(Rejection, match=r"^code 500$"):
        reject(7, Rejection(500))
    assert tracked.events == [failed("failure")]


@pytest.mark.parametrize("error", [Rejection(302), ValueError("control flow")], ids=repr)
def test_failed_if_on_the_error_makes_other_exceptions_successes_though_they_go_on(
    tracked: Recorder, error: Exception
) -> None:
    with pytest.raises(type(error)) as raised:
        reject(7, error)
    assert raised.value is error
    assert tracked.events == [DONE]


def test_failed_if_on_the_error_leaves_what_returns_a_success(tracked: Recorder) -> None:
    assert reject(7, None) == "accepted"
    assert tracked.events == [DONE]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(1)], ids=repr)
def test_failed_if_is_not_asked_about_cancellation_and_exit(tracked: Recorder, error: BaseException) -> None:
    @tracks(SUCCESS, failure=FAILURE, failed_if=lambda _: pytest.fail("it was asked"))
    def stop(user_id: int) -> None:
        raise error

    with pytest.raises(type(error)):
        stop(7)
    assert tracked.events == [failed("failure" if isinstance(error, SystemExit) else "cancelled")]


def broken(call: Call) -> bool:
    raise LookupError("the predicate's own")


@tracks(SUCCESS, failure=FAILURE, failed_if=broken)
def judged_by_a_broken_predicate(user_id: int, error: Exception | None) -> str:
    if error is not None:
        raise error
    return "returned"


@pytest.fixture
def in_production() -> Iterator[Recorder]:
    """Record in production mode: what goes wrong is logged, not raised."""
    with recording(strict=False) as recorder:
        yield recorder


def test_a_predicate_that_raises_is_reported_and_leaves_a_success(
    in_production: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    assert judged_by_a_broken_predicate(7, None) == "returned"
    assert in_production.events == [DONE]
    assert in_production.client.stats().refused == {"error": 1}
    assert caplog.record_tuples == [_broken_predicate_logged()]


def test_a_predicate_that_raises_is_reported_and_leaves_a_failure(
    in_production: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("the handler's own")
    with pytest.raises(ValueError, match=r"^the handler's own$") as raised:
        judged_by_a_broken_predicate(7, error)
    assert raised.value is error
    assert in_production.events == [failed("failure")]
    assert in_production.client.stats().refused == {"error": 1}
    assert caplog.record_tuples == [_broken_predicate_logged()]


def test_a_predicate_that_raises_is_raised_in_strict_mode(tracked: Recorder) -> None:
    with pytest.raises(LookupError, match=r"^the predicate's own$"):
        judged_by_a_broken_predicate(7, None)


def test_a_predicate_whose_attribute_error_is_not_about_the_result_is_reported(in_production: Recorder) -> None:
    @tracks(SUCCESS, failure=FAILURE, failed_if=lambda call: call.error.code > 500)  # type: ignore[union-attr]
    def fail(user_id: int) -> None:
        raise ValueError("without a code")

    with pytest.raises(ValueError, match=r"^without a code$"):
        fail(7)
    assert in_production.events == [failed("failure")]
    assert in_production.client.stats().refused == {"error": 1}


def _broken_predicate_logged() -> tuple[str, int, str]:
    where = f"{__name__}:judged_by_a_broken_predicate ({__file__}:{_line_of_the_broken_predicate()}), failed_if"
    return "instrument", logging.ERROR, f"{where}: LookupError (logged once for this place; counted from now on)"


def _line_of_the_broken_predicate() -> int:
    return inspect.getsourcelines(judged_by_a_broken_predicate)[1]


class OutcomeExplained(Track, OutcomeScope, name="Outcome Explained"):
    why: str


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("no space"), "no space"),
        (ValueError(), "ValueError"),
        (asyncio.CancelledError("Cancelled via cancel scope 7fb1"), "cancelled"),
    ],
    ids=["its text", "its class where it has none", "the same for every cancelled call"],
)
def test_an_error_that_is_a_source_alone_gives(tracked: Recorder, error: BaseException, why: str) -> None:
    @tracks(failure=OutcomeExplained.from_call(why="error"))
    def fail(user_id: int) -> None:
        raise error

    with pytest.raises(type(error)):
        fail(7)
    assert tracked.events == [OutcomeExplained(user_id=7, why=why)]


class OutcomeOfBase(Exception):
    """What one framework judges."""


class OutcomeOfHeir(OutcomeOfBase):
    """What another one judges, of some only."""


judge_raised(OutcomeOfBase, lambda error, call: Outcome.DIVERTED)
judge_raised(OutcomeOfHeir, lambda error, call: Outcome.FAILURE if error.args else None)


@pytest.mark.parametrize(("error", "emitted"), [(OutcomeOfHeir("a"), [failed("failure")]), (OutcomeOfHeir(), [])])
def test_what_the_judge_of_a_class_leaves_open_that_of_a_base_decides(
    error: OutcomeOfHeir, emitted: list[OutcomeFailed]
) -> None:
    @tracks(SUCCESS, failure=FAILURE)
    def handler(user_id: int) -> None:
        raise error

    with recording() as tracked, pytest.raises(OutcomeOfHeir):
        handler(7)
    assert tracked.events == emitted
