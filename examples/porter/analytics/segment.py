"""The client: made once when the process starts, flushed before it ends. `[segment.go]`

There is nothing else to do with it: the decorators find it by themselves. Without a key in `SEGMENT_CLIENT_KEY` it
is disabled, says so once, and the application works as if nothing were tracked.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from instrument import configure, default_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from instrument import Client, Envelope

log = logging.getLogger(__name__)


def connect() -> Client:
    """Make the client, with the key and the other settings out of the environment."""
    return configure(on_drop=_tell)


@asynccontextmanager
async def delivered() -> AsyncGenerator[None]:
    """Deliver on leaving what was accepted: a server that is told to end runs no exit handlers of Python."""
    try:
        yield
    finally:
        await asyncio.to_thread(default_client().flush)


def _tell(envelope: Envelope, reason: str) -> None:
    log.error("An event will never be delivered: %s (%s).", envelope.name, reason)
