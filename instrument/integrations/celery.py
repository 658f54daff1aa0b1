"""Celery: the request scope goes along with each task, and the worker's processes deliver before they end.

    from instrument.integrations.celery import connect

    app = Celery(...)
    connect()

in the module of the application, which those who send tasks import as well as the workers. Everything is done by
Celery's own signals.
"""

# pyright: reportMissingTypeStubs=false
# Celery has no types of its own.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from weakref import WeakKeyDictionary

from celery import current_task
from celery import signals as celery_signals
from celery.exceptions import Ignore, Reject, Retry

from instrument.calls import Outcome
from instrument.integrations.carried import NAME, TaskEntry, close_clients, packed
from instrument.integrations.retries import divert_retried, is_body
from instrument.outcomes import judge_raised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instrument.calls import Call
    from instrument.client import Client
    from instrument.context import Entry
    from instrument.integrations.entry import Fields

    class _Signal(Protocol):
        def connect(self, receiver: Callable[..., object], *, weak: bool) -> object: ...

        def disconnect(self, receiver: Callable[..., object]) -> object: ...


signals: Final = cast("Any", celery_signals)


class Connection:
    """What `connect` has connected; `disconnect` undoes it.

    Args:
        scope_from: from the running task to fields of its scope.
        clients: those that the processes of a worker close, beside the default one.
    """

    def __init__(self, scope_from: Callable[[Any], Fields] | None, clients: Sequence[Client]) -> None:
        self._tasks = TaskEntry(scope_from)
        self._clients = tuple(clients)
        # By Celery's request of a task, of which each run has its own: eager retries nest under one id.
        self._entered: WeakKeyDictionary[Any, Entry] = WeakKeyDictionary()
        self._receivers: dict[_Signal, Callable[..., object]] = {
            signals.before_task_publish: self._published,
            signals.task_prerun: self._begun,
            signals.task_postrun: self._ended,
            signals.worker_process_shutdown: self._process_ends,
        }

    def connect(self) -> None:
        """Connect to Celery's signals."""
        for signal, receiver in self._receivers.items():
            signal.connect(receiver, weak=False)

    def disconnect(self) -> None:
        """Let tasks be as if nothing had been connected."""
        global _connected  # noqa: PLW0603 - Celery's signals are of the whole process, too
        for signal, receiver in self._receivers.items():
            signal.disconnect(receiver)
        if _connected is self:
            _connected = None

    def _published(self, headers: dict[str, Any] | None = None, **_: object) -> None:
        if headers is None:
            return
        text = packed()
        if text is None:
            headers.pop(NAME, None)  # a retry has the headers of the run before it
        else:
            headers[NAME] = text

    def _begun(self, task: Any, **_: object) -> None:
        _learn_retries(task)
        request = task.request_stack.top
        entry = self._tasks.entry(task, request.get(NAME), inherit=bool(request.is_eager))
        entry.__enter__()
        self._entered[request] = entry

    def _ended(self, task: Any, **_: object) -> None:
        entry = self._entered.pop(task.request_stack.top, None)
        if entry is not None:
            entry.__exit__(None, None, None)

    def _process_ends(self, **_: object) -> None:
        # The processes of the prefork pool leave by `os._exit`, where Python calls nothing of what it calls at exit.
        close_clients(self._clients)


_connected: Connection | None = None


def connect(*, scope_from: Callable[[Any], Fields] | None = None, clients: Sequence[Client] = ()) -> Connection:
    """Let the request scope go along with every task that this process sends or runs.

    Connecting again takes the place of what was connected before. While connected, a task that raises `Retry`,
    `Ignore` or `Reject`, or what Celery retries by `autoretry_for`, has neither succeeded nor failed.

    Args:
        scope_from: from the running task, with its `request`, to fields of its scope: for tasks that nobody with a
            scope sends, such as those of Celery's beat. They win over what came along.
        clients: those that the processes of a prefork pool are to close when they end, beside the default one.

    Returns:
        What undoes it.

    Raises:
        TypeError: `scope_from` is no function.
    """
    global _connected  # noqa: PLW0603
    made = Connection(scope_from, clients)
    if _connected is not None:
        _connected.disconnect()
    made.connect()
    _connected = made
    return made


def _diverted(error: BaseException, call: Call) -> Outcome | None:
    del error, call
    return None if _connected is None else Outcome.DIVERTED


judge_raised(Retry, _diverted)
judge_raised(Ignore, _diverted)
judge_raised(Reject, _diverted)


def _learn_retries(task: Any) -> None:
    for kind in getattr(task, "autoretry_for", ()):
        divert_retried(kind, _is_retried)


def _is_retried(error: BaseException, call: Call) -> bool:
    task = cast("Any", current_task)
    if _connected is None or not task or not is_body(getattr(task, "_orig_run", None), call):
        return False
    return _will_retry(task, error)


def _will_retry(task: Any, error: BaseException) -> bool:
    """Whether Celery will retry a task that raises an error, as `celery.app.autoretry` decides it."""
    never: Any = tuple(getattr(task, "dont_autoretry_for", ()))
    if task.request.called_directly or isinstance(error, never):
        return False
    most = getattr(task, "retry_kwargs", {}).get("max_retries", task.max_retries)
    most = getattr(task, "override_max_retries", most)
    return isinstance(error, tuple(task.autoretry_for)) and (most is None or task.request.retries < most)
