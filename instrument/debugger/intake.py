"""From an envelope that came to the record that is kept of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from instrument.debugger.catalog import Judgement
from instrument.debugger.messages import (
    Notes,
    against_the_spec,
    message_id_of,
    name_of,
    shortened,
    too_large,
    type_of,
    user_of,
)
from instrument.debugger.records import Record, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.debugger.catalog import Catalog
    from instrument.debugger.history import History
    from instrument.debugger.records import Violation

_MOST_IDS = 50_000
"""How many ids are remembered, by which duplicates are known."""
_HINT = 4


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Intake:
    """Makes records, and keeps them.

    Args:
        history: where they are kept.
        catalog: what is declared.
        now: the clock.
    """

    def __init__(self, history: History, catalog: Catalog, now: Callable[[], datetime] = _now) -> None:
        self._history = history
        self._catalog = catalog
        self._now = now
        self._first: OrderedDict[str, int] = OrderedDict()

    def take(
        self, envelope: dict[str, Any], *, write_key: str | None = None, violations: tuple[Violation, ...] = ()
    ) -> Record:
        """Keep a message.

        Args:
            envelope: the message, such that it can be written as JSON.
            write_key: the key it was sent with.
            violations: what had to be changed for that.
        """
        notes = Notes.of(envelope)
        size = too_large(envelope)
        judgement = self._judged(envelope, notes, size)
        found = (*violations, *judgement.violations)
        record = Record(
            seq=self._history.next,
            received_at=self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            type=type_of(envelope),
            name=name_of(envelope),
            user=user_of(envelope),
            message_id=message_id_of(envelope),
            write_key_hint=write_key[-_HINT:] if write_key else None,
            envelope=envelope if size is None else shortened(envelope),
            status=_status(notes, judgement, found),
            violations=found,
            duplicate_of=None if notes.fate is not None else self._duplicate_of(message_id_of(envelope)),
            late=notes.late,
            provenance=notes.provenance,
            handler=notes.handler_place,
            request=notes.request,
            scope=dict(judgement.scope or {}),
            reason=judgement.reason if notes.fate is None else notes.fate.reason,
            assertion=judgement.assertion,
        )
        self._history.add(record)
        return record

    def clear(self) -> None:
        """Forget every record, and every id."""
        self._first.clear()
        self._history.clear()

    def _judged(self, envelope: dict[str, Any], notes: Notes, size: Violation | None) -> Judgement:
        if notes.fate is not None and notes.fate.status is Status.REFUSED:
            return Judgement()  # nothing has come that could be compared with its declaration
        if size is not None:
            return Judgement(violations=(size,))  # a check of what never ends would hold back the others
        judgement = self._catalog.judge(envelope)
        if judgement.declared:
            return judgement
        return replace(judgement, violations=against_the_spec(envelope))

    def _duplicate_of(self, message_id: str) -> int | None:
        """Return the number of the record that first had an id, and remember an id that is new."""
        if not message_id:
            return None
        first = self._first.setdefault(message_id, self._history.next)
        if len(self._first) > _MOST_IDS:
            self._first.popitem(last=False)
        return None if first == self._history.next else first


def _status(notes: Notes, judgement: Judgement, violations: tuple[Violation, ...]) -> Status:
    if notes.fate is not None:
        return notes.fate.status
    if violations:
        return Status.INVALID
    return Status.VALID if judgement.declared else Status.UNKNOWN
