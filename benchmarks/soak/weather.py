"""What goes wrong around an application: one thing after the other, drawn at random, none of them left out for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from benchmarks.soak.stage import Stage


def server_error(stage: Stage, draw: random.Random) -> None:
    """The collector answers with a 5xx."""
    stage.collector.behave("status", status=draw.choice([500, 502, 503, 504]))
    stage.last()


def too_many(stage: Stage, draw: random.Random) -> None:
    """It asks for patience."""
    stage.collector.behave("status", status=429, retry_after=draw.choice([0, 1, "soon"]))
    stage.last()


def hangs(stage: Stage, draw: random.Random) -> None:  # noqa: ARG001 - as all others
    """It answers nothing, until its process is killed, which cuts off every connection."""
    stage.collector.behave("hang")
    stage.last()
    stage.restart_collector()


def slow(stage: Stage, draw: random.Random) -> None:
    """It takes its time."""
    stage.collector.behave("slow", delay=draw.uniform(0.05, 0.5))
    stage.last()


def loses_answers(stage: Stage, draw: random.Random) -> None:
    """It keeps batches, and cuts off the connection in the place of an answer."""
    stage.collector.behave("lose answer", times=draw.randint(1, 5))
    stage.last()


def restarts(stage: Stage, draw: random.Random) -> None:
    """It is killed again and again, in the middle of whatever it does."""
    for _ in range(draw.randint(1, 3)):
        stage.restart_collector()


def down_until_full(stage: Stage, draw: random.Random) -> None:  # noqa: ARG001 - as all others
    """Nobody listens, for so long that the spool is full and messages are refused."""
    stage.collector.stop()
    stage.wait_until_refused()
    stage.last()
    stage.collector.start()


def kill(stage: Stage, draw: random.Random) -> None:
    """An application is killed with what it has not delivered, and another one starts in its place."""
    if draw.random() < 0.5:
        stage.collector.behave("status", status=500)
    stage.last()
    stage.kill_one()
    stage.collector.behave()


FAULTS = (server_error, too_many, hangs, slow, loses_answers, restarts, down_until_full, kill)


def drawn(draw: random.Random) -> Iterator[Callable[[Stage, random.Random], None]]:
    """Return every fault, in a random order, again and again."""
    while True:
        yield from draw.sample(FAULTS, len(FAULTS))


def rage(stage: Stage, draw: random.Random, seconds: float) -> dict[str, int]:
    """Bring faults about, with a pause after each, for so long; answer how many of each there were."""
    until = time.monotonic() + seconds
    done = dict.fromkeys((each.__name__.replace("_", " ") for each in FAULTS), 0)
    for fault in drawn(draw):
        if time.monotonic() >= until:
            break
        fault(stage, draw)
        stage.collector.behave()
        stage.last()
        done[fault.__name__.replace("_", " ")] += 1
    return done
