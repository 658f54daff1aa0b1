"""A warehouse that takes lines of JSON over HTTP: a table for each event, and the message's id against repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from instrument import Limits
from instrument.delivery.destinations.http import HttpApi, HttpDestination
from instrument.delivery.destinations.spec import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument import Envelope
    from instrument.delivery.destinations.spec import Call


class WarehouseDestination(HttpDestination):
    """Post batches to a warehouse; the session, the retries and the meaning of each answer are inherited."""

    def __init__(self, token: str, url: str, *, name: str = "warehouse") -> None:
        limits = Limits(count=500, size=1 << 20)
        super().__init__(name, limits, HttpApi(key="the token", address="the URL of the warehouse"))
        self._token = token
        self._url = url

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch; `check` raises what the answer means."""
        lines = b"\n".join(to_json(row) for row in translated(batch, _row))
        self._api.check(self._api.post(self._url, lines, {"Authorization": f"Bearer {self._token}"}))


def _row(call: Call) -> dict[str, Any]:
    return {
        "table": call.event.lower().replace(" ", "_") or call.kind,
        "id": call.message_id,
        "at": call.time,
        "user": call.who,
        "columns": call.payload,
    }
