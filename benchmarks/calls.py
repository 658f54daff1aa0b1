"""What one call costs its caller while nobody consumes, and what a client costs that is switched off."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any

import wrapt
from segment.analytics.client import Client as SegmentClient

from benchmarks import tracked
from benchmarks.contents import CONTENTS, PROVISIONING
from benchmarks.idle import IdleDestination, IdleQueue, IdleTransport
from benchmarks.measuring import interleaved, seconds_a_call
from benchmarks.table import Bar, Result
from benchmarks.tracked import USER_ID
from instrument import Client, request_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contents import Content
    from benchmarks.measuring import Samples
    from benchmarks.tracked import Handler

MICRO = 1e6


@contextmanager
def idle_segment_client() -> Iterator[SegmentClient]:
    """Give Segment's client with its consumer ended, so that what is queued stays there."""
    client = SegmentClient("benchmark", max_queue_size=10_000_000)
    client.join()
    yield client


@contextmanager
def idle_client() -> Iterator[Client]:
    """Give a client that commits to a spool, with a destination that takes nothing."""
    destination = IdleDestination()
    with tempfile.TemporaryDirectory() as directory:
        client = Client(destinations=[destination], spool_dir=directory, durability="batched", spool_max_bytes=4 << 30)
        yield client
        destination.released.set()
        client.close(60)


def added_cost(content: Content, calls: int, repetitions: int) -> list[Result]:
    """Compare what emitting adds to a handler: by the decorator, and by a call of Segment's client."""
    with ExitStack() as stack:
        theirs = stack.enter_context(idle_segment_client())
        ours = stack.enter_context(idle_client())
        stack.enter_context(request_scope(user_id=USER_ID))
        tracking = content.tracked.tracking(theirs.track)
        decorated = content.decorated(ours)
        queue = IdleQueue()
        queueing = content.decorated(Client(transport=queue))
        at_least = content.decorated(Client(transport=IdleTransport()))

        def emptied() -> Handler:
            theirs.queue.queue.clear()
            return tracking

        def cleared() -> Handler:
            queue.clear()
            return queueing

        sides = {
            "bare": lambda: content.tracked.bare,
            "theirs": emptied,
            "queueing": cleared,
            "ours": lambda: decorated,
            "at least": lambda: at_least,
        }
        cpu = interleaved({name: _timed(side, calls, thread_time_ns) for name, side in sides.items()}, repetitions)
        wall = interleaved({name: _timed(side, calls, perf_counter_ns) for name, side in sides.items()}, repetitions)

    def result(what: str, samples: Samples, side: str, bar: Bar | None = None) -> Result:
        return Result(what, "µs", samples.above("theirs", "bare") * MICRO, samples.above(side, "bare") * MICRO, bar)

    return [
        result(content.tracked.name, cpu, "queueing", Bar(0.25)),
        result("  with another thread that commits", cpu, "ours"),
        result("  with an idle transport", cpu, "at least"),
        result("  by the clock on the wall", wall, "ours"),
        result("  by the clock on the wall, with an idle transport", wall, "at least"),
    ]


def _timed(side: Callable[[], Handler], calls: int, clock: Callable[[], int]) -> Callable[[], float]:
    return lambda: seconds_a_call(side(), calls, clock)


def _passing_through(wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrapped(*args, **kwargs)


def disabled_cost(calls: int, repetitions: int) -> Result:
    """Compare a handler whose client is switched off with one that is wrapped by wrapt, and nothing else."""
    decorated = PROVISIONING.decorated(Client(enabled=False))
    wrapped = wrapt.FunctionWrapper(tracked.PROVISIONING.bare, _passing_through)
    samples = interleaved(
        {
            "wrapped": lambda: seconds_a_call(wrapped, calls, perf_counter_ns),
            "ours": lambda: seconds_a_call(decorated, calls, perf_counter_ns),
        },
        repetitions,
    )
    above = samples.above("ours", "wrapped") * MICRO
    return Result("disabled client, above a bare wrapt call", "µs", None, above, Bar(2.0, "figure"))


def results(*, quick: bool) -> Iterator[Result]:
    """Measure everything."""
    calls, repetitions = (500, 3) if quick else (4_000, 15)
    for content in CONTENTS:
        yield from added_cost(content, calls, repetitions)
    yield disabled_cost(calls, repetitions)
