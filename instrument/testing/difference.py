"""How recorded messages differ from the expected ones, told field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Any, Optional

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

_GAP = 1.0
"""What it costs to leave a message without a counterpart: two gaps are dearer than one pair of a class."""
_MOST_CELLS = 40_000
"""Above this many pairs of messages, they are compared by position alone."""
_MOST_WIDTH = 88
_ABSENT = type("Absent", (), {"__repr__": lambda _: "nothing"})()


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a recorded message came; known in debug mode.

    Attributes:
        handler: `module:qualified.name` of the handler, and where it is defined.
        fields: by field, the place that it was read from.
    """

    handler: str
    fields: Mapping[str, str]


OriginOf = Callable[[object], Optional[Origin]]


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
        return f"  {'.'.join(self.path)}: expected {expected}, recorded {recorded}" + (came_from and f", from {came_from}")


def list_lines(expected: Sequence[object], recorded: Sequence[object], origin_of: OriginOf) -> list[str]:
    """Tell how two lists of messages differ; nothing where they do not."""
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
    """Tell how two messages differ; nothing where they do not."""
    if type(expected) is not type(recorded):
        return [f"{label}expected {short(expected)}, recorded {short(recorded)}"]
    return field_lines(fields_of(expected), recorded, label, origin_of)


def field_lines(expected: Mapping[str, object], recorded: object, label: str, origin_of: OriginOf) -> list[str]:
    """Tell in which of some fields a message differs; nothing where it does not."""
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


def _parts(value: object) -> Mapping[Any, object] | None:
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return value
    return dict(enumerate(value)) if isinstance(value, (list, tuple)) else None


def _aligned(expected: Sequence[object], recorded: Sequence[object]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which message belongs to which, equal ones left out: the cheapest way from one list to the other."""
    same = len(list(takewhile(bool, map(eq, expected, recorded))))
    if (len(expected) - same) * (len(recorded) - same) > _MOST_CELLS:
        yield from _by_position(len(expected), len(recorded), same)
        return
    wanted, found = len(expected), len(recorded)
    costs = _costs(expected, recorded, same)
    steps: list[tuple[int | None, int | None]] = []
    while wanted > same or found > same:
        here = costs[wanted, found]
        if wanted > same and found > same:
            pair = _pair_cost(expected[wanted - 1], recorded[found - 1])
            if pair is not None and here == costs[wanted - 1, found - 1] + pair:
                wanted, found = wanted - 1, found - 1
                if pair:
                    steps.append((wanted, found))
                continue
        if wanted > same and here == costs[wanted - 1, found] + _GAP:
            wanted -= 1
            steps.append((wanted, None))
        else:
            found -= 1
            steps.append((None, found))
    yield from reversed(steps)


def _by_position(expected: int, recorded: int, same: int) -> Iterator[tuple[int | None, int | None]]:
    for index in range(same, max(expected, recorded)):
        yield (index if index < expected else None), (index if index < recorded else None)


def _costs(expected: Sequence[object], recorded: Sequence[object], same: int) -> dict[tuple[int, int], float]:
    """Return the least cost for every pair of lengths, as in the distance of two words."""
    costs: dict[tuple[int, int], float] = {}
    for wanted in range(same, len(expected) + 1):
        for found in range(same, len(recorded) + 1):
            ways = [0.0] if wanted == found == same else []
            if wanted > same:
                ways.append(costs[wanted - 1, found] + _GAP)
            if found > same:
                ways.append(costs[wanted, found - 1] + _GAP)
            if wanted > same and found > same:
                pair = _pair_cost(expected[wanted - 1], recorded[found - 1])
                if pair is not None:
                    ways.append(costs[wanted - 1, found - 1] + pair)
            costs[wanted, found] = min(ways)
    return costs


def _pair_cost(expected: object, recorded: object) -> float | None:
    if type(expected) is not type(recorded):
        return None
    if expected == recorded:
        return 0.0
    fields = fields_of(expected)
    differing = sum(getattr(recorded, name, _ABSENT) != value for name, value in fields.items())
    return _GAP + differing / (len(fields) + 1)


def _same_in_another_order(expected: Sequence[object], recorded: Sequence[object]) -> bool:
    if len(expected) != len(recorded) or len(expected) ** 2 > _MOST_CELLS:
        return False
    left = list(recorded)
    for message in expected:
        if message not in left:
            return False
        left.remove(message)
    return True


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
