"""amplitude-analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amplitude import Amplitude, BaseEvent, Config

from benchmarks.sides.driver import calling

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting

_NEVER = 3_600_000
"""Milliseconds."""


def sending(setting: Setting, /) -> Driven:
    """Send to Amplitude's HTTP API; its queue has no bound."""
    return _calling(Config(server_url=f"{setting.url}/2/httpapi"))


def idle(messages: int, /) -> Driven:
    """Let the consumer wait for a batch that is never full."""
    return _calling(
        Config(server_url="http://127.0.0.1:9/2/httpapi", flush_queue_size=messages + 1, flush_interval_millis=_NEVER)
    )


def _calling(config: Config) -> Driven:
    client = Amplitude("benchmark", config)

    def track(*, user_id: int, event: str, properties: dict[str, Any]) -> None:
        client.track(BaseEvent(event, user_id=str(user_id), event_properties=properties))

    # `flush` waits for what is in the queue alone, not for the batches that are on their way.
    return calling(track, client.shutdown)
