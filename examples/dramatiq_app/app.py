"""The actors, and what sends them messages.

A real application has a broker of RabbitMQ or Redis in the place of the stub, which keeps messages in the process.
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.stub import StubBroker

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.dramatiq import ScopeMiddleware


class UploaderScope(Scope):
    """Who uploaded the picture."""

    user_id: int


class PictureScaled(Track, UploaderScope):
    """A picture was scaled."""

    picture: str


class PictureScalingFailed(Track, UploaderScope):
    """A picture could not be scaled, and will not be tried again."""

    picture: str
    error: str


broker = StubBroker()
broker.add_middleware(ScopeMiddleware())
dramatiq.set_broker(broker)
attempts: list[str] = []


@dramatiq.actor(max_retries=2, min_backoff=1, max_backoff=1)
@tracks(PictureScaled, failure=PictureScalingFailed.from_call(error="error"))
def scale(picture: str) -> None:
    """Scale a picture; its name says what goes wrong."""
    attempts.append(picture)
    if picture == "broken" or (picture == "slow" and attempts.count(picture) == 1):
        raise OSError(picture)


def upload(user_id: int, picture: str) -> None:
    """Do what a web application does for each request."""
    with request_scope(user_id=user_id):
        scale.send(picture)
