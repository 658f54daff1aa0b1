"""Event coverage: which declared messages a test run has emitted, and which branches of its handlers' calls it saw.

A branch is a message that a handler emits at one moment of its call: its start, its success, its failure. `Observer`
takes note of both while tests run; `Findings` are what one process has seen, and add up; a `Coverage` is what they
come to.
"""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from math import floor
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from instrument.client import Client
from instrument.decorated import decorated_handlers
from instrument.errors import Reason, Refusal
from instrument.handlers import Nature
from instrument.lifecycle import Instrumentation
from instrument.messages import Message, declaration_of, declared_messages
from instrument.resolution import ShortWay

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from instrument.calls import Call
    from instrument.client import Receipt
    from instrument.delivery.envelope import Parts
    from instrument.handlers import Handler
    from instrument.resolution import MessagePlan


@dataclass(frozen=True, slots=True, order=True)
class MessageClass:
    """A declared message class.

    Attributes:
        module: its module.
        name: its qualified name in there.
        type: the call of the Segment spec.
        event: the name of the event, page or screen; empty where the call has none.
        file: where it is declared.
        line: the line there.
    """

    module: str
    name: str
    type: str
    event: str
    file: str
    line: int

    @property
    def title(self) -> str:
        """What it is called: the name that is sent, or that of the class."""
        return self.event or self.name

    @property
    def path(self) -> str:
        """`module:qualified.name`."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Branch:
    """A message that a handler emits at one moment of its call.

    Attributes:
        module: the module of the handler.
        handler: `module:qualified.name` of it.
        file: where it is defined.
        line: the line there.
        moment: `start`, `success` or `failure`.
        message: `module:qualified.name` of the message class.
        title: what the message is called.
    """

    module: str
    handler: str
    file: str
    line: int
    moment: str
    message: str
    title: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What one process knows of: all of it is text, so that it can be told to another.

    Attributes:
        messages: the message classes that are declared.
        emitted: the paths of those of which a message was emitted.
        branches: the branches of the handlers that were decorated.
        seen: those of which a message was emitted.
        unimported: modules of the packages that were looked at which the process has not imported.
    """

    messages: frozenset[MessageClass] = frozenset()
    emitted: frozenset[str] = frozenset()
    branches: frozenset[Branch] = frozenset()
    seen: frozenset[Branch] = frozenset()
    unimported: frozenset[str] = frozenset()

    def __or__(self, other: Findings) -> Findings:
        """Add what another process of the same run has found."""
        return Findings(
            self.messages | other.messages,
            self.emitted | other.emitted,
            self.branches | other.branches,
            self.seen | other.seen,
            _in_both(self.unimported, other.unimported),
        )

    def to_json(self) -> str:
        """Return them as text, for another process."""
        return _FINDINGS.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Findings:
        """Return what another process has told."""
        return _FINDINGS.validate_json(text)


_FINDINGS: TypeAdapter[Findings] = TypeAdapter(Findings)


