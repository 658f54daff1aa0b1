"""Who watches a client: told of each message, and asked what its context shall say of the moment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from instrument.delivery.said import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instrument.messages import Message, SegmentTrack

log: Final = logging.getLogger("instrument")


class Observer(Protocol):
    """Who watches; both methods are called where the message is emitted, and may raise without harm."""

    def context(self) -> Mapping[str, Any]:
        """Return what the context of a message that is emitted now shall have; what its sender gives wins."""
        ...

    def accepted(self, message: Message | SegmentTrack, message_id: str) -> None:
        """Take note of a message that was accepted."""
        ...


class Guarded:
    """An observer whose errors are logged, and go no further.

    Args:
        observer: who watches.
    """

    __slots__ = ("_observer", "_said")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._said = Said(log)

    def context(self, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return a message's context with what the observer adds to it."""
        try:
            return {**self._observer.context(), **(given or {})}
        except Exception as error:  # noqa: BLE001 - a message is sent, whatever an observer does
            self._tell(error)
            return given

    def accepted(self, message: Message | SegmentTrack, message_id: str) -> None:
        """Tell the observer."""
        try:
            self._observer.accepted(message, message_id)
        except Exception as error:  # noqa: BLE001 - the message is accepted already
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        self._said.warn("observer", "%s raised %s.", type(self._observer).__qualname__, type(error).__name__)
