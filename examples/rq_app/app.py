# pyright: reportUnknownMemberType=false
# RQ and Redis are typed in part.
"""The job, and what enqueues it. A worker of it:

rq worker --worker-class instrument.integrations.rq.ScopedWorker letters
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rq import Queue, Retry, get_current_job

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.rq import ScopedJob

if TYPE_CHECKING:
    from redis import Redis


class WriterScope(Scope):
    """Who wrote the letter."""

    user_id: int


class LetterSent(Track, WriterScope):
    """A letter was sent."""

    letter: str


class LetterReturned(Track, WriterScope):
    """A letter could not be sent, and will not be tried again."""

    letter: str
    error: str


@tracks(LetterSent, failure=LetterReturned.from_call(error="error"))
def send(letter: str) -> str:
    """Send a letter; its text says what goes wrong."""
    job = get_current_job()
    first = job is None or bool(job.retries_left)
    if letter == "lost" or (letter == "late" and first):
        raise OSError(letter)
    return letter


def write(redis: Redis, user_id: int, letter: str) -> str:
    """Do what a web application does for each request; return the id of the job."""
    queue = Queue("letters", connection=redis, job_class=ScopedJob)
    with request_scope(user_id=user_id):
        return str(queue.enqueue(send, letter, retry=Retry(max=1)).id)
