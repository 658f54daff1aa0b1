"""RQ: the request scope goes along with each job, and each work horse delivers before it ends.

queue = Queue(connection=redis, job_class=ScopedJob)       # where jobs are enqueued
rq worker --worker-class instrument.integrations.rq.ScopedWorker
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rq import Retry, SimpleWorker, Worker, get_current_job
from rq.job import Job
from rq.worker import BaseWorker

from instrument.calls import Outcome
from instrument.integrations.carried import NAME, TaskEntry, close_clients, packed
from instrument.integrations.retries import divert_retried, is_body
from instrument.outcomes import judge_returned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from instrument.calls import Call
    from instrument.client import Client
    from instrument.integrations.entry import Fields


class ScopedJob(Job):
    """A job that has the request scope of who enqueues it in its `meta`."""

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a job."""
        job = cast("Self", cast("Any", super()).create(*args, **kwargs))
        text = packed()
        if text is not None:
            job.meta = {**job.meta, NAME: text}
        return job


class ScopesJobs(BaseWorker):
    """What makes a class of workers open the request scope of each job: put it before that class among the bases.

    Work horses, which are processes that leave by `os._exit`, close their clients before they end.

    Attributes:
        scope_from: from a job to fields of its scope, which win over those that came along; a static method.
        clients: those that a work horse closes, beside the default one.
    """

    scope_from: Callable[[Job], Fields] | None = None
    clients: Sequence[Client] = ()

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        """Perform a job in its request scope."""
        entry = TaskEntry(self.scope_from).entry(job, job.meta.get(NAME))
        try:
            with entry:
                return super().perform_job(job, *args, **kwargs)
        finally:
            if self.is_horse:
                close_clients(self.clients)


class ScopedWorker(ScopesJobs, Worker):
    """RQ's worker, which forks a work horse for each job."""


class ScopedSimpleWorker(ScopesJobs, SimpleWorker):
    """RQ's worker that performs the jobs itself."""


def _is_retried(error: BaseException, call: Call) -> bool:
    del error
    job = get_current_job()
    return job is not None and bool(job.should_retry) and is_body(job.func, call)


def _judge_retry(retry: Retry, call: Call) -> Outcome | None:
    """Tell the last attempt, whose wish to be run again RQ does not grant, from those before it."""
    job = get_current_job()
    if job is None or not is_body(job.func, call):
        return None
    return Outcome.DIVERTED if (job.number_of_retries or 0) < retry.max else Outcome.FAILURE


divert_retried(Exception, _is_retried)
judge_returned(Retry, _judge_retry)
