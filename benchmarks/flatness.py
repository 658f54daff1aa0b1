"""Whether a call costs more the more messages wait: `python -m benchmarks.flatness MESSAGES` prints it as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from time import perf_counter_ns, thread_time_ns

from benchmarks.contents import PROVISIONING
from benchmarks.tracked import USER_ID
from instrument import Client, request_scope

_WINDOW = 1_000
"""Calls that are timed together."""
_NOBODY = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


def main() -> None:
    """Queue messages that nobody takes, and print the microseconds of each window: on the wall, and of the thread."""
    messages = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory, request_scope(user_id=USER_ID):
        client = Client(write_key="benchmark", host=_NOBODY, spool_dir=directory, spool_max_bytes=16 << 30)
        handler = PROVISIONING.decorated(client)
        wall: list[float] = []
        thread: list[float] = []
        for first in range(0, messages, _WINDOW):
            start, start_of_thread = perf_counter_ns(), thread_time_ns()
            for number in range(first, first + _WINDOW):
                handler(number)
            thread.append((thread_time_ns() - start_of_thread) / 1e3 / _WINDOW)
            wall.append((perf_counter_ns() - start) / 1e3 / _WINDOW)
        accepted = client.stats().accepted
        client.close(0)
    print(json.dumps({"accepted": accepted, "wall": wall, "thread": thread}))


def around(windows: list[float], queued: int) -> float:
    """Return the median of the windows at about so many queued messages."""
    at = queued // _WINDOW
    width = max(5, len(windows) // 20)
    return statistics.median(windows[max(0, at - width) : at + width])


if __name__ == "__main__":
    main()
