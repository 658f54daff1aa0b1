"""Envelopes on their way: many at a time, with their places in a queue."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, cast, overload

from instrument.delivery.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from instrument.delivery.destination import Limits


class Envelopes(Sequence[Envelope]):  # noqa: PLW1641 - as a list, it has no hash
    """A sequence of envelopes, kept as their ids and their bodies, in two lists.

    Thousands of tuples that wait would be looked through by the garbage collector, again and again, on whatever
    thread of the application it runs; texts and bytes are not. Most of what is done with a batch needs the bodies
    only: an envelope is made where it is asked for.

    Args:
        ids: the id of each message.
        bodies: the JSON of each message, in UTF-8; as many as ids.
    """

    __slots__ = ("bodies", "ids")

    def __init__(self, ids: list[str], bodies: list[bytes]) -> None:
        self.ids: list[str] = ids
        self.bodies: list[bytes] = bodies

    @classmethod
    def of(cls, envelopes: Iterable[Envelope]) -> Envelopes:
        """Keep envelopes this way.

        >>> Envelopes.of([Envelope("a", b"{}"), Envelope("b", b"[]")]).bodies
        [b'{}', b'[]']
        """
        if isinstance(envelopes, Envelopes):
            return envelopes
        every = list(envelopes)
        return cls([each.message_id for each in every], [each.body for each in every])

    @overload
    def __getitem__(self, index: int) -> Envelope: ...
    @overload
    def __getitem__(self, index: slice) -> Envelopes: ...
    def __getitem__(self, index: int | slice) -> Envelope | Envelopes:
        if isinstance(index, slice):
            return Envelopes(self.ids[index], self.bodies[index])
        return Envelope(self.ids[index], self.bodies[index])

    def __len__(self) -> int:
        return len(self.bodies)

    def __iter__(self) -> Iterator[Envelope]:
        return map(Envelope, self.ids, self.bodies)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(cast("Sequence[object]", other)) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return f"<{len(self)} envelopes>"


def bodies_of(batch: Sequence[Envelope]) -> list[bytes]:
    """Return the bodies of a batch, however it is kept."""
    return batch.bodies if isinstance(batch, Envelopes) else [each.body for each in batch]


class Stretch(NamedTuple):  # made in a third of a dataclass's time, for each message where each is committed
    """Envelopes that follow one another in a queue.

    Attributes:
        first: the place of the first; places count up from 1 in each spool.
        last: the place of the last.
        at: when the first was accepted, in seconds since 1970.
        envelopes: what is sent, at least one.
        size: the bytes of their bodies.
    """

    first: int
    last: int
    at: float
    envelopes: Envelopes
    size: int

    @classmethod
    def of(cls, first: int, at: float, envelopes: Envelopes) -> Stretch:
        """Put envelopes at their places.

        Args:
            first: the place of the first.
            at: when it was accepted, in seconds since 1970.
            envelopes: what is sent, at least one.
        """
        bodies = envelopes.bodies
        return cls(first, first + len(bodies) - 1, at, envelopes, sum(map(len, bodies)))

    def after(self, place: int) -> Stretch:
        """Return what follows a place."""
        if place < self.first:
            return self
        return Stretch.of(place + 1, self.at, self.envelopes[place + 1 - self.first :])

    def until(self, place: int) -> Stretch:
        """Return what comes up to a place."""
        if place >= self.last:
            return self
        return Stretch.of(self.first, self.at, self.envelopes[: place + 1 - self.first])

    def halves(self) -> tuple[Stretch, Stretch]:
        """Return two of about the same length."""
        middle = (self.first + self.last - 1) // 2
        return self.until(middle), self.after(middle)

    def share_of(self, limits: Limits) -> float:
        """Return how full a batch of these would be: 1 where nothing more has room."""
        return max(self.size / limits.size, len(self.envelopes) / limits.count)

    def cut(self, limits: Limits) -> Stretch:
        """Return the beginning that fits into one batch, and at least one envelope."""
        count = min(len(self.envelopes), limits.count)
        if self.size + count > limits.size:
            sizes = list(accumulate(map(len, self.envelopes.bodies[:count])))
            # Each body comes with a byte that separates it from the next.
            count = max(1, bisect_right(range(count), limits.size, key=lambda number: sizes[number] + number + 1))
        return self.until(self.first + count - 1)


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """Make one stretch of several that follow one another."""
    if len(stretches) == 1:
        return stretches[0]
    ids: list[str] = []
    bodies: list[bytes] = []
    for each in stretches:
        ids += each.envelopes.ids
        bodies += each.envelopes.bodies
    first, last = stretches[0], stretches[-1]
    return Stretch(first.first, last.last, first.at, Envelopes(ids, bodies), sum([each.size for each in stretches]))
