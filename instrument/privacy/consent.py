"""Consent: what a user has agreed to, as a request knows it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

KEY: Final = "consent"
"""Where Segment's context has it, https://segment.com/docs/privacy/consent-management/"""
_PREFERENCES = "categoryPreferences"


class Consent:
    """What the user of a request has agreed to, by category.

    Args:
        preferences: whether the user agrees to a category, by its name.

    >>> from instrument import Consent, request_scope
    >>> with request_scope(user_id=7, consent=Consent(analytics=True, advertising=False)):
    ...     print(request_scope.consent)
    Consent(analytics=True, advertising=False)
    """

    __slots__ = ("preferences",)

    def __init__(self, **preferences: bool) -> None:
        self.preferences: Mapping[str, bool] = MappingProxyType(preferences)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Consent) and self.preferences == other.preferences

    def __hash__(self) -> int:
        return hash(frozenset(self.preferences.items()))

    def __repr__(self) -> str:
        return f"Consent({', '.join(f'{name}={value}' for name, value in self.preferences.items())})"

    def within(self, context: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return a context that says so."""
        return {**(context or {}), KEY: {_PREFERENCES: dict(self.preferences)}}


def consent_in(context: Mapping[str, Any] | None) -> Consent | None:
    """Return what a context says of consent; `None` where it says nothing.

    >>> consent_in({"consent": {"categoryPreferences": {"analytics": True}}})
    Consent(analytics=True)
    """
    said: object = (context or {}).get(KEY)
    if not isinstance(said, Mapping):
        return None
    preferences: object = cast("Mapping[str, object]", said).get(_PREFERENCES)
    if not isinstance(preferences, Mapping):
        return None
    return Consent(**{str(name): value is True for name, value in cast("Mapping[object, object]", preferences).items()})


def in_place_of(context: Mapping[str, Any] | None, other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return another context, with what the first one says of consent where the other says nothing."""
    return {KEY: context[KEY], **other} if context and KEY in context else other
