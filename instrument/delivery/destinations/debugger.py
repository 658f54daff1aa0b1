"""The local debugger: shown what it can be shown, and never waited for."""

from __future__ import annotations

import logging
from http.client import HTTPConnection, HTTPException
from time import monotonic
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from instrument.delivery.destination import Limits, network_blocked
from instrument.delivery.stretch import bodies_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope

log: Final = logging.getLogger("instrument")

_PATIENCE = 1.0
"""Seconds to wait for the debugger's answer."""
_ABSENCE = 1.0
"""Seconds after a failure in which it is not tried again."""
_HINT = 4
_SUCCESS = 200


class DebuggerDestination:
    """Send envelopes to the local debugger, `instrument debug`. What it cannot take now is dropped.

    Args:
        host: an address of the loopback interface.
        port: where it listens.
        write_key: the source's write key, of which the last four characters are told.
        name: the name in counts and logs.
    """

    remote = True  # it is on this machine, and still no test shows it anything

    def __init__(self, host: str, port: int, *, write_key: str | None = None, name: str = "debugger") -> None:
        self.name = name
        self.limits: Limits = Limits(count=500, size=1 << 20)
        self._address = (host, port)
        self._hint = to_json((write_key or "")[-_HINT:])
        self._absent_until = 0.0
        self._told_absent = False
        self._connection = self._new_connection()

    def send(self, batch: Sequence[Envelope]) -> None:
        """Show a batch to the debugger, where it listens."""
        if network_blocked() or monotonic() < self._absent_until:
            return
        body = b'{"batch":[%b],"writeKey":%b}' % (b",".join(bodies_of(batch)), self._hint)
        # A connection that was kept may have been closed meanwhile: only a new one tells.
        if self._was_kept() and self._posted(body) is None:
            return
        self.forget_connections()
        problem = self._posted(body)
        if problem is not None:
            self._absent_until = monotonic() + _ABSENCE
            self._tell_absent(problem)

    def forget_connections(self) -> None:
        """Begin with a new connection."""
        self._connection.close()  # in a forked child, its own copy alone
        self._connection = self._new_connection()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _new_connection(self) -> HTTPConnection:
        return HTTPConnection(*self._address, timeout=_PATIENCE)

    def _was_kept(self) -> bool:
        return self._connection.sock is not None

    def _tell_absent(self, problem: str) -> None:
        if not self._told_absent:
            self._told_absent = True
            # No warning: an application may well run in debug mode while nobody looks.
            log.info(
                "No debugger shows the messages: %s:%s, %s. It is started by: instrument debug", *self._address, problem
            )

    def _posted(self, body: bytes) -> str | None:
        """Send a body; return why it was not taken, if it was not."""
        try:
            self._connection.request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            with self._connection.getresponse() as response:
                response.read()
                return None if response.status == _SUCCESS else f"it answered {response.status}"
        except (OSError, HTTPException) as error:
            self._connection.close()
            return type(error).__name__
