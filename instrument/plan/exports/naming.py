"""Names for the messages of a plan that are each another's."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from instrument.plan.exports.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from instrument.plan.model import PlannedMessage

_NO_SLUG = re.compile(r"[^a-z0-9]+")
_MOST = 80


def class_names(messages: Iterable[PlannedMessage]) -> Mapping[tuple[str, str], str]:
    """Name each message by its class, with the module before it where several classes have one name.

    Returns:
        The names, by the identities of the messages.
    """
    messages = list(messages)
    counts = Counter(each.class_name for each in messages)
    return {
        each.identity: plain(each.class_name if counts[each.class_name] == 1 else f"{each.module}.{each.class_name}")
        for each in messages
    }


def slugs(messages: Iterable[PlannedMessage]) -> Mapping[tuple[str, str], str]:
    """Name each message by what is safe in addresses and in the names of files: `track-invoice-paid`.

    Where that is nothing, or the same for several, the digest of what the message is follows.
    """
    messages = list(messages)
    short = {each.identity: _slug(f"{each.kind} {each.title}") for each in messages}
    counts = Counter(short.values())
    return {
        identity: slug if counts[slug] == 1 and _slug(identity[1]) else f"{slug}-{_digest(identity)}"
        for identity, slug in short.items()
    }


def _slug(text: str) -> str:
    return _NO_SLUG.sub("-", text.lower()).strip("-")[:_MOST]


def _digest(identity: tuple[str, str]) -> str:
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:8]
