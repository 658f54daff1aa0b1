"""snowplow-tracker, by its emitter that sends in a thread."""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from snowplow_tracker.emitters import AsyncEmitter
from snowplow_tracker.events.self_describing import SelfDescribing
from snowplow_tracker.self_describing_json import SelfDescribingJson
from snowplow_tracker.subject import Subject
from snowplow_tracker.tracker import Tracker

from benchmarks.sides.driver import calling
from benchmarks.tracked import USER_ID

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting

_BATCH = 100
"""Messages of a batch: as many as with Segment's client, which makes it faster than its own ten."""


logging.getLogger("snowplow_tracker.emitters").setLevel(logging.ERROR)  # it tells of every request


def sending(setting: Setting, /) -> Driven:
    """Send to a collector of Snowplow."""
    make = partial(AsyncEmitter, setting.url, protocol="http", batch_size=_BATCH)
    return _calling(make() if setting.defaults else make(buffer_capacity=max(_BATCH, setting.messages)))


def idle(messages: int, /) -> Driven:
    """Have no consumer."""
    return _calling(AsyncEmitter("http://127.0.0.1:9", batch_size=_BATCH, buffer_capacity=messages, thread_count=0))


def _calling(emitter: AsyncEmitter) -> Driven:
    subject = Subject().set_user_id(str(USER_ID))  # of all events: one for each would cost more
    tracker = Tracker("benchmark", emitters=emitter, subject=subject, app_id="benchmark")

    def track(*, user_id: int, event: str, properties: dict[str, Any]) -> None:  # noqa: ARG001
        tracker.track(SelfDescribing(SelfDescribingJson(_schema(event), properties)))

    return calling(track, emitter.sync_flush)


@cache
def _schema(event: str) -> str:
    return f"iglu:com.example/{event.lower().replace(' ', '_')}/jsonschema/1-0-0"
