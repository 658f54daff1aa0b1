"""The request scope: the identifying fields that are set at a request's entry point.

A request scope is a *frame*, held by one variable of a contextvars-extras registry. A frame knows its parent;
reading walks outwards and skips closed frames, assignment writes the innermost open one. Since tasks and
threads inherit the variable, and with it the frame itself, what an inner thread-pool dependency assigns is
seen by the handler.
"""

from __future__ import annotations

import sys
import warnings
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from contextvars_extras import ContextVarDescriptor, ContextVarsRegistry

from instrument.errors import InstrumentWarning, Reason, Refusal, ScopeError, nearest
from instrument.faults import ambient
from instrument.missing import MISSING
from instrument.places import caller
from instrument.privacy.consent import KEY as CONSENT
from instrument.privacy.consent import Consent, consent_in, in_place_of
from instrument.scopes import Scope, is_scope_name, scope_names

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from types import TracebackType

    from typing_extensions import ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")

_GENERATORS_THAT_ENTER_FOR_OTHERS = ("contextlib", "_pytest", "pytest_asyncio", "anyio")


class Frame:
    """The fields that one `with request_scope(...)` holds.

    Attributes:
        parent: the frame whose fields are read where this one has none.
        around: the frame that becomes the current one again when this one is left.
        opener: the entry that opened it.
        values: by field name; a field is assigned once.
        conflicts: fields that were given two different values, and can no longer be trusted.
        context: what Segment's context has of the request, for every message that belongs to it.
        failing: the statuses of HTTP that count as failures; `None` where no entry point has said.
        closed_at: when the frame was left, on the clock of `time.perf_counter`; infinity while it is open.
        request: what the messages of its request have in common; not there before it is asked for.
    """

    __slots__ = ("around", "closed_at", "conflicts", "context", "failing", "opener", "parent", "request", "values")

    request: str

    def __init__(self, values: dict[str, Any], parent: Frame | None, around: Frame | None, opener: Entry) -> None:
        self.values: dict[str, Any] = values
        self.parent: Frame | None = parent
        self.around: Frame | None = around
        self.opener: Entry = opener
        self.conflicts: set[str] = set()
        self.context: Mapping[str, Any] | None = None if parent is None else parent.context
        self.failing: Container[int] | None = None if parent is None else parent.failing
        self.closed_at: float = inf

    def request_id(self) -> str:
        """Return what the messages of one request have in common: the frames in it are of its outermost one."""
        outermost = self
        while outermost.parent is not None:
            outermost = outermost.parent
        if not hasattr(outermost, "request"):
            # Without a lock, which a fork or a signal handler could find taken: at worst, one message of two threads
            # that are the first ones at once is shown apart.
            outermost.request = uuid4().hex[:12]
        return outermost.request

    def nearest_open(self) -> Frame | None:
        """Return this frame if it is open, else its nearest open ancestor."""
        frame: Frame | None = self
        while frame is not None and frame.closed_at is not inf:
            frame = frame.around
        return frame

    def assign(self, name: str, value: object) -> bool:
        """Give a field its value; answer whether it has no other value already. Safe between threads."""
        agreed = _equal(self.values.setdefault(name, value), value)
        if not agreed:
            self.conflicts.add(name)
        return agreed


def notes_of(frame: Frame | None) -> dict[str, str]:
    """Return what debug mode notes of a request."""
    return {} if frame is None else {"request": frame.request_id()}


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - what cannot be compared cannot be known to agree
        return False


class _Current(ContextVarsRegistry):
    frame = ContextVarDescriptor["Frame | None"](default=None)


_current = _Current()
# The variable below the registry's descriptor: reading it is on the path of every call.
innermost_frame: Callable[[], Frame | None] = _Current.frame.context_var.get


def capture(now: float) -> tuple[Frame | None, bool]:
    """Return the frame that a call beginning now belongs to, and whether the call is late.

    Late is what begins after the innermost frame of its context was closed: it belongs to the nearest open
    ancestor, and never in silence to the closed one.
    """
    frame = innermost_frame()
    return (frame, False) if frame is None or frame.closed_at > now else (frame.nearest_open(), True)


def lookup(frame: Frame, name: str, at: float) -> Any:
    """Read a field from the frames that were open at a time, innermost first.

    Args:
        frame: the innermost frame.
        name: the field.
        at: a time on the clock of `time.perf_counter`, in seconds.

    Returns:
        The value, or `MISSING`.

    Raises:
        Refusal: two branches of the request gave the field different values.
    """
    walk: Frame | None = frame
    while walk is not None:
        if walk.closed_at > at:
            if name in walk.conflicts:
                raise Refusal(
                    Reason.AMBIGUOUS,
                    f"field {name!r}: two branches of one request gave it different values; "
                    "open a nested `with request_scope(...)` for each",
                )
            value = walk.values.get(name)
            if value is not None:
                return value
        walk = walk.parent
    return MISSING


