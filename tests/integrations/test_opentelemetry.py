"""Traces and metrics, as the real SDK of OpenTelemetry exports them."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from instrument import PII, Alias, Client, Identify, MemoryDestination, Rejected, Scope, Track, request_scope, tracks
from instrument.client import swap_default_client
from instrument.integrations.opentelemetry import measure_delivery, trace_messages
from instrument.metrics import METRICS
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.trace import Span, Tracer

    from instrument import Envelope

LIBRARY_CONTEXT = {"name": LIBRARY, "version": VERSION}


class TracedScope(Scope):
    user_id: int


class TracedPaid(Track, TracedScope):
    amount: float
    card: Annotated[str, PII("card")] = "none"
    lines: list[int] = []
    currency: str | None = None


class TracedKnown(Identify, TracedScope):
    plan: str


class TracedMerged(Alias):
    user_id: int
    previous_id: int


@tracks(TracedPaid)
def pay(amount: float) -> str:
    return "paid"


class Spans:
    """A tracer, and what it exported."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(**options)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = self._provider.get_tracer("tests")

    def events(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [
            (each.name, each.attributes or {}) for span in self._exporter.get_finished_spans() for each in span.events
        ]

    def shutdown(self) -> None:
        self._provider.shutdown()


@pytest.fixture
def spans() -> Iterator[Spans]:
    spans = Spans()
    yield spans
    spans.shutdown()


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


@pytest.fixture
def client(memory: MemoryDestination) -> Iterator[Client]:
    client = Client(destinations=[memory], durability="memory")
    before = swap_default_client(client)
    yield client
    swap_default_client(before)
    client.close()


def contexts(client: Client, memory: MemoryDestination) -> list[dict[str, Any]]:
    """What the context of each delivered message has beside the library."""
    client.flush()
    found = [message["context"] for message in memory.messages]
    assert all(each.pop("library") == LIBRARY_CONTEXT for each in found)
    return found


def ids(span: Span) -> dict[str, str]:
    context = span.get_span_context()
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def test_a_message_has_the_ids_of_the_span_that_it_is_emitted_in(
    client: Client, memory: MemoryDestination, spans: Spans
) -> None:
    assert trace_messages() is client
    with request_scope(user_id=7), spans.tracer.start_as_current_span("outer") as outer:
        pay(1.0)
        with spans.tracer.start_as_current_span("inner") as inner:
            pay(2.0)
            client.track(TracedPaid(user_id=7, amount=3.0))
        pay(4.0)
    assert contexts(client, memory) == [ids(outer), ids(inner), ids(inner), ids(outer)]


def test_outside_of_any_span_there_are_none(client: Client, memory: MemoryDestination) -> None:
    trace_messages(client)
    with request_scope(user_id=7):
        pay(1.0)
    client.track(TracedPaid(user_id=7, amount=1.0))
    assert contexts(client, memory) == [{}, {}]


def test_what_the_sender_gives_wins_and_the_context_of_the_request_stays(
    client: Client, memory: MemoryDestination, spans: Spans
) -> None:
    trace_messages(client)
    with spans.tracer.start_as_current_span("work") as span, request_scope(user_id=7) as frame:
        frame.context = {"requestId": "r-1"}
        pay(1.0)
        client.track(TracedPaid(user_id=7, amount=1.0), context={"traceId": "own"})
    assert contexts(client, memory) == [
        {"requestId": "r-1", **ids(span)},
        {"requestId": "r-1", **ids(span), "traceId": "own"},
    ]


def test_a_late_message_is_still_marked(client: Client, memory: MemoryDestination, spans: Spans) -> None:
    trace_messages(client)
    with request_scope(user_id=7):
        of_request = contextvars.copy_context()

    def work() -> dict[str, str]:
        with spans.tracer.start_as_current_span("work") as span:
            client.track(TracedPaid(user_id=7, amount=1.0))
            return ids(span)

    of_span = of_request.run(work)
    assert contexts(client, memory) == [{**of_span, "instrument": {"late": True}}]


def test_a_span_that_is_not_recorded_has_ids_and_no_events(client: Client, memory: MemoryDestination) -> None:
    spans = Spans(sampler=ALWAYS_OFF)
    trace_messages(client, span_events=True)
    with spans.tracer.start_as_current_span("work") as span:
        client.track(TracedPaid(user_id=7, amount=1.0))
    spans.shutdown()
    assert contexts(client, memory) == [ids(span)]
    assert spans.events() == []


def test_concurrent_tasks_and_threads_have_each_their_own(
    client: Client, memory: MemoryDestination, spans: Spans
) -> None:
    trace_messages(client)
    expected: dict[float, dict[str, str]] = {}

    def work(amount: float) -> None:
        with spans.tracer.start_as_current_span("work") as span:
            expected[amount] = ids(span)
            client.track(TracedPaid(user_id=7, amount=amount))

    async def task(amount: float) -> None:
        with spans.tracer.start_as_current_span("task") as span:
            await asyncio.sleep(0)
            expected[amount] = ids(span)
            client.track(TracedPaid(user_id=7, amount=amount))

    async def tasks() -> None:
        await asyncio.gather(*(task(number) for number in range(10)))

    asyncio.run(tasks())
    threads = [threading.Thread(target=work, args=(number,)) for number in range(10, 20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = dict(
        zip(
            [message["properties"]["amount"] for message in _all(client, memory)], contexts(client, memory), strict=True
        )
    )
    assert found == expected
    assert len(found) == 20


def _all(client: Client, memory: MemoryDestination) -> list[dict[str, Any]]:
    client.flush()
    return memory.messages


def test_a_span_has_an_event_for_each_accepted_message(client: Client, spans: Spans) -> None:
    trace_messages(client, span_events=True)
    with spans.tracer.start_as_current_span("work"):
        client.track(TracedPaid(user_id=7, amount=1.0, card="secret"), message_id="m-1")
        client.track(TracedPaid(user_id=7, amount=1.0), message_id="")  # refused
        client.identify(TracedKnown(user_id=7, plan="free"), message_id="m-2")
        client.alias(TracedMerged(user_id=7, previous_id=6), message_id="m-3")
    start = "instrument.message"
    assert spans.events() == [
        (start, {f"{start}.type": "track", f"{start}.id": "m-1", f"{start}.name": "Traced Paid"}),
        (start, {f"{start}.type": "identify", f"{start}.id": "m-2"}),
        (start, {f"{start}.type": "alias", f"{start}.id": "m-3"}),
    ]


def test_a_decorated_handler_adds_its_event_once(client: Client, spans: Spans) -> None:
    trace_messages(client, span_events=True)
    with spans.tracer.start_as_current_span("work"), request_scope(user_id=7):
        pay(1.0)
    assert len(spans.events()) == 1
    assert client.stats().accepted == 1


def test_the_events_have_the_simple_properties_if_asked_and_never_personal_data(client: Client, spans: Spans) -> None:
    trace_messages(client, span_events=True, properties=True)

    class Untyped:
        user_id = 7
        event = "Untyped Paid"
        properties = {"amount": 2, "nested": {}}

    with spans.tracer.start_as_current_span("work"):
        client.track(TracedPaid(user_id=7, amount=1.0, card="secret", lines=[1]))
        client.track(Untyped())
        client.alias(TracedMerged(user_id=7, previous_id=6))
    start = "instrument.message.properties."
    shown = [
        {key: value for key, value in attributes.items() if key.startswith(start)} for _, attributes in spans.events()
    ]
    assert shown == [{f"{start}amount": 1.0}, {f"{start}amount": 2}, {}]


def test_tracing_that_fails_costs_no_message_and_is_said_without_values(
    client: Client, memory: MemoryDestination, caplog: pytest.LogCaptureFixture, spans: Spans
) -> None:
    class Broken(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            raise RuntimeError("secret")

        def get_span_context(self) -> trace.SpanContext:
            raise RuntimeError("secret")

    trace_messages(client, span_events=True)
    with trace.use_span(Broken(trace.INVALID_SPAN_CONTEXT)), request_scope(user_id=7):
        pay(1.0)
    assert contexts(client, memory) == [{}]
    assert [each.getMessage() for each in caplog.records] == ["_Tracing raised RuntimeError."]


def test_the_last_call_decides(client: Client, spans: Spans) -> None:
    trace_messages(client, span_events=True, properties=True)
    trace_messages(client, span_events=True)
    with spans.tracer.start_as_current_span("work"):
        client.track(TracedPaid(user_id=7, amount=1.0))
    ((_, attributes),) = spans.events()
    assert len(attributes) == 3


class Picky(MemoryDestination):
    """Takes what is not marked."""

    def send(self, batch: Sequence[Envelope]) -> None:
        if any(b'"amount":13.0' in each.body for each in batch):
            raise Rejected("it brings bad luck")
        super().send(batch)


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def measured(reader: InMemoryMetricReader) -> dict[str, tuple[str, str | None, list[tuple[dict[str, Any], Any]]]]:
    """By name: the kind, the unit and the points."""
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == LIBRARY
    return {
        each.name: (
            type(each.data).__name__,
            each.unit,
            [(dict(point.attributes or {}), point.value) for point in each.data.data_points],  # type: ignore[union-attr]
        )
        for each in scope.metrics
    }


def test_the_metrics_are_the_counts_of_the_client(reader: InMemoryMetricReader) -> None:
    client = Client(destinations=[Picky("picky")], durability="memory")
    measure_delivery(client, meter_provider=MeterProvider([reader]))
    for amount in (1.0, 2.0, 13.0):
        client.track(TracedPaid(user_id=7, amount=amount))
    client.track(TracedPaid(user_id=7, amount=3.0), message_id="")
    client.flush()
    found = measured(reader)
    client.close()
    # What has no point yet is not exported: of the labelled ones, those with a first message.
    assert found == {
        "instrument.messages.accepted": ("Sum", "{message}", [({}, 3)]),
        "instrument.messages.undeclared": ("Sum", "{message}", [({}, 0)]),
        "instrument.messages.late": ("Sum", "{message}", [({}, 0)]),
        "instrument.messages.spooled": ("Sum", "{message}", [({}, 0)]),
        "instrument.messages.rolled_back": ("Sum", "{message}", [({}, 0)]),
        "instrument.messages.stored": ("Sum", "{message}", [({}, 0)]),
        "instrument.messages.refused": ("Sum", "{message}", [({"reason": "invalid"}, 1)]),
        "instrument.messages.delivered": ("Sum", "{message}", [({"destination": "picky"}, 2)]),
        "instrument.messages.dead": ("Sum", "{message}", [({"reason": "it brings bad luck"}, 1)]),
        "instrument.delivery.retries": ("Sum", "{attempt}", [({}, 0)]),
        "instrument.messages.queued": ("Gauge", "{message}", [({}, 0)]),
        "instrument.messages.held": ("Gauge", "{message}", [({}, 0)]),
        "instrument.delivery.lag": ("Gauge", "s", [({}, 0.0)]),
    }
    assert [f"instrument.{each.name}" for each in METRICS] == list(found)


def test_the_default_client_is_measured_as_of_the_moment(client: Client, reader: InMemoryMetricReader) -> None:
    measure_delivery(meter_provider=MeterProvider([reader]))
    client.track(TracedPaid(user_id=7, amount=1.0))
    accepted = "instrument.messages.accepted"
    assert measured(reader)[accepted][2] == [({}, 1)]
    before = swap_default_client(Client(enabled=False))
    try:
        assert measured(reader)[accepted][2] == [({}, 0)]
    finally:
        swap_default_client(before)


def test_the_package_loads_nothing_of_opentelemetry() -> None:
    code = """if True:
        import sys
        import instrument
        instrument.Client(enabled=False)
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"