class Observer:
    """Takes note of what is declared, decorated and emitted while it observes.

    A message counts as emitted when it was built and serialised: also where the client is disabled, if it is strict
    or in debug mode, and so builds them all the same.

    >>> from instrument import Scope, Track, tracks
    >>> from instrument.testing import recording
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class TripBooked(Track, UserScope): ...
    >>> @tracks(TripBooked)
    ... def book(user_id: int) -> None: ...
    >>> observer = Observer()
    >>> with observer.observing(), recording():
    ...     book(7)
    >>> [(each.moment, each.message.rpartition(":")[2]) for each in observer.findings().seen]
    [('success', 'TripBooked')]
    """

    def __init__(self) -> None:
        self._emitted: set[str] = set()
        self._branches: set[Branch] = set()
        self._seen: set[Branch] = set()
        self._now = _Emitting()

    @contextmanager
    def observing(self) -> Generator[None]:
        """Observe in a `with` block: what is decorated before it is known too, what is emitted before it is not."""
        gc.collect()  # handlers that ended in a circle are no handlers
        for each in decorated_handlers.instrumentations():
            self._take_note(each)
        stop = decorated_handlers.tell(self._take_note)
        # In the place of the methods, so that a process without an observer has nothing to ask at each call.
        emit, accept = Instrumentation.emit, Client.accept
        _put(Instrumentation, "emit", self._observed_emit(emit))
        _put(Client, "accept", self._observed_accept(accept))
        try:
            yield
        finally:
            _put(Instrumentation, "emit", emit)
            _put(Client, "accept", accept)
            stop()

    def findings(self, packages: Sequence[str] = ()) -> Findings:
        """Return what is known by now.

        Args:
            packages: whose modules are looked for that are not imported.
        """
        return Findings(
            messages=frozenset(map(_message_class, declared_messages())),
            emitted=frozenset(self._emitted),
            branches=frozenset(self._branches),
            seen=frozenset(self._seen),
            unimported=frozenset(_unimported(packages)),
        )

    def _take_note(self, instrumentation: Instrumentation) -> None:
        self._branches.update(_branches(instrumentation))

    def _see(self, model: type[Message], branch: Branch | None = None) -> None:
        self._emitted.add(_path(model))
        if branch is not None:
            self._seen.add(branch)

    def _observed_emit(self, original: Callable[..., None]) -> Callable[..., None]:
        def emit(instrumentation: Instrumentation, plan: MessagePlan, call: Call, client: Client) -> None:
            branch = _branch(instrumentation.handler, plan)

            def encode(*args: Any) -> Parts:
                short = plan.short
                envelope = (short.encode or client.encoder_of(plan.model, plain=short.plain))(*args)
                self._see(plan.model, branch)
                return envelope

            def collect(call: Call) -> Any:
                made = plan.short.collect(call)
                observed.plain = plan.short.plain
                return made

            observed = ShortWay(collect, encode=encode)
            self._take_note(instrumentation)
            with self._now.emitting(plan.model, branch):
                original(instrumentation, replace(plan, short=observed), call, client)

        return emit

    def _observed_accept(self, original: Callable[..., Receipt]) -> Callable[..., Receipt]:
        def accept(client: Client, message: Any, **rest: Any) -> Receipt:
            try:
                receipt = original(client, message, **rest)
            except Refusal as refusal:
                if refusal.reason is Reason.DISABLED:  # found out when the envelope has been made
                    self._accepted(message)
                raise
            self._accepted(message)
            return receipt

        return accept

    def _accepted(self, message: object) -> None:
        if isinstance(message, Message):
            self._see(type(message), self._now.branch_of(type(message)))


class _Emitting(threading.local):
    """Which branches this thread is emitting a message of; a source may itself emit, and so there may be several."""

    def __init__(self) -> None:
        self._stack: list[tuple[type[Message], Branch]] = []

    @contextmanager
    def emitting(self, model: type[Message], branch: Branch) -> Generator[None]:
        self._stack.append((model, branch))
        try:
            yield
        finally:
            self._stack.pop()

    def branch_of(self, model: type[Message]) -> Branch | None:
        if not self._stack:
            return None
        emitted, branch = self._stack[-1]
        return branch if emitted is model else None