class Entry:
    """A way into a request scope: `with entry:` opens a frame, leaving closes it.

    It can be used again, and by several threads at once: every entering opens a frame of its own.

    Args:
        values: by field name.
        inherit: whether fields that the frame lacks are read from the frame around it.
        context: what Segment's context has of the request; without it, that of the frame around.
        failing: the statuses of HTTP that count as failures; without them, those of the frame around.
        consent: what the user agrees to; without it, what is known in the context.
    """

    __slots__ = ("_consent", "_context", "_failing", "_frames", "_inherit", "_values")

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        inherit: bool,
        context: Mapping[str, Any] | None = None,
        failing: Container[int] | None = None,
        consent: Consent | None = None,
    ) -> None:
        self._values = dict(values)
        self._inherit = inherit
        self._context = context
        self._failing = failing
        self._consent = consent
        self._frames: list[Frame] = []
        """Those that are open."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The values by field name."""
        return dict(self._values)

    def __enter__(self) -> Frame:
        _warn_of_a_leaking_generator()
        around = _open_frame()
        frame = Frame(dict(self._values), around if self._inherit else None, around, opener=self)
        if self._context is not None:
            frame.context = in_place_of(frame.context, self._context)
        if self._consent is not None:
            frame.context = self._consent.within(frame.context)
        if self._failing is not None:
            frame.failing = self._failing
        self._frames.append(frame)
        _current.frame = frame
        return frame

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # No token is kept: the block may be left in another context than it was entered in (a generator's).
        current = innermost_frame()
        frame = self._left(current)
        if frame is None:
            return
        frame.closed_at = perf_counter()
        self._frames.remove(frame)
        if frame is current:
            _current.frame = frame.around.nearest_open() if frame.around is not None else None

    def _left(self, current: Frame | None) -> Frame | None:
        """Return the frame that is left here: the innermost one that this entry opened."""
        frame = current
        while frame is not None and (frame.opener is not self or frame.closed_at is not inf):
            frame = frame.around
        # A context that knows nothing of it can only mean the one that is open.
        return self._frames[0] if frame is None and len(self._frames) == 1 else frame

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function inside a request scope with these values.

        >>> from instrument import request_scope
        >>> with request_scope(user_id=7):
        ...     snapshot = request_scope.snapshot()
        >>> snapshot.run(lambda: request_scope.user_id)
        7
        """
        with self:
            return function(*args, **kwargs)


class Intermittent:
    """What a request that runs in steps has as its current frame, in no one's sight between them.

    Whoever takes the steps, such as a server that sends the parts of a response, has its own frame in between, and
    its own again when it never takes the last one. The first step opens the frame.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self) -> None:
        self._inner: Frame | None = None
        self._outer: Frame | None = None

    def __enter__(self) -> None:
        self._outer = innermost_frame()
        if self._inner is not None:
            _current.frame = self._inner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inner = innermost_frame()
        _current.frame = self._outer


