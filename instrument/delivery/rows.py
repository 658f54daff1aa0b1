"""What a row of an outbox looks like, to all who write one."""

from __future__ import annotations

from typing import Final

TABLE_NAME: Final = "instrument_outbox"
MESSAGE_ID_LENGTH: Final = 100
