"""Clients: typed settings, messages and receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

from instrument import (
    Client,
    Envelope,
    Identify,
    JsonLinesDestination,
    Limits,
    MemoryDestination,
    Receipt,
    Scope,
    Stats,
    Track,
    configure,
    default_client,
)
from instrument.testing import FixedStamps, Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument import Destination


class UserScope(Scope):
    user_id: int


class Done(Track, UserScope):
    pass


class Known(Identify, UserScope):
    pass


@dataclass(frozen=True)
class Foreign:
    user_id: str
    event: str
    properties: dict[str, Any] = field(default_factory=dict[str, Any])


class Printing:
    name = "printing"
    remote = False
    limits = Limits(count=10)

    def send(self, batch: Sequence[Envelope]) -> None:
        for envelope in batch:
            assert_type(envelope.body, bytes)

    def forget_connections(self) -> None: ...

    def close(self) -> None: ...


def on_error(error: BaseException, where: str) -> None: ...


def on_drop(envelope: Envelope, reason: str) -> None: ...


def send() -> None:
    client = Client(
        write_key="key",
        host="https://events.eu1.segmentapis.com",
        durability="sync",
        spool_dir=Path("spool"),
        late="refuse",
        on_error=on_error,
        on_drop=on_drop,
        destinations=[Printing(), MemoryDestination(), JsonLinesDestination("events.jsonl")],
        stamps=FixedStamps(),
    )
    receipt = client.track(Done(user_id=7), timestamp=datetime.now(timezone.utc), context={"ip": "192.0.2.1"})
    assert_type(receipt, Receipt)
    assert_type(receipt.message_id, "str | None")
    assert_type(receipt.error, "Exception | None")
    assert_type(client.track(Foreign("u", "Seen")), Receipt)
    assert_type(client.identify(Known(user_id=7), message_id="x", integrations={"All": False}), Receipt)
    assert_type(client.flush(), bool)
    assert_type(client.close(timeout=1), bool)
    assert_type(client.stats(), Stats)
    refused: Mapping[str, int] = client.stats().refused
    assert_type(refused["late"], int)
    assert_type(configure(enabled=False), Client)
    assert_type(default_client(), Client)
    destination: Destination = Printing()
    destination.close()


def test(tracked: Recorder) -> None:
    assert_type(tracked.one(Done), Done)
    assert_type(tracked.of(Known, user_id=7), list[Known])
    with recording(stamps=FixedStamps(), strict=False) as recorder:
        assert_type(recorder, Recorder)
        assert_type(recorder.client, Client)
