"""What a client in debug mode shows to the local debugger: each message, and why one was not sent."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from instrument.delivery.destination import network_blocked
from instrument.delivery.destinations.debugger import DebuggerDestination
from instrument.delivery.envelope import Envelope
from instrument.delivery.ledger import Ledger
from instrument.delivery.pipeline import Pipeline, Plan
from instrument.errors import InstrumentError, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from instrument.delivery.fates import OnDrop
    from instrument.delivery.pipeline import Transport
    from instrument.messages import Declaration, Message, SegmentTrack
    from instrument.stamps import Stamp

log: Final = logging.getLogger("instrument")

MOST_BYTES = 4 << 20
"""How much may wait to be shown: what is above is not."""
_PATIENCE = 1.0
"""Seconds that an exit, or a flush, waits for the debugger."""


class Watch:
    """The way to the debugger: bounded in memory, on a thread of its own, and of no consequence for what is sent.

    Args:
        host: an address of the loopback interface.
        port: where the debugger listens.
        write_key: the source's write key.
        directory: where the spools of the client lie; nothing is written there.
    """

    def __init__(self, host: str, port: int, *, write_key: str | None, directory: Path) -> None:
        plan = Plan(
            destinations=(DebuggerDestination(host, port, write_key=write_key),),
            durability="memory",
            directory=directory,
            max_bytes=MOST_BYTES,
            flush_timeout=_PATIENCE,
        )
        # Counted apart: what the debugger was shown is not what was delivered.
        self._pipeline = Pipeline(plan, Ledger())

    def show(self, envelope: Envelope) -> None:
        """Show a message."""
        # It does not keep up, or the client is closed; and whatever else goes wrong here must harm nobody.
        with suppress(Exception):
            if not network_blocked():
                self._pipeline.put(envelope)

    def refused(self, declaration: Declaration, stamp: Stamp, error: Exception, notes: Mapping[str, Any]) -> None:
        """Show that a message was not accepted, and why, without anything of what it holds.

        Args:
            declaration: what it would have been.
            stamp: an id and the time.
            error: why not.
            notes: what is known of where it comes from.
        """
        message_id, timestamp = stamp
        head: dict[str, Any] = {"type": declaration.spec.type}
        if declaration.spec.name_key is not None:
            head[declaration.spec.name_key] = declaration.name
        fate = {"status": "refused", "reason": _why(error)}
        context = {"instrument": {**notes, "fate": fate}}
        body = to_json({**head, "messageId": message_id, "timestamp": timestamp, "context": context})
        self.show(Envelope(message_id, body))

    def dropped(self, envelope: Envelope, reason: str) -> None:
        """Show that a message that was accepted will never be delivered, and why."""
        with suppress(Exception):
            message = from_json(envelope.body)
            notes = message["context"].setdefault("instrument", {})
            notes["fate"] = {"status": "dropped", "reason": reason}
            self.show(Envelope(envelope.message_id, to_json(message)))

    def before(self, on_drop: OnDrop | None) -> OnDrop:
        """Return what shows each message that will never be delivered, and then calls the user's own hook."""

        def show_and_tell(envelope: Envelope, reason: str) -> None:
            self.dropped(envelope, reason)
            if on_drop is not None:
                on_drop(envelope, reason)

        return show_and_tell

    def flush(self, timeout: float) -> None:
        """Wait until what was shown has arrived, for so many seconds at most, though not for long."""
        self._pipeline.flush(min(timeout, _PATIENCE))

    def close(self, timeout: float) -> None:
        """Show nothing more; what was shown may arrive for so many seconds at most, though not for long."""
        self._pipeline.close(min(timeout, _PATIENCE))

    @property
    def shown(self) -> int:
        """How many messages were put on their way."""
        return self._pipeline.accepted


class Watched:
    """What takes envelopes over where the debugger is shown each of them.

    Args:
        inner: what delivers them; `None` where there is nowhere to deliver to.
        watch: the way to the debugger.
    """

    def __init__(self, inner: Transport | None, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch
        self._told = False

    take = None
    """Each envelope is shown as `put` does it: debug mode is in no hurry."""

    def put(self, envelope: Envelope, message: Message | SegmentTrack) -> None:
        """Show an envelope, and take it over.

        Raises:
            Refusal: it is not taken.
        """
        self._watch.show(envelope)
        if self._inner is not None:
            self._inner.put(envelope, message)
        elif not self._told:
            self._told = True
            log.warning("Events are shown to the local debugger, and sent nowhere: there is no write key.")

    def flush(self, timeout: float) -> bool:
        """Wait until what was put is settled; answer whether it was, within a time in seconds."""
        flushed = self._inner is None or self._inner.flush(timeout)
        self._watch.flush(timeout)
        return flushed

    def close(self, timeout: float) -> bool:
        """Flush and stop; answer whether everything was settled, within a time in seconds."""
        closed = self._inner is None or self._inner.close(timeout)
        self._watch.close(timeout)
        return closed

    @property
    def accepted(self) -> int:
        """How many envelopes were taken over."""
        return self._watch.shown if self._inner is None else self._inner.accepted

    @property
    def queued(self) -> int:
        """How many envelopes wait to be delivered."""
        return 0 if self._inner is None else self._inner.queued

    @property
    def lag(self) -> float:
        """How long the oldest of them has waited, in seconds."""
        return 0.0 if self._inner is None else self._inner.lag


def _why(error: Exception) -> str:
    """Tell why a message was refused, without what a stranger's error may hold of it."""
    reason = error.reason.value if isinstance(error, Refusal) else "error"
    return f"{reason}: {str(error) if isinstance(error, InstrumentError) else type(error).__name__}"