class RequestScope:
    """The request scope of the running request. Its one instance is `instrument.request_scope`.

    Reading a field gives the innermost value, `None` where there is none; assignment writes the innermost
    frame. Inside a synchronous generator, `with request_scope(...)` would leak to whoever consumes the
    generator (Python runs both in one context): open it outside.

    >>> from instrument import request_scope
    >>> with request_scope(user_id=7):
    ...     with request_scope(user_id=8):
    ...         inner = request_scope.user_id
    ...     print(inner, request_scope.user_id)
    8 7
    """

    __slots__ = ()

    def __call__(self, scope: Scope | None = None, /, **fields: Any) -> Entry:
        """Open a frame inside the present one, for a `with` block.

        Args:
            scope: fields as an instance of a scope class: the typed form.
            fields: fields by name; `None` means unset. With `consent`, a `Consent`: what the user agrees to, in place
                of what is known around.

        Raises:
            TypeError: what is given is no instance of a scope class.
            ScopeError: in strict mode, a name that no declared scope has.
        """
        consent = _consent(fields)
        return Entry(_checked(scope, fields), inherit=True, consent=consent)

    def fresh(self, scope: Scope | None = None, /, **fields: Any) -> Entry:
        """Open a frame that inherits nothing, for a `with` block.

        Raises:
            TypeError: what is given is no instance of a scope class.
            ScopeError: in strict mode, a name that no declared scope has.
        """
        consent = _consent(fields)
        return Entry(_checked(scope, fields), inherit=False, consent=consent)

    @property
    def consent(self) -> Consent | None:
        """What the user of this request agrees to; `None` where nothing is known.

        What is assigned holds for the innermost frame, and for those that are opened in it from then on.
        """
        frame = _open_frame()
        return None if frame is None else consent_in(frame.context)

    @consent.setter
    def consent(self, consent: Consent) -> None:
        frame = _open_frame()
        if frame is None:
            _report("request_scope.consent = …: no request scope is open; write `with request_scope():` around it.")
        else:
            frame.context = consent.within(frame.context)

    def snapshot(self) -> Entry:
        """Take the values of this moment, to enter again in another thread: `with snapshot:`."""
        frame = _open_frame()
        if frame is None:
            return Entry({}, inherit=False)
        return Entry(self.values(), inherit=False, context=frame.context, failing=frame.failing)

    def values(self) -> dict[str, Any]:
        """Return every field that is set, by name."""
        chain: list[Frame] = []
        frame = _open_frame()
        while frame is not None:
            if frame.closed_at is inf:
                chain.append(frame)
            frame = frame.parent
        merged: dict[str, Any] = {}
        for outer_first in reversed(chain):
            merged.update(outer_first.values)
            for name in outer_first.conflicts:
                merged.pop(name, None)
        return merged

    def get(self, name: str, default: Any = None) -> Any:
        """Read a field, with a default for where it is not set."""
        return self.values().get(name, default)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        _known(name)
        return self.get(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == CONSENT:
            object.__setattr__(self, name, value)
            return
        if not _known(name) or value is None:
            return
        frame = _open_frame()
        if frame is None:
            _report(f"request_scope.{name} = …: no request scope is open; write `with request_scope():` around it.")
        elif not frame.assign(name, value):
            _report(
                f"request_scope.{name} = …: this request scope already has another {name}. Two branches of one "
                "request share it: open a nested `with request_scope(...)` for each.",
            )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"request_scope.{name} cannot be deleted: open a nested `with request_scope.fresh(...)`")

    def __repr__(self) -> str:
        return f"<request_scope with {', '.join(sorted(self.values())) or 'no fields'}>"


request_scope: Final = RequestScope()


def _open_frame() -> Frame | None:
    frame = innermost_frame()
    return None if frame is None else frame.nearest_open()


def _consent(fields: dict[str, Any]) -> Consent | None:
    """Take the consent out of fields, of which it is none."""
    given: object = fields.pop(CONSENT, None)
    if given is None or isinstance(given, Consent):
        return given
    _report(
        f"request_scope(consent=…): a Consent is expected, not {type(given).__name__}; write Consent(analytics=True)."
    )
    return None


def _checked(scope: Scope | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    # What is annotated need not be what is given.
    if scope is not None and not isinstance(scope, Scope):  # pyright: ignore[reportUnnecessaryIsInstance]
        what = f"the class {scope.__name__}" if isinstance(scope, type) else f"an object of {type(scope).__name__}"
        raise TypeError(
            "request_scope takes an instance of a scope class, as in request_scope(UserScope(user_id=7)), or fields by "
            f"name, as in request_scope(user_id=7); not {what}."
        )
    given = {} if scope is None else {name: getattr(scope, name) for name in type(scope).model_fields}
    given.update({name: value for name, value in fields.items() if _known(name)})
    return {name: value for name, value in given.items() if value is not None}


def current_frame() -> Frame | None:
    """Return the innermost frame that is open."""
    return _open_frame()


def _known(name: str) -> bool:
    if is_scope_name(name):
        return True
    known = scope_names()
    _report(
        f"request_scope: no declared scope has a field {name!r}{nearest(name, known)}. "
        f"The fields are: {', '.join(sorted(known))}."
    )
    return False


def _report(text: str) -> None:
    ambient.faults.report(ScopeError(text), f"request_scope at {caller()}")


def _warn_of_a_leaking_generator() -> None:
    if not ambient.faults.strict:
        return
    frame = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - how `warnings` finds its caller
    resumed_by = "" if frame.f_back is None else str(frame.f_back.f_globals.get("__name__", ""))
    is_generator = frame.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR)
    if is_generator and not resumed_by.startswith(_GENERATORS_THAT_ENTER_FOR_OTHERS):
        warnings.warn(
            f"{frame.f_code.co_filename}:{frame.f_lineno}: request_scope is opened inside the generator "
            f"{frame.f_code.co_name}: whoever consumes it sees the scope too. Open it around the generator.",
            InstrumentWarning,
            stacklevel=3,
        )