@dataclass(frozen=True, slots=True)
class CoveredMessage:
    """A message class, whether a message of it was emitted, and by which handlers it can be."""

    message: MessageClass
    emitted: bool
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class CoveredHandler:
    """A handler, and its branches with whether each was seen."""

    module: str
    handler: str
    file: str
    line: int
    branches: tuple[tuple[Branch, bool], ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are of something, and how many of them were covered."""

    covered: int
    total: int

    @classmethod
    def of(cls, covered: Iterable[bool]) -> Count:
        """Count things by whether each is covered."""
        every = list(covered)
        return cls(sum(every), len(every))

    def __add__(self, other: Count) -> Count:
        return Count(self.covered + other.covered, self.total + other.total)

    @property
    def missed(self) -> int:
        """How many were not."""
        return self.total - self.covered

    @property
    def percent(self) -> float | None:
        """The part that was covered; `None` where there is nothing to cover."""
        return None if self.total == 0 else 100 * self.covered / self.total

    @property
    def percent_text(self) -> str:
        """The same as text, rounded down, so that only all of it is 100%.

        >>> Count(199, 200).percent_text, Count(0, 0).percent_text
        ('99%', '-')
        """
        return "-" if self.percent is None else f"{floor(self.percent)}%"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the findings of a run come to.

    Attributes:
        messages: every message class, in order.
        handlers: every handler that emits one of them, in order.
        unimported: modules of which nothing is known, since no test imported them.
        packages: what it is limited to; nothing where it is not.
        lost: workers that ended without telling what they had found.
    """

    messages: tuple[CoveredMessage, ...]
    handlers: tuple[CoveredHandler, ...]
    unimported: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    lost: int = 0

    @classmethod
    def of(cls, findings: Findings, packages: Sequence[str] = (), lost: int = 0) -> Coverage:
        """Sum findings up.

        A branch counts where its message is declared at the end of the run: of what a test declares for itself in
        `registry.isolated()`, nothing is left to cover.

        Args:
            findings: those of all processes.
            packages: which messages and handlers count, by their modules; all of them without it.
            lost: workers of which there are none.
        """
        declared = {each.path for each in findings.messages}
        branches = sorted((each for each in findings.branches if each.message in declared), key=_order)
        return cls(
            messages=tuple(
                CoveredMessage(
                    message=each,
                    emitted=each.path in findings.emitted,
                    branches=tuple(branch for branch in branches if branch.message == each.path),
                )
                for each in sorted(findings.messages)
                if is_within(each.module, packages)
            ),
            handlers=tuple(
                CoveredHandler(*handler, branches=tuple((branch, branch in findings.seen) for branch in its_branches))
                for handler, its_branches in groupby(branches, key=_handler)
                if is_within(handler[0], packages)
            ),
            unimported=tuple(sorted(findings.unimported)),
            packages=tuple(packages),
            lost=lost,
        )

    @property
    def message_count(self) -> Count:
        """How many messages there are, and how many were emitted."""
        return Count.of(each.emitted for each in self.messages)

    @property
    def branch_count(self) -> Count:
        """How many branches there are, and how many were seen."""
        return Count.of(seen for each in self.handlers for _, seen in each.branches)

    @property
    def count(self) -> Count:
        """Messages and branches together."""
        return self.message_count + self.branch_count

    @property
    def not_emitted(self) -> tuple[CoveredMessage, ...]:
        """The messages that were never emitted."""
        return tuple(each for each in self.messages if not each.emitted)

    @property
    def not_seen(self) -> tuple[Branch, ...]:
        """The branches that were never seen."""
        return tuple(branch for handler in self.handlers for branch, seen in handler.branches if not seen)


_MOMENTS = ("start", "success", "failure")


def is_within(module: str, packages: Sequence[str]) -> bool:
    """Whether a module is one of some packages, or in one; any module is, where there are none.

    >>> is_within("shop.orders", ["shop"]), is_within("shopping", ["shop"]), is_within("shopping", [])
    (True, False, True)
    """
    return not packages or _is_below(module, packages)


def _is_below(module: str, packages: Iterable[str]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def _in_both(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Intersect sets of modules, of which a package stands for all that is below it."""
    return frozenset(
        [each for each in some if _is_below(each, others)] + [each for each in others if _is_below(each, some)]
    )


def _handler(branch: Branch) -> tuple[str, str, str, int]:
    return branch.module, branch.handler, branch.file, branch.line


def _order(branch: Branch) -> tuple[tuple[str, str, str, int], int, str]:
    return _handler(branch), _MOMENTS.index(branch.moment), branch.message


def _message_class(model: type[Message]) -> MessageClass:
    declaration = declaration_of(model)
    return MessageClass(
        module=_text(model.__module__),
        name=_text(model.__qualname__),
        type=declaration.spec.type,
        event=declaration.name or "",
        file=_text(declaration.at.file),
        line=declaration.at.line,
    )


def _path(model: type[Message]) -> str:
    # What is emitted of a generic class is one of its parametrisations; what is declared is the class.
    declared = model.__pydantic_generic_metadata__["origin"] or model
    return _text(f"{declared.__module__}:{declared.__qualname__}")


def _branches(instrumentation: Instrumentation) -> Iterator[Branch]:
    for plan in (instrumentation.start, instrumentation.success, instrumentation.failure):
        if plan is not None:
            yield _branch(instrumentation.handler, plan)


def _branch(handler: Handler, plan: MessagePlan) -> Branch:
    return Branch(
        module=_text(_module(handler)),
        handler=_text(handler.name),
        file=_text(handler.place.file),
        line=handler.place.line,
        moment=plan.moment.value,
        message=_path(plan.model),
        title=declaration_of(plan.model).name or _text(plan.model.__name__),
    )


def _module(handler: Handler) -> str:
    if handler.nature is not Nature.BLOCK:
        return handler.name.partition(":")[0]
    found = (name for name, each in list(sys.modules.items()) if getattr(each, "__file__", None) == handler.place.file)
    return next(found, "?")


def _unimported(packages: Sequence[str]) -> Iterator[str]:
    files = {getattr(each, "__file__", None) for each in list(sys.modules.values())}
    for package in packages:
        if package in sys.modules:
            yield from _unimported_below(package, files)
        else:
            yield package


def _unimported_below(package: str, files: set[str | None]) -> Iterator[str]:
    for found in iter_modules(getattr(sys.modules[package], "__path__", ()), f"{package}."):
        if found.name in sys.modules:
            yield from _unimported_below(found.name, files)
        elif not found.name.endswith(".__main__"):
            spec = found.module_finder.find_spec(found.name, None)
            # pytest may have imported the file of a test by another name.
            if spec is None or spec.origin not in files:
                yield found.name


def _text(text: str) -> str:
    """Return a text that every encoding can say: file names need not be text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _put(owner: type, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)
