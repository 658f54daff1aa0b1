"""One engine for every decorator: the messages of one handler, and the life of one call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from instrument.calls import Call, NoResultError, Outcome
from instrument.context import capture, innermost_frame, notes_of
from instrument.delivery.envelope import PLAIN_TAIL
from instrument.errors import Reason, Refusal
from instrument.handlers import Nature
from instrument.messages import declaration_of
from instrument.outcomes import judges_of_errors, judges_of_results
from instrument.resolution import Moment, compile_message

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from instrument.bindings import Binding, Source
    from instrument.client import Client
    from instrument.context import Frame
    from instrument.handlers import Handler
    from instrument.messages import Message
    from instrument.resolution import MessagePlan
    from instrument.scopes import Scope

    FailedIf = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """What a decorator compiled: the messages of one handler, and when each is emitted.

    Attributes:
        handler: what is decorated.
        start: emitted before the handler runs.
        success: emitted when its body has ended.
        failure: emitted when it raised, was cancelled, or returned what `failed_if` calls a failure.
        failed_if: whether a call that ended is a failure; sees `call.result` and `call.error`.
        own_client: the client, where it is not the default one.
    """

    handler: Handler
    start: MessagePlan | None
    success: MessagePlan | None
    failure: MessagePlan | None
    failed_if: FailedIf | None
    own_client: Client | None

    def emit(self, plan: MessagePlan, call: Call, client: Client) -> None:
        """Build a message from a call and hand it over; whatever goes wrong stays here, but in strict mode.

        Raises:
            Exception: in strict mode, and where the handler has not raised: what went wrong.
        """
        try:
            frame = call.frame
            if client.plain and not (call.late or plan.read_id or (frame is not None and frame.context)):
                # The short way of most messages: whatever is in its way, the careful one meets again, and says so.
                short = plan.short
                made = short.collect(call)  # compiles the rest, at the first call
                encode = short.encode or client.encoder_of(plan.model, plain=short.plain)
                client.direct.take(encode(made, client.next_stamp(), PLAIN_TAIL))  # type: ignore[union-attr,misc]
                return
        except Exception:  # noqa: BLE001, S110 - see above
            pass
        self._emit_carefully(plan, call, client)

    def _emit_carefully(self, plan: MessagePlan, call: Call, client: Client) -> None:
        try:
            self._emit_with_notes(plan, call, client)
        except Exception as error:  # noqa: BLE001 - emission never changes the handler
            if isinstance(error, Refusal) and error.reason is Reason.DISABLED:
                return
            if not self.handler.fits(call.args, call.kwargs):
                return  # the caller's mistake, of which the handler's own TypeError tells
            if client.watch is not None:
                client.watch.refused(declaration_of(plan.model), client.next_stamp(), error, self._notes(call))
            where = f"{self.handler.name} ({self.handler.place}), {plan.moment.value} {plan.model.__name__}"
            client.faults.report(error, where, handler_raised=call.error is not None)

    def _emit_with_notes(self, plan: MessagePlan, call: Call, client: Client) -> None:
        if call.late and client.settings.late == "refuse":
            raise Refusal(Reason.LATE, f"{plan.model.__name__}: the call began after its request scope was closed")
        notes: dict[str, Any] = {"late": True} if call.late else {}
        if not client.debug:
            message = plan.make(call)
        else:
            message, origins = plan.build(call)
            notes |= {"provenance": origins, **self._notes(call)}
        context = dict(call.frame.context or {}) if call.frame is not None else {}
        if notes:
            context["instrument"] = notes
        client.accept(
            message,
            message_id=plan.message_id(call),
            context=context,
            late=call.late,
            transactional=plan.transactional,
        )

    def _notes(self, call: Call) -> dict[str, Any]:
        """Say where a message comes from, in debug mode."""
        return {"handler": self.handler.name, "place": str(self.handler.place), **notes_of(call.frame)}


def compile_instrumentation(
    handler: Handler,
    *,
    success: type[Message] | Binding[Message] | None,
    start: type[Message] | Binding[Message] | None,
    failure: type[Message] | Binding[Message] | None,
    scope: type[Scope] | Binding[Scope] | None,
    failed_if: FailedIf | None,
    message_id: Source | None,
    client: Client | None,
    transactional: bool | None = None,
) -> Instrumentation:
    """Compile what a decorator was given; `SpecDecorator` tells what each is.

    Raises:
        BindingError: the handler and a message do not fit.
        DeclarationError: a message class is abstract.
    """
    given = ((Moment.START, start), (Moment.SUCCESS, success), (Moment.FAILURE, failure))
    plans = {
        moment: compile_message(
            handler,
            message,
            scope,
            moment,
            has_failed_if=failed_if is not None,
            message_id=message_id,
            transactional=transactional,
        )
        for moment, message in given
        if message is not None
    }
    return Instrumentation(
        handler=handler,
        start=plans.get(Moment.START),
        success=plans.get(Moment.SUCCESS),
        failure=plans.get(Moment.FAILURE),
        failed_if=failed_if,
        own_client=client,
    )


class Run(Call):
    """A call, with its life: a context manager around the handler's body."""

    # Declared once more, since checkers of types that see no stub of ours infer what a class assigns, also an heir.
    handler: Handler
    strict: bool
    captured: float
    began: float
    ended: float | None
    frame: Frame | None
    late: bool
    outcome: Outcome

    _started = False

    def __init__(
        self, instrumentation: Instrumentation, client: Client, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        # What Call.__init__ does, without a call for each: this is on the path of every handler.
        self.handler = instrumentation.handler
        self.args = args
        self.kwargs = kwargs
        self.strict = client.strict
        self.captured = self.began = now = perf_counter()
        frame = innermost_frame()
        self.late = late = frame is not None and frame.closed_at <= now
        self.frame = capture(now)[0] if late else frame
        self._instrumentation = instrumentation
        self._client = client

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)

    def start(self) -> None:
        """The body begins."""
        start = self._instrumentation.start
        if start is not None and not self._started:
            self._started = True
            self._instrumentation.emit(start, self, self._client)

    def end(self, error: BaseException | None) -> None:
        """The body has ended."""
        instrumentation = self._instrumentation
        self.ended = perf_counter()
        if error is None and instrumentation.failed_if is None and type(self.returned) in _UNJUDGED:
            self.outcome = Outcome.SUCCESS
            plan = instrumentation.success
        else:
            self.error = error
            self.outcome = self._judged_outcome()
            plan = instrumentation.success if self.outcome is Outcome.SUCCESS else self._plan_of_failure()
        if plan is not None:
            instrumentation.emit(plan, self, self._client)

    def _plan_of_failure(self) -> MessagePlan | None:
        if self.outcome is Outcome.ABANDONED or self.outcome is Outcome.DIVERTED:
            return None
        return self._instrumentation.failure

    def begin(self) -> None:
        """Start the clock: the body runs later than its call, though in the request scope of its call."""
        self.began = perf_counter()
        if self.frame is None or self.late:
            self.capture(self.began)

    def _judged_outcome(self) -> Outcome:
        error = self.error
        if isinstance(error, GeneratorExit) and self.handler.nature in _GENERATORS:
            return Outcome.ABANDONED
        if isinstance(error, _CANCELLED):
            return Outcome.CANCELLED
        by_default = self._outcome_by_framework() or (Outcome.SUCCESS if error is None else Outcome.FAILURE)
        if self._instrumentation.failed_if is None or not isinstance(error, (Exception, type(None))):
            return by_default
        return self._judged(self._instrumentation.failed_if, by_default)

    def _outcome_by_framework(self) -> Outcome | None:
        error = self.error
        ended_with: object = self.returned if error is None else error
        judges = (judges_of_results if error is None else judges_of_errors).of(type(ended_with))
        try:
            return next((said for judge in judges if (said := judge(ended_with, self)) is not None), None)
        except Exception as raised:  # noqa: BLE001 - as for a predicate
            where = f"{self.handler.name} ({self.handler.place}), the rule of its framework for how it ended"
            self._client.faults.report(raised, where, handler_raised=error is not None)
            return None

    def _judged(self, failed_if: FailedIf, by_default: Outcome) -> Outcome:
        try:
            return Outcome.FAILURE if failed_if(self) else Outcome.SUCCESS
        except Exception as raised:  # noqa: BLE001 - a predicate's error must not reach the handler
            # A predicate on the result alone cannot judge a call that has none: the exception stays a failure.
            if self.error is None or not isinstance(raised, NoResultError):
                where = f"{self.handler.name} ({self.handler.place}), failed_if"
                self._client.faults.report(raised, where, handler_raised=self.error is not None)
            return by_default


_UNJUDGED = judges_of_results.unknown
_GENERATORS = (Nature.GENERATOR, Nature.ASYNC_GENERATOR)
_CANCELLED = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)
