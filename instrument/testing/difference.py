"""How recorded messages differ from the expected ones, told field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_WIDTH = 88


class _Absent(Enum):
    """The value of a field that a message does not have."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a recorded message came; known in debug mode.

    Attributes:
        handler: `module:qualified.name` of the handler, and where it is defined.
        fields: by field, the place that it was read from.
    """

    handler: str
    fields: Mapping[str, str]


OriginOf = Callable[[object], Origin | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two values at one place of a message.

    Attributes:
        path: the field; inside it, a key, an attribute or an index.
        expected: what the test wrote.
        recorded: what was emitted.
    """

    path: tuple[str, ...]
    expected: object
    recorded: object

    def line(self, origin: Origin | None) -> str:
        """Tell the difference, with the place that the value came from, if that is known."""
        expected, recorded = _shown(self.expected, self.recorded)
        came_from = "" if origin is None else origin.fields.get(self.path[0], "")
        line = f"  {'.'.join(self.path)}: expected {expected}, recorded {recorded}"
        return f"{line}, from {came_from}" if came_from else line


def list_lines(expected: Sequence[object], recorded: Sequence[object], origin_of: OriginOf) -> list[str]:
    """Tell how two lists of messages differ; nothing where they do not.

    Args:
        expected: what a test says.
        recorded: what was emitted.
        origin_of: where a recorded message came from.
    """
    lines: list[str] = []
    for wanted, found in _aligned(expected, recorded):
        if wanted is not None and found is not None:
            lines += message_lines(expected[wanted], recorded[found], f"[{found}] ", origin_of)
        elif wanted is not None:
            lines.append(f"[{wanted}] expected, not recorded: {short(expected[wanted])}")
        elif found is not None:
            lines.append(f"[{found}] recorded, not expected: {short(recorded[found])}{_by(origin_of(recorded[found]))}")
    if lines and _same_in_another_order(expected, recorded):
        return ["the same messages, in another order:", *lines]
    return lines


def message_lines(expected: object, recorded: object, label: str, origin_of: OriginOf) -> list[str]:
    """Tell how two messages differ; nothing where they do not.

    Args:
        expected: what a test says.
        recorded: what was emitted.
        label: what the first line begins with.
        origin_of: where a recorded message came from.
    """
    if type(expected) is not type(recorded):
        return [f"{label}expected {short(expected)}, recorded {short(recorded)}"]
    return field_lines(fields_of(expected), recorded, label, origin_of)


def field_lines(expected: Mapping[str, object], recorded: object, label: str, origin_of: OriginOf) -> list[str]:
    """Tell in which of some fields a message differs; nothing where it does not.

    Args:
        expected: by field name.
        recorded: the message.
        label: what the first line begins with.
        origin_of: where a recorded message came from.
    """
    found = list(field_differences(expected, recorded))
    if not found:
        return []
    origin = origin_of(recorded)
    return [f"{label}{type(recorded).__name__}{_by(origin)} differs:", *(each.line(origin) for each in found)]


def nearest_index(expected: Mapping[str, object], recorded: Sequence[object]) -> int:
    """Return which message has most of the expected values, the first of several."""
    return min(range(len(recorded)), key=lambda index: sum(1 for _ in field_differences(expected, recorded[index])))


def fields_of(message: object) -> dict[str, object]:
    """Return the fields of a message by name."""
    if isinstance(message, BaseModel):
        return {name: getattr(message, name) for name in type(message).model_fields}
    return {name: getattr(message, name) for name in ("user_id", "event", "properties") if hasattr(message, name)}


def field_differences(expected: Mapping[str, object], recorded: object) -> Iterator[Difference]:
    """Yield every place where a message has not the expected value."""
    for name, value in expected.items():
        yield from _differences((name,), value, getattr(recorded, name, _ABSENT))


def short(value: object) -> str:
    """Return a text for a value that fits on a line."""
    text = repr(value)
    return text if len(text) <= _MOST_WIDTH else f"{text[: _MOST_WIDTH - 20]}…{text[-19:]}"


def _differences(path: tuple[str, ...], expected: Any, recorded: Any) -> Iterator[Difference]:
    if expected == recorded:
        return
    wanted, found = _parts(expected), _parts(recorded)
    if wanted is None or found is None or type(expected) is not type(recorded):
        yield Difference(path, expected, recorded)
        return
    for key in {**wanted, **found}:
        yield from _differences((*path, str(key)), wanted.get(key, _ABSENT), found.get(key, _ABSENT))


def _parts(value: object) -> Mapping[object, object] | None:
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value)
    return dict(enumerate(cast("Sequence[object]", value))) if isinstance(value, (list, tuple)) else None


def _aligned(expected: Sequence[object], recorded: Sequence[object]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which message belongs to which, equal ones left out: first by equality, then between those by class."""
    numbers = _numbered([*expected, *recorded])
    for i, i_end, j, j_end in _gaps(numbers[: len(expected)], numbers[len(expected) :]):
        wanted, found = [type(each) for each in expected[i:i_end]], [type(each) for each in recorded[j:j_end]]
        pairs = list(_matches(wanted, found))
        yield from ((i + a, j + b) for a, b in pairs)
        yield from ((i + a, None) for a in range(len(wanted)) if a not in {a for a, _ in pairs})
        yield from ((None, j + b) for b in range(len(found)) if b not in {b for _, b in pairs})


def _numbered(messages: Sequence[object]) -> list[int]:
    """Return a number for each message, the same for equal ones: messages need not be hashable."""
    return [next(number for number, each in enumerate(messages) if each == message) for message in messages]


def _gaps(expected: Sequence[object], recorded: Sequence[object]) -> Iterator[tuple[int, int, int, int]]:
    for tag, *bounds in SequenceMatcher(None, expected, recorded, autojunk=False).get_opcodes():
        if tag != "equal":
            yield bounds[0], bounds[1], bounds[2], bounds[3]


def _matches(expected: Sequence[object], recorded: Sequence[object]) -> Iterator[tuple[int, int]]:
    for block in SequenceMatcher(None, expected, recorded, autojunk=False).get_matching_blocks():
        yield from ((block.a + step, block.b + step) for step in range(block.size))


def _same_in_another_order(expected: Sequence[object], recorded: Sequence[object]) -> bool:
    numbers = _numbered([*expected, *recorded])
    return sorted(numbers[: len(expected)]) == sorted(numbers[len(expected) :])


def _by(origin: Origin | None) -> str:
    return "" if origin is None else f", emitted by {origin.handler},"


def _shown(expected: object, recorded: object) -> tuple[str, str]:
    """Return texts for two values in which their difference can be seen."""
    texts = repr(expected), repr(recorded)
    if texts[0] == texts[1]:
        return f"{texts[0]} ({type(expected).__name__})", f"{texts[1]} ({type(recorded).__name__})"
    common = len(list(takewhile(bool, map(eq, *texts))))
    start = max(0, common - _MOST_WIDTH // 3)
    return _window(texts[0], start), _window(texts[1], start)


def _window(text: str, start: int) -> str:
    if len(text) <= _MOST_WIDTH:
        return text
    end = start + _MOST_WIDTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
