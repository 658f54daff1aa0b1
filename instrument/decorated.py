"""The handlers that were decorated, for what looks at all of them: reports and plans, never a call."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from instrument.lifecycle import Instrumentation

    Told = Callable[[Instrumentation], object]


class DecoratedHandlers:
    """Every decorated handler that still exists, in the order of decoration.

    It holds none of them: one that is decorated in a loop, or in a function, ends as it would have.

    >>> from instrument import Scope, Track, tracks
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class CardMoved(Track, UserScope):
    ...     column: str
    >>> @tracks(CardMoved)
    ... def move(column: str) -> None: ...
    >>> decorated_handlers.instrumentations()[-1].handler.name.rpartition(":")[2]
    'move'
    """

    def __init__(self) -> None:
        # By number and not as a set: what stands in a handler's place is equal to the handler, decorated or not.
        self._handlers: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._numbers = count()
        self._told: list[Told] = []

    def add(self, handler: object, instrumentation: Instrumentation) -> None:
        """Take note of what stands in the place of a handler, and has what was compiled for it."""
        self._handlers[next(self._numbers)] = handler
        for told in tuple(self._told):
            told(instrumentation)

    def instrumentations(self) -> tuple[Instrumentation, ...]:
        """Return what was compiled for each handler; one that is decorated twice is there twice."""
        # The references at once, since handlers come and go in other threads.
        handlers: list[Any] = [reference() for reference in self._handlers.valuerefs()]
        return tuple(handler._self_instrumentation for handler in handlers if handler is not None)  # noqa: SLF001

    @contextmanager
    def isolated(self) -> Generator[None]:
        """Know, in a `with` block, only of what is decorated in it, and forget that after it; for tests."""
        outer, self._handlers = self._handlers, WeakValueDictionary()
        try:
            yield
        finally:
            self._handlers = outer

    def tell(self, told: Told) -> Callable[[], None]:
        """Tell of each handler that is decorated from now on, also of those that end soon.

        Args:
            told: is given what was compiled.

        Returns:
            What ends the telling.
        """
        self._told.append(told)
        return lambda: self._told.remove(told)


decorated_handlers: Final = DecoratedHandlers()
