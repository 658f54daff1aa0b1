"""The metrics that Prometheus reads are the client's own counts."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from instrument import Client, MemoryDestination, Rejected, Scope, Track
from instrument.client import swap_default_client
from instrument.prometheus import ClientCollector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instrument import Envelope


class MeteredScope(Scope):
    user_id: int


class MeteredSent(Track, MeteredScope):
    number: float


class Picky(MemoryDestination):
    """Takes what is not marked."""

    def send(self, batch: Sequence[Envelope]) -> None:
        if any(b'"number":13.0' in each.body for each in batch):
            raise Rejected("it brings bad luck")
        super().send(batch)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(destinations=[Picky("picky")], durability="memory")
    yield client
    client.close()


def exposition(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_the_exposition_has_every_count_of_the_client(client: Client) -> None:
    registry = CollectorRegistry()
    ClientCollector(client, registry)
    for number in (1, 2, 13):
        client.track(MeteredSent(user_id=7, number=number))
    client.track(MeteredSent(user_id=7, number=3), message_id="")
    client.flush()
    assert exposition(registry) == (
        """\
# HELP instrument_messages_accepted_total Messages that the client took over.
# TYPE instrument_messages_accepted_total counter
instrument_messages_accepted_total 3.0
# HELP instrument_messages_undeclared_total Accepted messages that came as untyped objects.
# TYPE instrument_messages_undeclared_total counter
instrument_messages_undeclared_total 0.0
# HELP instrument_messages_late_total Accepted messages that began after their request scope was closed.
# TYPE instrument_messages_late_total counter
instrument_messages_late_total 0.0
# HELP instrument_messages_spooled_total Messages that were committed to the disk.
# TYPE instrument_messages_spooled_total counter
instrument_messages_spooled_total 0.0
# HELP instrument_messages_rolled_back_total Messages that were dropped with their transaction.
# TYPE instrument_messages_rolled_back_total counter
instrument_messages_rolled_back_total 0.0
# HELP instrument_messages_stored_total Messages that were committed into an outbox with their transaction.
# TYPE instrument_messages_stored_total counter
instrument_messages_stored_total 0.0
# HELP instrument_messages_refused_total Messages that the client did not take over.
# TYPE instrument_messages_refused_total counter
instrument_messages_refused_total{reason="invalid"} 1.0
# HELP instrument_messages_delivered_total Messages that a destination took.
# TYPE instrument_messages_delivered_total counter
instrument_messages_delivered_total{destination="picky"} 2.0
# HELP instrument_messages_dead_total Messages that will never be delivered.
# TYPE instrument_messages_dead_total counter
instrument_messages_dead_total{reason="it brings bad luck"} 1.0
# HELP instrument_delivery_retries_total Attempts that failed and were repeated.
# TYPE instrument_delivery_retries_total counter
instrument_delivery_retries_total 0.0
# HELP instrument_messages_queued Messages that wait to be delivered.
# TYPE instrument_messages_queued gauge
instrument_messages_queued 0.0
# HELP instrument_messages_held Messages that wait for a transaction to end.
# TYPE instrument_messages_held gauge
instrument_messages_held 0.0
# HELP instrument_delivery_lag_seconds How long the oldest message that waits has waited.
# TYPE instrument_delivery_lag_seconds gauge
instrument_delivery_lag_seconds 0.0
"""
    )


def test_the_default_client_is_the_one_of_the_moment(client: Client) -> None:
    registry = CollectorRegistry()
    ClientCollector(registry=registry)
    before = swap_default_client(client)
    try:
        client.track(MeteredSent(user_id=7, number=1))
        assert registry.get_sample_value("instrument_messages_accepted_total") == 1
        swap_default_client(Client(enabled=False))
        assert registry.get_sample_value("instrument_messages_accepted_total") == 0
    finally:
        swap_default_client(before)


def test_registering_makes_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUMENT_TIMEOUT", "wrong, which a client would log")
    before = swap_default_client(None)
    try:
        ClientCollector(registry=CollectorRegistry())
        assert swap_default_client(before) is None
    finally:
        swap_default_client(before)


def test_a_second_collector_in_one_registry_is_refused(client: Client) -> None:
    registry = CollectorRegistry()
    ClientCollector(client, registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        ClientCollector(client, registry)


def test_without_prometheus_client_it_is_said_what_to_install() -> None:
    code = """if True:
        import sys
        sys.modules["prometheus_client"] = None
        try:
            import instrument.prometheus
        except ImportError as error:
            print(error)
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == (
        "instrument.prometheus needs prometheus-client: pip install 'instrument-analytics[prometheus]'\n"
    )
