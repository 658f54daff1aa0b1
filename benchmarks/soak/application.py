"""An application under steady load: handlers on threads and in an event loop, each in a request of its own.

It says `ready`, waits for a line, works until the next one, and ends.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.clients import Job, configured
from benchmarks.faults.events import FaultProbe
from benchmarks.faults.records import Recording
from instrument import request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_refused: ContextVar[bool] = ContextVar("refused")


class Application:
    """Handles requests, and writes down of each whether its message was taken.

    Args:
        job: what it has to do; half of its threads are real ones, the other half are tasks of one event loop.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._recording = Recording(Path(job.records))
        self._numbers = count()
        self._ending = threading.Event()
        self._client = configured(job, lambda _error, _place: _refused.set(True))

    def run(self, wait: Callable[[], object]) -> None:
        """Work until something has come that is waited for, and deliver what there is."""
        working = [threading.Thread(target=self._threaded) for _ in range(self._job.threads // 2)]
        working.append(threading.Thread(target=asyncio.run, args=(self._asynchronous(),)))
        for thread in working:
            thread.start()
        wait()
        self._ending.set()
        for thread in working:
            thread.join()
        self._client.close()

    def _threaded(self) -> None:
        while not self._ending.wait(self._pause):
            with self._request() as number:
                handle(self._job.run, number)

    async def _asynchronous(self) -> None:
        await asyncio.gather(*(self._task() for _ in range(self._job.threads - self._job.threads // 2)))

    async def _task(self) -> None:
        while not self._ending.is_set():
            await asyncio.sleep(self._pause)
            with self._request() as number:
                await handle_asynchronously(self._job.run, number)

    @contextmanager
    def _request(self) -> Iterator[int]:
        """Open a request for a block, give its number, and write down what became of its message."""
        number = next(self._numbers)
        start = time.monotonic()
        _refused.set(False)
        with request_scope(user_id=number):
            yield number
        at = time.monotonic()
        self._recording.note(self._job.run, number, not _refused.get(), at, at - start)

    @property
    def _pause(self) -> float:
        return 1 / (self._job.rate or 1.0)


@tracks(FaultProbe)
def handle(run: int, number: int) -> None:
    """Handle a request on a thread."""


@tracks(FaultProbe)
async def handle_asynchronously(run: int, number: int) -> None:
    """Handle a request in the event loop."""


def main() -> None:
    """Do the job of the environment."""
    application = Application(Job.given())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    application.run(sys.stdin.readline)


if __name__ == "__main__":
    main()
