"""What calls of one client cost while nobody takes what is queued: `python -m benchmarks.calling SIDE CALLS`.

It prints microseconds above the bare handler, of the calling thread's processor time, for each of the messages.
"""

from __future__ import annotations

import json
import os
import sys
from time import thread_time_ns
from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved, seconds_a_call
from benchmarks.sides import SIDES
from benchmarks.tracked import TRACKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tracked import Handler

_REPETITIONS = 5


def main() -> None:
    """Measure one client."""
    side, calls = sys.argv[1], int(sys.argv[2])
    client = SIDES[side].driver().idle(calls * _REPETITIONS * len(TRACKED))
    costs: list[float] = []
    with client.scope:
        for content, handler in zip(TRACKED, client.handlers, strict=True):
            sides = {"bare": _timed(content.bare, calls), "emitting": _timed(handler, calls)}
            costs.append(interleaved(sides, _REPETITIONS).above("emitting", "bare") * 1e6)
    print(json.dumps(costs), flush=True)
    os._exit(0)  # what clients do at an exit is not measured, and may take seconds


def _timed(handler: Handler, calls: int) -> Callable[[], float]:
    return lambda: seconds_a_call(handler, calls, thread_time_ns)


if __name__ == "__main__":
    main()
