"""What holds for every destination over HTTP, whatever its format: what each answer means, and what it says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, Destination, Envelope, Held, Rejected, Unavailable
from instrument.delivery.destinations.amplitude import AmplitudeDestination
from instrument.delivery.destinations.mixpanel import MixpanelDestination
from instrument.delivery.destinations.posthog import PostHogDestination
from instrument.delivery.destinations.rudderstack import RudderStackDestination
from instrument.delivery.destinations.snowplow import SnowplowDestination
from instrument.testing import FixedStamps, Recorder
from tests.delivery.destinations.vendors import ParcelSent, Reply, UsersMerged, Vendor, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.delivery.destination import DeliveryError

pytestmark = pytest.mark.instrument_delivery

SECRET = "key-that-nobody-may-see"
Make = Callable[..., Destination]
DESTINATIONS: dict[str, Make] = {
    "amplitude": lambda host, **options: AmplitudeDestination(SECRET, host=host, **options),
    "mixpanel": lambda host, **options: MixpanelDestination(SECRET, host=host, **options),
    "posthog": lambda host, **options: PostHogDestination(SECRET, host=host, **options),
    "rudderstack": lambda host, **options: RudderStackDestination(SECRET, host, **options),
    "snowplow": lambda host, **options: SnowplowDestination(host, vendor="com.acme", app_id=SECRET, **options),
}

each_destination = pytest.mark.parametrize("make", DESTINATIONS.values(), ids=DESTINATIONS)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor(lambda _: Reply(200, {"status": 1, "code": 200})) as running:
        yield running


def failure(destination: Any, batch: list[Envelope] | None = None) -> DeliveryError:
    with pytest.raises((Rejected, Unavailable)) as caught:
        destination.send(one_of_each()[:1] if batch is None else batch)
    destination.close()
    return caught.value


@each_destination
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (413, Rejected),
        (422, Rejected),
        (401, Held),
        (403, Held),
        (404, Held),
        (302, Held),
        (408, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_answer_means_the_same(vendor: Vendor, make: Make, status: int, kind: type[DeliveryError]) -> None:
    vendor.instead = Reply(status, {"error": SECRET})
    failed = failure(make(vendor.url))
    assert type(failed) is kind
    assert f"answered {status}" in str(failed)
    assert SECRET not in str(failed)
    assert "Vendor Parcel Sent" not in str(failed)


@each_destination
@pytest.mark.parametrize("status", [429, 503])
def test_the_vendor_says_when_to_try_again(vendor: Vendor, make: Make, status: int) -> None:
    vendor.instead = Reply(status, headers={"Retry-After": "7"})
    failed = failure(make(vendor.url))
    assert isinstance(failed, Unavailable)
    assert failed.retry_after == 7


@each_destination
def test_nothing_listening_is_tried_again(make: Make) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else gets the port, and not listening
        reserved.bind(("127.0.0.1", 0))
        failed = failure(make(f"http://127.0.0.1:{reserved.getsockname()[1]}"))
    assert type(failed) is Unavailable
    assert "cannot be reached (NewConnectionError)" in str(failed)


@each_destination
def test_bodies_may_be_compressed(vendor: Vendor, make: Make) -> None:
    for gzip in (False, True):
        destination = make(vendor.url, gzip=gzip)
        destination.send(one_of_each()[:1])
        destination.close()
    plain, compressed = vendor.taken
    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert _without_times(plain.json) == _without_times(compressed.json)


def _without_times(document: Any) -> Any:
    """Leave out when it was sent, wherever that stands."""
    if isinstance(document, list):
        return [_without_times(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {key: _without_times(value) for key, value in document.items() if key not in ("sentAt", "stm")}


@each_destination
def test_a_destination_goes_on_after_forgetting_its_connections(vendor: Vendor, make: Make) -> None:
    destination = make(vendor.url)
    destination.send(one_of_each()[:1])
    destination.forget_connections()
    destination.send(one_of_each()[:1])
    destination.close()
    assert len(vendor.taken) == 2


@pytest.mark.parametrize("name", sorted(DESTINATIONS.keys() - {"rudderstack"}))
@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b'{"type":"unheard","messageId":"1","timestamp":"2026"}'])
def test_what_is_no_message_is_rejected_without_asking(vendor: Vendor, name: str, body: bytes) -> None:
    failed = failure(DESTINATIONS[name](vendor.url), [Envelope("1", body)])
    assert type(failed) is Rejected
    assert str(failed).startswith("a message cannot be read (")
    assert vendor.requests == []


@each_destination
def test_a_context_of_any_shape_costs_no_message(vendor: Vendor, make: Make) -> None:
    recorder = Recorder(stamps=FixedStamps())
    recorder.client.track(ParcelSent(user_id=7, weight=2.5), context={"page": ["odd"], "ip": 3, "locale": None})
    destination: Any = make(vendor.url)
    destination.send(recorder.envelopes)
    destination.close()
    assert len(vendor.taken) == 1


@pytest.mark.parametrize("name", ["amplitude", "mixpanel"])
def test_what_a_vendor_has_nothing_like_is_the_only_one_that_is_lost(vendor: Vendor, name: str, tmp_path: Any) -> None:
    client = Client(destinations=[DESTINATIONS[name](vendor.url)], spool_dir=tmp_path)
    for weight in (1.0, 2.0):
        client.track(ParcelSent(user_id=7, weight=weight))
    client.alias(UsersMerged(user_id=7, previous_id="a-1"))
    client.track(ParcelSent(user_id=7, weight=3.0))
    assert client.close()
    stats = client.stats()
    assert (stats.delivered, stats.dead) == ({name: 3}, {f"{name.title()} has no call like alias": 1})


@each_destination
def test_a_client_delivers_to_it(vendor: Vendor, make: Make, tmp_path: Any) -> None:
    client = Client(destinations=[make(vendor.url)], spool_dir=tmp_path, durability="batched")
    assert client.track(ParcelSent(user_id=7, weight=2.5))
    assert client.close()
    assert sum(client.stats().delivered.values()) == 1
    assert len(vendor.taken) == 1


def test_in_a_test_run_nothing_is_sent(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUMENT_NO_NETWORK", "1")
    for make in DESTINATIONS.values():
        assert type(failure(make(vendor.url))) is Held
    assert vendor.requests == []
