"""What handlers raise; `app.py` turns each into an answer."""

from __future__ import annotations


class PorterError(Exception):
    """The base: what went wrong, told so that the user may read it."""


class NotSignedInError(PorterError):
    """Nobody is signed in."""


class NotFoundError(PorterError):
    """There is no such thing, or it is another user's."""


class ConflictError(PorterError):
    """There is such a thing already."""


class UnknownKindError(PorterError):
    """No provider has such a thing."""


class CloudError(PorterError):
    """The provider could not do what it was asked."""


class TookTooLongError(PorterError):
    """The provider did not do in time what it was asked."""
