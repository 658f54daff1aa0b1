"""The request scope in other threads and processes: `ScopedExecutor(ThreadPoolExecutor())`.

Python gives the threads of a pool no context of their own. What is submitted here runs with the fields that the
request had when it was submitted, also when the request has ended.
"""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from instrument.context import Entry, current_frame, request_scope
from instrument.errors import ScopeError
from instrument.faults import ambient
from instrument.places import caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from typing_extensions import ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")


class ScopedExecutor(Executor):
    """An executor whose tasks run in the request scope that they were submitted in.

    It serves `loop.run_in_executor` as well. Fields go to the processes of a `ProcessPoolExecutor` pickled.

    Args:
        executor: the executor that runs them; it is shut down with this one.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from instrument import request_scope
    >>> with ScopedExecutor(ThreadPoolExecutor(1)) as executor, request_scope(user_id=7):
    ...     executor.submit(lambda: request_scope.user_id).result()
    7
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function with these arguments, in the request scope of now."""
        return self._executor.submit(self._scoped(fn), *args, **kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """Run a function for each item, in the request scope of now.

        Args:
            fn: the function.
            *iterables: one for each of its arguments.
            timeout: seconds from now, after which the iterator raises `TimeoutError`; `None` waits as long as it
                takes.
            chunksize: how many items a process is given at once; threads take one.
        """
        return self._executor.map(self._scoped(fn), *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is
        """Shut the executor down."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def _scoped(self, function: Callable[..., T]) -> Callable[..., T]:
        if isinstance(self._executor, ProcessPoolExecutor):
            return partial(_run_in_process, _pickled(), function)
        return partial(request_scope.snapshot().run, function)


def _pickled() -> bytes:
    """Pickle the request scope of now, without the fields that cannot be."""
    frame = current_frame()
    context = None if frame is None else frame.context
    values = {name: value for name, value in request_scope.values().items() if _can_be_pickled(name, value)}
    return pickle.dumps((values, None if context is None else dict(context)))


def _can_be_pickled(name: str, value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever a class does
        text = f"field {name!r} cannot be pickled ({type(value).__name__}), and does not go along to the other process"
        ambient.faults.report(ScopeError(text), f"ScopedExecutor at {caller()}")
        return False
    return True


def _run_in_process(pickled: bytes, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    with _unpickled(pickled):
        return function(*args, **kwargs)


def _unpickled(pickled: bytes) -> Entry:
    values: Mapping[str, Any] = {}
    context: Mapping[str, Any] | None = None
    try:
        values, context = pickle.loads(pickled)  # noqa: S301 - from the parent process
    except Exception as error:  # noqa: BLE001 - a class that is not there
        unread = ScopeError(f"the request scope could not be unpickled: {type(error).__name__}")
        ambient.faults.report(unread, "ScopedExecutor")
    return Entry(values, inherit=False, context=context)
