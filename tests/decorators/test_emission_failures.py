"""Whatever goes wrong in the instrumentation: in production the handler never hears of it, in strict mode tests do."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, MemoryDestination, Reason, Refusal, Scope, Track, tracks
from instrument.testing import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from instrument import Call
    from instrument.decorators import Decorate
    from instrument.delivery.envelope import Envelope


OnError = Callable[[BaseException, str], object]
Handle = Callable[[Callable[[], object]], object]


class FaultScope(Scope):
    user_id: int


class FaultDone(Track, FaultScope):
    note: str = ""


class FaultFailed(Track, FaultScope):
    note: str = ""


class LeakyTransport(Recorder):
    """A transport that raises for every envelope."""

    def put(self, envelope: Envelope, message: object) -> None:
        raise OSError("no space on a disk named after a customer")


def broken_source(call: Call) -> int:
    raise LookupError("with a value of a customer's in it")


def wrong_type(call: Call) -> str:
    return "no number"


def lone_surrogate(call: Call) -> str:
    return "\ud800"


def recording_client(strict: bool, on_error: OnError) -> Client:
    return Recorder(strict=strict, on_error=on_error).client


def full(strict: bool, on_error: OnError) -> Client:
    return Client(destinations=[MemoryDestination()], spool_max_bytes=1, strict=strict, on_error=on_error)


def leaky(strict: bool, on_error: OnError) -> Client:
    return Client(transport=LeakyTransport(), strict=strict, on_error=on_error)


def closed(strict: bool, on_error: OnError) -> Client:
    client = Client(destinations=[MemoryDestination()], strict=strict, on_error=on_error)
    client.close()
    return client


@dataclass(frozen=True)
class Fault:
    """One way in which instrumentation goes wrong.

    Attributes:
        reason: under which it is counted.
        text: what is logged of it, with `{model}` for the message class.
        sources: of both messages.
        message_id: the source of the ids.
        client: makes the client.
    """

    reason: str
    text: str
    sources: dict[str, Any] = field(default_factory=lambda: {"user_id": lambda _: 7})
    message_id: Any = None
    client: Callable[[bool, OnError], Client] = recording_client


FAULTS = {
    "the user is found nowhere": Fault(
        "unresolved",
        "{model}: field 'user_id': Field required; for 'user_id' were tried: "
        "request scope 'user_id', argument 'user_id' (the handler has no such parameter)",
        sources={},
    ),
    "a source raises": Fault(
        "source_failed",
        "{model}: field 'user_id': reading callable broken_source raised LookupError",
        sources={"user_id": broken_source},
    ),
    "a path ends early": Fault(
        "source_failed",
        "{model}: field 'user_id': reading path 'body.owner.id' raised AttributeError",
        sources={"user_id": "body.owner.id"},
    ),
    "a value does not fit": Fault(
        "invalid",
        "{model}: field 'user_id': Input should be a valid integer, unable to parse string as an integer",
        sources={"user_id": wrong_type},
    ),
    "a value has no JSON form": Fault(
        "not_serializable",
        "{name}: a text has a lone surrogate, which UTF-8 cannot say",
        sources={"user_id": lambda _: 7, "note": lone_surrogate},
    ),
    "the source of the message id raises": Fault(
        "source_failed", "reading message_id raised LookupError", message_id=broken_source
    ),
    "the client is closed": Fault("closed", "the client is closed", client=closed),
    "the queue is full": Fault("queue_full", "the queue is full (spool_max_bytes)", client=full),
    "the transport raises": Fault("error", "OSError", client=leaky),
}


def decorated_function(decorate: Decorate) -> tuple[Any, Handle]:
    @decorate
    def handle(body: Callable[[], object]) -> object:
        return body()

    return handle, handle


def decorated_coroutine(decorate: Decorate) -> tuple[Any, Handle]:
    @decorate
    async def handle(body: Callable[[], object]) -> object:
        return body()

    return handle, lambda body: asyncio.run(handle(body))


def decorated_generator(decorate: Decorate) -> tuple[Any, Handle]:
    @decorate
    def handle(body: Callable[[], object]) -> Iterator[object]:
        yield body()

    return handle, lambda body: list(handle(body))[0]  # noqa: RUF015 - exhausted, so that it succeeds


def decorated_async_generator(decorate: Decorate) -> tuple[Any, Handle]:
    @decorate
    async def handle(body: Callable[[], object]) -> AsyncIterator[object]:
        yield body()

    async def exhaust(body: Callable[[], object]) -> object:
        return [each async for each in handle(body)][0]  # noqa: RUF015 - exhausted, so that it succeeds

    return handle, lambda body: asyncio.run(exhaust(body))


NATURES: dict[str, Callable[[Decorate], tuple[Any, Handle]]] = {
    "function": decorated_function,
    "coroutine": decorated_coroutine,
    "generator": decorated_generator,
    "async generator": decorated_async_generator,
}

faults = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
natures = pytest.mark.parametrize("decorated", NATURES.values(), ids=NATURES)


def decorator(fault: Fault, client: Client) -> Decorate:
    return tracks(
        FaultDone.from_call(**fault.sources),
        failure=FaultFailed.from_call(**fault.sources),
        message_id=fault.message_id,
        client=client,
    )


def place(handler: Any, moment: str) -> str:
    return f"{handler.__module__}:{handler.__qualname__} ({__file__}:{inspect.getsourcelines(handler)[1]}), {moment}"


def told(fault: Fault, model: type[Track]) -> str:
    return fault.text.format(model=model.__name__, name=f"Fault {model.__name__.removeprefix('Fault')}")


def logged(handler: Any, fault: Fault, moment: str, model: type[Track]) -> tuple[str, int, str]:
    text = f"{place(handler, moment)} {model.__name__}: {told(fault, model)} (logged once for this place; counted from now on)"
    return "instrument", logging.ERROR, text


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


@pytest.fixture
def heard() -> list[tuple[BaseException, str]]:
    """What `on_error` was told."""
    return []


@pytest.fixture
def make_client(
    request: pytest.FixtureRequest, heard: list[tuple[BaseException, str]]
) -> Iterator[Callable[..., Client]]:
    """Make the client of a fault, and close it after the test."""
    made: list[Client] = []

    def make(fault: Fault, *, strict: bool) -> Client:
        made.append(fault.client(strict, lambda error, where: heard.append((error, where))))
        return made[-1]

    yield make
    for client in made:
        client.close()


@faults
@natures
def test_in_production_the_result_is_untouched_and_the_loss_is_counted_logged_once_and_told(
    make_client: Callable[..., Client],
    heard: list[tuple[BaseException, str]],
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    decorated: Callable[[Decorate], tuple[Any, Handle]],
) -> None:
    client = make_client(fault, strict=False)
    handler, run = decorated(decorator(fault, client))
    result = object()
    assert [run(lambda: result) is result for _ in range(3)] == [True] * 3
    assert client.stats().refused == {fault.reason: 3}
    assert client.stats().accepted == 0
    assert caplog.record_tuples == [logged(handler, fault, "success", FaultDone)]
    assert [where for _, where in heard] == [f"{place(handler, 'success')} FaultDone"] * 3


@faults
@natures
def test_in_production_the_exception_is_untouched_and_the_loss_is_counted_logged_once_and_told(
    make_client: Callable[..., Client],
    heard: list[tuple[BaseException, str]],
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    decorated: Callable[[Decorate], tuple[Any, Handle]],
) -> None:
    client = make_client(fault, strict=False)
    handler, run = decorated(decorator(fault, client))
    for _ in range(3):
        error = ValueError("the handler's own")
        with pytest.raises(ValueError, match=r"^the handler's own$") as raised:
            run(raising(error))
        assert raised.value is error
        assert error.__context__ is None
    assert client.stats().refused == {fault.reason: 3}
    assert caplog.record_tuples == [logged(handler, fault, "failure", FaultFailed)]
    assert [where for _, where in heard] == [f"{place(handler, 'failure')} FaultFailed"] * 3


@faults
@natures
def test_in_strict_mode_what_goes_wrong_is_raised_where_the_handler_returned(
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    decorated: Callable[[Decorate], tuple[Any, Handle]],
) -> None:
    client = make_client(fault, strict=True)
    _, run = decorated(decorator(fault, client))
    with pytest.raises(Refusal if fault.reason != "error" else OSError) as raised:
        run(object)
    if isinstance(raised.value, Refusal):
        assert raised.value.reason.value == fault.reason
        assert str(raised.value) == told(fault, FaultDone)
    assert client.stats().refused == {fault.reason: 1}
    assert caplog.record_tuples == []


@faults
@natures
def test_in_strict_mode_the_exception_of_the_handler_goes_on_all_the_same(
    make_client: Callable[..., Client], fault: Fault, decorated: Callable[[Decorate], tuple[Any, Handle]]
) -> None:
    client = make_client(fault, strict=True)
    _, run = decorated(decorator(fault, client))
    error = ValueError("the handler's own")
    with pytest.raises(ValueError, match=r"^the handler's own$") as raised:
        run(raising(error))
    assert raised.value is error
    assert error.__context__ is None
    assert client.stats().refused == {fault.reason: 1}


MISSING = FAULTS["the user is found nowhere"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()], ids=repr)
def test_in_strict_mode_an_exit_or_cancellation_goes_on_all_the_same(error: BaseException) -> None:
    recorder = Recorder(strict=True)
    _, run = decorated_function(decorator(MISSING, recorder.client))
    with pytest.raises(type(error)) as raised:
        run(raising(error))
    assert raised.value is error
    assert [str(each) for each in recorder.errors] == [told(MISSING, FaultFailed)]


def test_recording_tells_when_it_ends_what_it_could_not_raise() -> None:
    def handle() -> None:
        raise ValueError("the handler's own")

    handler = tracks(FaultDone, failure=FaultFailed)(handle)
    with pytest.raises(AssertionError) as told_at_the_end, recording():
        with pytest.raises(ValueError, match=r"^the handler's own$"):
            handler()
        with pytest.raises(ValueError, match=r"^the handler's own$"):
            handler()
    line = f"- {place(handle, 'failure')} FaultFailed: {told(MISSING, FaultFailed)}"
    assert str(told_at_the_end.value).splitlines() == [
        "messages were lost; their handlers raised, so it could not be said at once:",
        line,
        line,
    ]
    assert isinstance(told_at_the_end.value.__cause__, Refusal)
    assert told_at_the_end.value.__cause__.reason is Reason.UNRESOLVED


def test_in_strict_mode_a_start_that_cannot_be_built_keeps_the_body_from_running(tracked: Recorder) -> None:
    @tracks(start=FaultDone)
    def handle() -> None:
        pytest.fail("the body ran")

    with pytest.raises(Refusal) as raised:
        handle()
    assert str(raised.value) == told(MISSING, FaultDone)


def test_in_production_a_start_that_cannot_be_built_keeps_neither_the_body_nor_the_success() -> None:
    with recording(strict=False) as recorder:

        @tracks(FaultDone.from_call(user_id="result"), start=FaultDone)
        def handle() -> int:
            return 7

        assert handle() == 7
    assert recorder.messages == [FaultDone(user_id=7)]
    assert recorder.client.stats().refused == {"unresolved": 1}


def broken_hook(error: BaseException, where: str) -> None:
    raise LookupError("the hook's own")


def test_a_hook_that_raises_goes_no_further_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(strict=False, on_error=broken_hook)
    handler, run = decorated_function(decorator(MISSING, recorder.client))
    result = object()
    assert [run(lambda: result) is result for _ in range(3)] == [True] * 3
    assert recorder.client.stats().refused == {"unresolved": 3}
    where = f"on_error, called for {place(handler, 'success')} FaultDone"
    assert caplog.record_tuples == [
        logged(handler, MISSING, "success", FaultDone),
        (
            "instrument",
            logging.ERROR,
            f"{where}: LookupError (logged once for this place; counted from now on)",
        ),
    ]


def test_each_place_is_logged_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(strict=False)
    one, run_one = decorated_function(decorator(MISSING, recorder.client))
    other, run_other = decorated_generator(decorator(MISSING, recorder.client))
    for _ in range(2):
        run_one(object)
        run_other(object)
        with pytest.raises(ValueError, match=r"^no$"):
            run_one(raising(ValueError("no")))
    assert recorder.client.stats().refused == {"unresolved": 6}
    assert caplog.record_tuples == [
        logged(one, MISSING, "success", FaultDone),
        logged(other, MISSING, "success", FaultDone),
        logged(one, MISSING, "failure", FaultFailed),
    ]


def test_a_second_kind_of_fault_at_one_place_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(strict=False)

    @tracks(FaultDone.from_call(user_id="result"), client=recorder.client)
    def handle(result: Any) -> Any:
        return result

    assert [handle("no number"), handle(7), handle("none")] == ["no number", 7, "none"]
    assert recorder.client.stats().refused == {"invalid": 2}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert recorder.messages == [FaultDone(user_id=7)]


def test_what_is_logged_holds_no_value_of_the_users(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(strict=False)

    @tracks(FaultDone.from_call(user_id="result"), client=recorder.client)
    def handle(secret: str) -> str:
        return secret

    assert handle("s3cret") == "s3cret"
    assert len(caplog.records) == 1
    assert "s3cret" not in caplog.text


def test_a_handler_never_sees_the_errors_that_instrumentation_handled() -> None:
    with recording(strict=False):

        @tracks(start=FaultDone.from_call(user_id=broken_source))
        def handle() -> object:
            return sys.exc_info()

        assert handle() == (None, None, None)


def test_threads_that_fail_at_once_are_all_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(strict=False)
    handler, run = decorated_function(decorator(MISSING, recorder.client))
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(run, [object] * 200))) == 200
    assert recorder.client.stats().refused == {"unresolved": 200}
    assert caplog.record_tuples == [logged(handler, MISSING, "success", FaultDone)]


def test_a_disabled_client_builds_no_message_and_says_once_that_nothing_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(enabled=False, destinations=[MemoryDestination()])
    for decorated in NATURES.values():
        _, run = decorated(decorator(MISSING, client))
        assert run(lambda: 3) == 3
    assert client.stats().refused == {}
    assert caplog.record_tuples == [
        ("instrument", logging.WARNING, "No events are sent: the setting `enabled` is off.")
    ]


def test_a_disabled_client_still_builds_messages_in_strict_mode() -> None:
    client = Client(enabled=False, destinations=[MemoryDestination()], strict=True)
    _, run = decorated_function(decorator(MISSING, client))
    with pytest.raises(Refusal) as raised:
        run(object)
    assert str(raised.value) == told(MISSING, FaultDone)


def test_a_disabled_client_still_builds_messages_in_debug_mode() -> None:
    client = Client(enabled=False, destinations=[MemoryDestination()], debug=True)
    _, run = decorated_function(decorator(MISSING, client))
    assert run(lambda: 3) == 3
    assert client.stats().refused == {"unresolved": 1}


def test_a_disabled_client_refuses_a_good_message_without_a_word_in_strict_mode() -> None:
    client = Client(enabled=False, destinations=[MemoryDestination()], strict=True)
    _, run = decorated_function(decorator(FAULTS["the client is closed"], client))
    assert run(lambda: 3) == 3
    assert client.stats().refused == {}
