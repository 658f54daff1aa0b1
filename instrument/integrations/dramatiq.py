"""Dramatiq: the request scope goes along with each message, and the worker delivers before it stops.

    broker.add_middleware(ScopeMiddleware())

for the broker of those who send messages as well as for that of the workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dramatiq import Middleware
from dramatiq.middleware import Retries

from instrument.integrations.carried import NAME, TaskEntry, flush_clients, packed
from instrument.integrations.retries import divert_retried, is_body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dramatiq import Broker, Message, Worker
    from dramatiq.broker import MessageProxy

    from instrument.calls import Call
    from instrument.client import Client
    from instrument.context import Entry, Frame
    from instrument.integrations.entry import Fields


class _Running(NamedTuple):
    entry: Entry
    frame: Frame
    broker: Broker
    message: MessageProxy


# By the identity of the message, which lives as long as it is processed.
_running: dict[int, _Running] = {}


class ScopeMiddleware(Middleware):
    """Lets the request scope go along with messages, in their options, and opens it around their actors.

    An actor that raises, and that Dramatiq will run again, has neither succeeded nor failed.

    Args:
        scope_from: from the message to fields of its scope, which win over those that came along.
        clients: those that are flushed when a worker stops, beside the default one.

    Raises:
        TypeError: `scope_from` is no function.
    """

    def __init__(
        self, *, scope_from: Callable[[MessageProxy], Fields] | None = None, clients: Sequence[Client] = ()
    ) -> None:
        self._tasks = TaskEntry(scope_from)
        self._clients = tuple(clients)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        """Put the request scope into the options; what Dramatiq enqueues again keeps what it has."""
        del broker, delay
        text = packed()
        if text is not None:
            message.options[NAME] = text

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Open the request scope."""
        entry = self._tasks.entry(message, message.options.get(NAME))
        _running[id(message)] = _Running(entry, entry.__enter__(), broker, message)

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Close it."""
        del broker, result, exception
        running = _running.pop(id(message), None)
        if running is not None:
            running.entry.__exit__(None, None, None)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Close it, too, where another middleware has skipped the message."""
        self.after_process_message(broker, message)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Deliver what was accepted, within the setting `flush_timeout`."""
        del broker, worker
        flush_clients(self._clients)


def _is_retried(error: BaseException, call: Call) -> bool:
    running = _running_around(call)
    if running is None:
        return False
    actor = cast("Any", running.broker).get_actor(running.message.actor_name)
    return is_body(actor.fn, call) and _will_retry(error, actor, running)


def _running_around(call: Call) -> _Running | None:
    frame = call.frame
    while frame is not None:
        for running in tuple(_running.values()):
            if running.frame is frame:
                return running
        frame = frame.parent
    return None


def _will_retry(error: BaseException, actor: Any, running: _Running) -> bool:
    """Whether Dramatiq will run a message again, as `dramatiq.middleware.Retries` decides it."""
    middleware: Any = next((each for each in running.broker.middleware if isinstance(each, Retries)), None)
    options = running.message.options
    throws = options.get("throws") or actor.options.get("throws")
    if middleware is None or (throws and isinstance(error, throws)):
        return False
    retries = options.get("retries", 0)
    retry_when = actor.options.get("retry_when", middleware.retry_when)
    if retry_when is not None:
        return bool(retry_when(retries, error))
    most = options.get("max_retries", actor.options.get("max_retries", middleware.max_retries))
    return most is None or retries < most


divert_retried(Exception, _is_retried)
