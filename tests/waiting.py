"""Waiting for what other threads and processes bring about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 20.0
_LOOK_EVERY = 0.005


def wait_until(come_about: Callable[[], Any], seconds: float = _PATIENCE) -> None:
    """Wait for a condition, and fail where it is not met in time."""
    deadline = time.monotonic() + seconds
    while not come_about():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(_LOOK_EVERY)
