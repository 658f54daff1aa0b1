"""Envelopes for tests of what they are handed to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from instrument import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def envelope(number: int, *, event: str = "Parcel Sent", pad: int = 0) -> Envelope:
    """Return an envelope whose id and property tell its number."""
    message_id = f"message-{number}"
    message = {
        "type": "track",
        "event": event,
        "userId": "7",
        "properties": {"number": number, "pad": "x" * pad},
        "messageId": message_id,
        "timestamp": "2026-01-02T03:04:05.000Z",
    }
    return Envelope(message_id, json.dumps(message, separators=(",", ":")).encode())


def envelopes(numbers: Iterable[int], *, pad: int = 0) -> list[Envelope]:
    return [envelope(number, pad=pad) for number in numbers]


def numbers_in(*files: Path) -> list[int]:
    """Return the numbers of the envelopes in files, each line of which must be whole JSON."""
    return [
        json.loads(line)["properties"]["number"]
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
