"""Traces and metrics through the OpenTelemetry API: the extra `instrument-analytics[opentelemetry]`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from instrument.client import default_client
from instrument.messages import Message, declaration_of
from instrument.metrics import METRICS
from instrument.privacy.marks import marks_of
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, MeterProvider

    from instrument.client import Client
    from instrument.messages import SegmentTrack
    from instrument.metrics import Metric

SPAN_EVENT = "instrument.message"
"""The name of the event that a span has for each message."""

_SIMPLE = (bool, str, int, float)


def trace_messages(client: Client | None = None, *, span_events: bool = False, properties: bool = False) -> Client:
    """Put the ids of the current trace and span into the context of each message of a client.

    They are `context.traceId` and `context.spanId`, in lower-case hexadecimal: the names and the form of OTLP in JSON.
    A message that is emitted outside of any span has none.

    Args:
        client: the client; by default the default client of now. One that `configure` makes later is another.
        span_events: whether the current span also gets an event for each message that was accepted, with its type,
            name and id.
        properties: whether that event has the properties, too; those marked as personal data never.

    Returns:
        The client.

    >>> from instrument import Client
    >>> client = trace_messages(Client(enabled=False))
    """
    found = client or default_client()
    found.observe(_Tracing(span_events=span_events, properties=properties))
    return found


def measure_delivery(client: Client | None = None, *, meter_provider: MeterProvider | None = None) -> None:
    """Show the counts of a client as metrics, whenever a reader asks for them. Call it once.

    The counts are those of this process: servers that fork have a client in each worker.

    Args:
        client: the client; by default, whichever is the default one when a reader asks.
        meter_provider: where the metrics are; by default the global one.

    >>> measure_delivery()
    """
    meter = metrics.get_meter(LIBRARY, VERSION, meter_provider)
    for metric in METRICS:
        create = meter.create_observable_counter if metric.rises else meter.create_observable_gauge
        create(f"instrument.{metric.name}", [_reader(metric, client)], metric.unit, metric.text)


@dataclass(frozen=True, slots=True)
class _Tracing:
    """Observes a client for the current span."""

    span_events: bool
    properties: bool

    def context(self) -> Mapping[str, Any]:
        """Return the ids of the current span."""
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return {}
        return {"traceId": trace.format_trace_id(span.trace_id), "spanId": trace.format_span_id(span.span_id)}

    def accepted(self, message: Message | SegmentTrack, message_id: str) -> None:
        """Add an event to the current span."""
        if not self.span_events:
            return
        span = trace.get_current_span()
        if span.is_recording():
            span.add_event(SPAN_EVENT, self._attributes(message, message_id))

    def _attributes(self, message: Message | SegmentTrack, message_id: str) -> dict[str, bool | str | int | float]:
        kind, name = _type_and_name(message)
        attributes: dict[str, bool | str | int | float] = {f"{SPAN_EVENT}.type": kind, f"{SPAN_EVENT}.id": message_id}
        if name is not None:
            attributes[f"{SPAN_EVENT}.name"] = name
        if self.properties:
            shown = {key: value for key, value in _properties(message).items() if isinstance(value, _SIMPLE)}
            attributes.update({f"{SPAN_EVENT}.properties.{key}": value for key, value in shown.items()})
        return attributes


def _type_and_name(message: Message | SegmentTrack) -> tuple[str, str | None]:
    if not isinstance(message, Message):
        return "track", message.event
    declaration = declaration_of(type(message))
    return declaration.spec.type, declaration.name


def _properties(message: Message | SegmentTrack) -> Mapping[str, Any]:
    if not isinstance(message, Message):
        return message.properties
    return message.model_dump(by_alias=True, mode="json", exclude=_unshown(type(message)), warnings=False)


@cache
def _unshown(model: type[Message]) -> set[str]:
    """Name the fields that are ids, or hold personal data."""
    return {*declaration_of(model).ids, *(path[0] for path in marks_of(model))}


def _reader(metric: Metric, client: Client | None) -> Callable[[CallbackOptions], Iterable[metrics.Observation]]:
    def read(options: CallbackOptions) -> Iterable[metrics.Observation]:
        del options  # of a deadline, which counting needs no part of
        counts = metric.read((client or default_client()).stats())
        return [metrics.Observation(count, _labels(metric, value)) for value, count in counts.items()]

    return read


def _labels(metric: Metric, value: str | None) -> dict[str, str] | None:
    return None if metric.label is None or value is None else {metric.label: value}
