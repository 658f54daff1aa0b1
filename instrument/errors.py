"""Every error that the package raises, and the reasons for which a message is refused."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Reason(str, Enum):
    """Why a message was refused: the keys of the refused counts in `Client.stats()`."""

    UNRESOLVED = "unresolved"
    """A required field was found nowhere."""
    SOURCE_FAILED = "source_failed"
    """Reading a field's source raised."""
    AMBIGUOUS = "ambiguous"
    """Two places disagree about a field."""
    INVALID = "invalid"
    """A value does not fit its field."""
    NO_IDENTITY = "no_identity"
    """Neither a user id nor an anonymous id."""
    NOT_SERIALIZABLE = "not_serializable"
    """The message has no JSON form."""
    TOO_LARGE = "too_large"
    """The message is above Segment's limit of 32 KiB."""
    LATE = "late"
    """The message began after its request scope was closed, and the policy is to refuse."""
    QUEUE_FULL = "queue_full"
    """The queue holds as much as it may."""
    SPOOL_FAILED = "spool_failed"
    """The spool cannot be written: a full or read-only disk, a locked file."""
    DISABLED = "disabled"
    """The client has no write key and no destination, or is switched off."""
    CONSENT = "consent"
    """The user has not agreed to a category that the message needs."""
    SAMPLED = "sampled"
    """The user is not among the share for whom the event is sent."""
    RATE_LIMITED = "rate_limited"
    """There are more messages of the event than its rate limit lets through."""
    EVENT_DISABLED = "event_disabled"
    """The event is switched off."""
    DROPPED = "dropped"
    """A `before_send` hook returned `None`."""
    HOOK_FAILED = "hook_failed"
    """A `before_send` hook raised, or returned something else."""
    CLOSED = "closed"
    """The client was closed."""


class InstrumentError(Exception):
    """The base of every error of this package."""


class InstrumentWarning(UserWarning):
    """Something that works, though probably not as meant."""


class DeclarationError(InstrumentError, TypeError):
    """A scope or message class that cannot be declared as it is written."""


class BindingError(InstrumentError, TypeError):
    """A handler and a message that do not fit, found when the decorator ran."""


class ScopeError(InstrumentError, LookupError):
    """A request scope used in a way that cannot work."""


class Refusal(InstrumentError):
    """One message that was not accepted, with the reason.

    The text never contains a value of the message.

    Attributes:
        reason: by which it is counted.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Withheld(Refusal):
    """One message that was kept back as it should be: counted, and no fault."""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return a hint such as ` (did you mean 'user_id'?)`, or an empty string.

    >>> nearest("usr_id", ["user_id", "project_id"])
    " (did you mean 'user_id'?)"
    >>> nearest("colour", ["user_id"])
    ''
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only errors need it

    matches = get_close_matches(name, sorted(candidates), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
