"""A process that sends: it says `ready`, waits for a line, sends, says `sent`, waits for a line, and ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from benchmarks.faults.clients import Job, Sending

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """Do the job of the environment."""
    job = Job.given()
    send = Sending(job)
    _say("ready")
    sys.stdin.readline()
    if job.forks:
        is_child = _send_around_forks(job, send)
        if is_child:
            return  # and end as any process does
    else:
        _send_on_threads(job, send)
    if job.settle:
        send.settle()
    _say("sent")
    sys.stdin.readline()
    if job.end == "close":
        send.close()


def _send_around_forks(job: Job, send: Sending) -> bool:
    """Send half, fork children that send as much as this process, send the rest; answer whether this is a child."""
    half = job.messages // 2
    _send_all(job, send, job.run, range(half))
    children: list[int] = []
    for number in range(job.forks):
        child = os.fork()
        if child == 0:
            _send_all(job, send, job.run + 1 + number, range(job.messages))
            return True
        children.append(child)
    _send_all(job, send, job.run, range(half, job.messages))
    for child in children:
        os.waitpid(child, 0)
    return False


def _send_on_threads(job: Job, send: Sending) -> None:
    parts = [range(each * job.messages, (each + 1) * job.messages) for each in range(job.threads)]
    others = [threading.Thread(target=_send_all, args=(job, send, job.run, part)) for part in parts[1:]]
    for thread in others:
        thread.start()
    _send_all(job, send, job.run, parts[0])
    for thread in others:
        thread.join()


def _send_all(job: Job, send: Sending, run: int, numbers: Sequence[int]) -> None:
    begin = time.monotonic()
    for sent, number in enumerate(numbers):
        if job.rate is not None:
            time.sleep(max(0.0, begin + sent / job.rate - time.monotonic()))
        send(run, number, poison=number == job.poison)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
