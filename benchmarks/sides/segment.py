"""segment-analytics-python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment.analytics.client import Client

from benchmarks.sides.driver import idle_of, sending_by

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting


def sending(setting: Setting, /) -> Driven:
    """Send to Segment's API."""
    return sending_by(Client, setting)


def idle(messages: int, /) -> Driven:
    """End the consumer, so that what is queued stays there."""
    return idle_of(Client, messages)
