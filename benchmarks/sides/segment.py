"""segment-analytics-python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segment.analytics.client import Client

from benchmarks.sides.driver import calling

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting


def sending(setting: Setting, /) -> Driven:
    """Send to Segment's API."""
    make = partial(Client, "benchmark", host=setting.url)
    client = make() if setting.defaults else make(max_queue_size=setting.messages)
    return calling(client.track, client.flush)


def idle(messages: int, /) -> Driven:
    """End the consumer, so that what is queued stays there."""
    client = Client("benchmark", max_queue_size=messages)
    client.join()
    return calling(client.track)
