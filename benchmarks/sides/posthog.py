"""posthog."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from posthog.client import Client

from benchmarks.sides.driver import calling

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting


def sending(setting: Setting, /) -> Driven:
    """Send to PostHog's API of batches."""
    make = partial(Client, "benchmark", host=setting.url)
    return _calling(make() if setting.defaults else make(max_queue_size=setting.messages))


def idle(messages: int, /) -> Driven:
    """Have no consumer."""
    return _calling(Client("benchmark", host="http://127.0.0.1:9", max_queue_size=messages, thread=0))


def _calling(client: Client) -> Driven:
    def track(*, user_id: int, event: str, properties: dict[str, Any]) -> object:
        return client.capture(event, distinct_id=str(user_id), properties=properties)

    return calling(track, lambda: client.flush(timeout_seconds=None))
