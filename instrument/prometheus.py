"""What became of the messages, for Prometheus: the extra `instrument-analytics[prometheus]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.client import default_client
from instrument.delivery.ledger import Stats
from instrument.metrics import METRICS

try:
    from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _error:
    if _error.name is None or _error.name.partition(".")[0] != "prometheus_client":
        raise
    raise ImportError(
        "instrument.prometheus needs prometheus-client: pip install 'instrument-analytics[prometheus]'"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import CollectorRegistry

    from instrument.client import Client
    from instrument.metrics import Metric as Count


class ClientCollector(Collector):
    """Shows the counts of one client whenever Prometheus asks for them; nothing is counted twice, or in between.

    The counts are those of this process: servers that fork have a client, and so a scrape target, in each worker.

    Args:
        client: the client; by default, whichever is the default one when Prometheus asks.
        registry: where it is registered; `None` to register it yourself.

    >>> from prometheus_client import CollectorRegistry
    >>> from instrument import Client
    >>> registry = CollectorRegistry()
    >>> collector = ClientCollector(Client(enabled=False), registry)
    >>> registry.get_sample_value("instrument_messages_accepted_total")
    0
    """

    def __init__(self, client: Client | None = None, registry: CollectorRegistry | None = REGISTRY) -> None:
        self._client = client
        if registry is not None:
            registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Name the metrics, without making a client for it."""
        return _metrics(Stats())

    def collect(self) -> Iterable[Metric]:
        """Return the counts of now."""
        return _metrics((self._client or default_client()).stats())


def _metrics(stats: Stats) -> Iterator[Metric]:
    for each in METRICS:
        family = CounterMetricFamily if each.rises else GaugeMetricFamily
        metric = family(_name(each), each.text, labels=each.label and [each.label])
        for value, count in each.read(stats).items():
            metric.add_metric([] if value is None else [value], count)
        yield metric


def _name(metric: Count) -> str:
    suffix = "_seconds" if metric.unit == "s" else ""
    return f"instrument_{metric.name.replace('.', '_')}{suffix}"
