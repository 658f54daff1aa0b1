"""Record messages instead of sending them: with or without pytest."""

from __future__ import annotations

import json
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from instrument.client import Client, Options, stand_in_for_default_client
from instrument.errors import nearest
from instrument.messages import Message, Track
from instrument.testing.difference import (
    Origin,
    field_differences,
    field_lines,
    fields_of,
    list_lines,
    message_lines,
    nearest_index,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from typing_extensions import Unpack

    from instrument.delivery.envelope import Envelope
    from instrument.messages import SegmentTrack
    from instrument.stamps import Stamps

M = TypeVar("M")

_MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message, with the envelope that would have been sent.

    Attributes:
        message: what was emitted.
        envelope: its JSON, id and time.
    """

    message: Message | SegmentTrack
    envelope: Envelope

    @property
    def origin(self) -> Origin | None:
        """From where the message came; known in debug mode."""
        notes = json.loads(self.envelope.body)["context"].get("instrument", {})
        if "provenance" not in notes:
            return None
        return Origin(f"{notes['handler']} ({notes['place']})", notes["provenance"])


class Recorder:
    """The messages that were emitted, in order.

    Args:
        stamps: the clock and the ids; `FixedStamps` gives the same ones in every run.
        options: settings of the recording client, strict unless told otherwise.

    Attributes:
        client: the client that records: the default client inside `recording`.

    >>> from instrument import Scope, Track, default_client
    >>> from instrument.testing import recording
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class NoteSaved(Track, UserScope):
    ...     length: int
    >>> with recording() as tracked:
    ...     _ = default_client().track(NoteSaved(user_id=7, length=3))
    >>> tracked.events == [NoteSaved(user_id=7, length=3)]
    True
    """

    def __init__(self, *, stamps: Stamps | None = None, **options: Unpack[Options]) -> None:
        self._recorded: list[Recorded] = []
        self._accepted = 0
        self._lock = threading.Lock()
        settings: Options = {"strict": True, **options, "enabled": True}
        self.client: Client = Client(transport=self, stamps=stamps, **settings)

    def __repr__(self) -> str:
        return f"<Recorder of {_names(self.messages)}>"

    @property
    def recorded(self) -> Sequence[Recorded]:
        """Every message with its envelope, in the order of emission."""
        with self._lock:
            return tuple(self._recorded)

    @property
    def messages(self) -> list[Any]:
        """Every message, in the order of emission."""
        return [each.message for each in self.recorded]

    @property
    def events(self) -> list[Any]:
        """The tracks among them, undeclared ones included."""
        return [message for message in self.messages if isinstance(message, Track) or not isinstance(message, Message)]

    @property
    def envelopes(self) -> list[Envelope]:
        """What would have been sent."""
        return [each.envelope for each in self.recorded]

    def of(self, kind: type[M], /, **fields: object) -> list[M]:
        """Return the messages of one class, in the order of emission.

        Args:
            kind: the class; of a base class, the messages of every class under it.
            fields: values that a message must have to be among them.

        Raises:
            TypeError: the class has no such field.
        """
        _check_fields(kind, fields)
        found = [message for message in self.messages if isinstance(message, kind)]
        return [message for message in found if not any(field_differences(fields, message))]

    def one(self, kind: type[M], /, **fields: object) -> M:
        """Return the one message of a class.

        Args:
            kind: the class.
            fields: values that tell the message from others of its class.

        Raises:
            AssertionError: there is none, or more than one.
            TypeError: the class has no such field.
        """
        __tracebackhide__ = True
        found = self.of(kind, **fields)
        if len(found) != 1:
            raise AssertionError("\n".join(self._not_one(kind, fields, found)))
        return found[0]

    def clear(self) -> None:
        """Forget what was recorded."""
        with self._lock:
            self._recorded.clear()

    @property
    def errors(self) -> Sequence[BaseException]:
        """What went wrong in the instrumentation of handlers that raised an exception of their own."""
        return tuple(error for error, _ in self.client.faults.deferred)

    def check(self) -> None:
        """Fail if a message was lost while its handler raised, where strict mode could not raise at once.

        Raises:
            AssertionError: one was.
        """
        __tracebackhide__ = True
        deferred = self.client.faults.deferred
        if deferred:
            lines = [line for error, where in deferred for line in (f"- {where}: {error}", *_cause_lines(error))]
            raise AssertionError(
                "\n".join(["messages were lost; their handlers raised, so it could not be said at once:", *lines])
            ) from deferred[0][0]

    @property
    def accepted(self) -> int:
        """How many messages were recorded, those forgotten included."""
        return self._accepted

    @property
    def queued(self) -> int:
        """How many envelopes wait: none ever does."""
        return 0

    @property
    def lag(self) -> float:
        """How long the oldest envelope has waited: none ever does."""
        return 0.0

    take = None
    """The messages are what is recorded."""

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Record a message."""
        with self._lock:
            self._accepted += 1
            self._recorded.append(Recorded(message, envelope))

    def flush(self, timeout: float) -> bool:
        """Answer at once: nothing waits."""
        del timeout
        return True

    def close(self, timeout: float) -> bool:
        """Answer at once: nothing waits."""
        return self.flush(timeout)

    def _not_one(self, kind: type[M], fields: dict[str, object], found: Sequence[M]) -> Iterator[str]:
        values = ", ".join(f"{name}={short(value)}" for name, value in fields.items())
        expected = kind.__name__ + (values and f" with {values}")
        if found:
            yield f"expected one {expected}, but {len(found)} were recorded:"
            yield from (f"[{index}] {short(each)}" for index, each in self._numbered(kind) if each in found)
            yield f"Name the fields of the one that is meant: tracked.one({kind.__name__}, …=…)"
            return
        yield f"expected one {expected}, but none was recorded; recorded: {_names(self.messages)}"
        others = self._numbered(kind)
        if others:
            index, message = others[nearest_index(fields, [each for _, each in others])]
            yield from field_lines(fields, message, f"nearest: [{index}] ", _origin_of)

    def _numbered(self, kind: type[M]) -> list[tuple[int, M]]:
        return [(index, each) for index, each in enumerate(self.messages) if isinstance(each, kind)]


_recorders: list[Recorder] = []
"""Those that record now, the innermost last."""


@contextmanager
def recording(*, stamps: Stamps | None = None, **options: Unpack[Options]) -> Generator[Recorder]:
    """Make the default client a recording one for a `with` block.

    Args:
        stamps: the clock and the ids; `FixedStamps` gives the same ones in every run.
        options: settings of the recording client. It is strict, so what goes wrong in the instrumentation
            raises; `strict=False` makes it log instead, as in production.

    Raises:
        AssertionError: on leaving, in strict mode: a message was lost while its handler raised.
    """
    __tracebackhide__ = True
    recorder = Recorder(stamps=stamps, **options)
    before = stand_in_for_default_client(recorder.client)
    _recorders.append(recorder)
    try:
        yield recorder
    finally:
        _recorders.remove(recorder)
        stand_in_for_default_client(before)
    recorder.check()


def explain_comparison(op: str, left: object, right: object) -> list[str] | None:
    """Tell why a comparison of messages was false; `None` where there is nothing to tell.

    Args:
        op: the operator, as it is written in Python.
        left: what stands before it.
        right: what stands behind it.
    """
    lefts, rights = _messages(left), _messages(right)
    if lefts is None or rights is None:
        return None
    if op == "in" and isinstance(left, Message) and not isinstance(right, Message):
        return [f"expected in recorded ({_names(rights)})", *_absence_lines(left, rights)]
    if op != "==" or isinstance(left, Message) is not isinstance(right, Message):
        return None
    expected, recorded = (lefts, rights) if _is_recorded(rights) and not _is_recorded(lefts) else (rights, lefts)
    if isinstance(left, Message):
        lines = message_lines(expected[0], recorded[0], "", _origin_of)
        return ["recorded == expected", *lines] if lines else None
    lines = list_lines(expected, recorded, _origin_of)
    return [f"recorded == expected ({len(recorded)} and {len(expected)} messages)", *lines] if lines else None


def _absence_lines(expected: Message, recorded: Sequence[object]) -> list[str]:
    fields = fields_of(expected)
    same_class = [(index, each) for index, each in enumerate(recorded) if type(each) is type(expected)]
    if not same_class:
        return [f"expected, not recorded: {short(expected)}"]
    index, message = same_class[nearest_index(fields, [each for _, each in same_class])]
    return field_lines(fields, message, f"nearest: [{index}] ", _origin_of)


def _messages(value: object) -> list[object] | None:
    """Return the messages that a side of a comparison consists of; `None` where it is something else."""
    if isinstance(value, Message):
        return [value]
    if not isinstance(value, list):
        return None
    values = cast("list[object]", value)
    return values if not values or any(isinstance(each, Message) for each in values) else None


def _is_recorded(messages: Sequence[object]) -> bool:
    return all(_find(each) is not None for each in messages)


def _origin_of(message: object) -> Origin | None:
    found = _find(message)
    return None if found is None else found.origin


def _find(message: object) -> Recorded | None:
    return next((each for recorder in _recorders for each in recorder.recorded if each.message is message), None)


def _cause_lines(error: Exception) -> list[str]:
    cause = error.__cause__
    if cause is None:
        return []
    frame = traceback.extract_tb(cause.__traceback__)[-1]
    return [f"  caused by {type(cause).__name__}: {cause} ({frame.filename}:{frame.lineno})"]


def _names(messages: Sequence[object]) -> str:
    names = [type(each).__name__ for each in messages[:_MOST_NAMES]]
    if len(messages) > _MOST_NAMES:
        names.append(f"and {len(messages) - _MOST_NAMES} more")
    return ", ".join(names) or "nothing"


def _check_fields(kind: type[object], fields: dict[str, object]) -> None:
    known = getattr(kind, "model_fields", fields)
    for name in fields:
        if name not in known:
            raise TypeError(f"{kind.__name__} has no field {name!r}{nearest(name, known)}")
