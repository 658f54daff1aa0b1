"""What is asked of each client, so that all are measured in the same way."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.tracked import TRACKED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.tracked import Handler, TrackCall
    from instrument.delivery.pipeline import Durability


@dataclass(frozen=True, slots=True)
class Setting:
    """How a client is made.

    Attributes:
        url: where the collector is.
        directory: where it may write.
        messages: how many will be emitted, and may wait in its queue.
        defaults: whether the queue has the bound that the client gives it by itself instead.
        durability: of our client.
    """

    url: str
    directory: Path
    messages: int
    defaults: bool = False
    durability: Durability = "batched"


@dataclass(frozen=True, slots=True)
class Driven:
    """A client that was made.

    Attributes:
        handlers: the handlers that emit by it, one for each of `TRACKED`.
        flush: returns when everything that it took is sent, or given up.
        scope: what the handlers are called in.
    """

    handlers: tuple[Handler, ...]
    flush: Callable[[], object]
    scope: AbstractContextManager[object] = field(default_factory=nullcontext)


class Driver(Protocol):
    """A module that makes one client."""

    def sending(self, setting: Setting, /) -> Driven:
        """Make a client that sends to the collector."""
        ...

    def idle(self, messages: int, /) -> Driven:
        """Make a client that queues so many messages at most, with nobody who takes them from there."""
        ...


def sending_by(client: Callable[..., Any], setting: Setting) -> Driven:
    """Make a client of Segment's package, or of one that began as it, that sends to the collector."""
    make = partial(client, "benchmark", host=setting.url)
    made = make() if setting.defaults else make(max_queue_size=setting.messages)
    return calling(made.track, made.flush)


def idle_of(client: Callable[..., Any], messages: int) -> Driven:
    """Make such a client and end its consumer, so that what is queued stays there."""
    made = client("benchmark", host="http://127.0.0.1:9", max_queue_size=messages)
    made.join()
    return calling(made.track)


def calling(track: TrackCall, flush: Callable[[], object] = lambda: None) -> Driven:
    """Return a client that is called in the bodies of the handlers."""
    return Driven(tuple(each.tracking(track) for each in TRACKED), flush)
