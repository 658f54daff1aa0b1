"""APScheduler: a job that a request schedules runs in that request's scope, now or in a month.

    connect(scheduler)
    add_job(scheduler, remind, "date", run_date=tomorrow, args=[appointment])

Every executor and every job store of APScheduler 3 takes such a job: what is stored is a function and its arguments.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# APScheduler has no types of its own.

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from apscheduler.events import EVENT_SCHEDULER_SHUTDOWN

from instrument.context import Entry
from instrument.integrations.carried import flush_clients, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from apscheduler.job import Job
    from apscheduler.schedulers.base import BaseScheduler

    from instrument.client import Client


def connect(scheduler: BaseScheduler, *, clients: Sequence[Client] = ()) -> None:
    """Deliver what was accepted, within the setting `flush_timeout`, when a scheduler has shut down.

    Args:
        scheduler: of any kind.
        clients: those that are flushed, beside the default one.
    """

    def shut_down(_: object) -> None:
        flush_clients(clients)

    scheduler.add_listener(shut_down, EVENT_SCHEDULER_SHUTDOWN)


def add_job(
    scheduler: BaseScheduler,
    function: Callable[..., Any],
    trigger: Any = None,
    *,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Job:
    """Add a job that each time runs in a request scope of its own, with the fields of the present one.

    Args:
        scheduler: of any kind.
        function: what is run, `def` or `async def`.
        trigger: when, and by which options, as for the scheduler's own `add_job`.
        args: positional arguments of the function.
        kwargs: its keyword arguments.
        options: see `apscheduler.schedulers.base.BaseScheduler.add_job`.

    Returns:
        The job, among whose arguments the scope and the function come first.
    """
    run = run_async_in_scope if iscoroutinefunction(function) else run_in_scope
    options.setdefault("name", getattr(function, "__qualname__", None))
    return scheduler.add_job(run, trigger, args=(packed(), function, *args), kwargs=dict(kwargs or {}), **options)


def run_in_scope(came_along: str | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run a job in the request scope that came along with it: what a job store keeps by its name.

    Args:
        came_along: the fields as text, made by `packed`; `None` where there were none.
        function: the job.
        *args: what it is given.
        **kwargs: what it is given by name.
    """
    return Entry(unpacked(came_along), inherit=False).run(function, *args, **kwargs)


async def run_async_in_scope(came_along: str | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run an asynchronous job in the request scope that came along with it.

    Args:
        came_along: as for `run_in_scope`.
        function: the job, a coroutine function.
        *args: what it is given.
        **kwargs: what it is given by name.
    """
    with Entry(unpacked(came_along), inherit=False):
        return await function(*args, **kwargs)
