"""rudder-sdk-python, which began as Segment's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rudderstack.analytics.client import Client

from benchmarks.sides.driver import idle_of, sending_by

if TYPE_CHECKING:
    from benchmarks.sides.driver import Driven, Setting


def sending(setting: Setting, /) -> Driven:
    """Send to a data plane."""
    return sending_by(Client, setting)


def idle(messages: int, /) -> Driven:
    """End the consumer, so that what is queued stays there."""
    return idle_of(Client, messages)
