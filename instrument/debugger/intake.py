"""From an envelope that came to the record that is kept of it."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from instrument.debugger.assertions import assertion_of
from instrument.debugger.catalog import Judgement
from instrument.debugger.messages import Notes, message_id_of, name_of, shown, type_of, user_of
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
        whole = shown(envelope)
        # Of a message that was refused nothing has come that could be compared with its declaration.
        is_whole = notes.fate is None or notes.fate.status is not Status.REFUSED
        judgement = self._catalog.judge(envelope) if is_whole else Judgement()
        found = (*violations, *whole.violations, *judgement.violations) if is_whole else ()
        record = Record(
            seq=self._history.next,
            received_at=self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            type=type_of(envelope),
            name=name_of(envelope),
            user=user_of(envelope),
            message_id=message_id_of(envelope),
            write_key_hint=write_key[-_HINT:] if write_key else None,
            envelope=whole.envelope,
            status=_status(notes, judgement, found),
            violations=found,
            duplicate_of=None if notes.fate is not None else self._duplicate_of(message_id_of(envelope)),
            late=notes.late,
            provenance=notes.provenance,
            handler=notes.handler_place,
            request=notes.request,
            scope=judgement.scope,
            reason=None if notes.fate is None else notes.fate.reason,
            assertion=None if judgement.message is None else assertion_of(judgement.message),
        )
        self._history.add(record)
        return record

    def clear(self) -> None:
        """Forget every record, and every id."""
        self._first.clear()
        self._history.clear()

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
    return Status.UNKNOWN if judgement.model is None else Status.VALID
