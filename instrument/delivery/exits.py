"""The end of a process, also of one that multiprocessing started, which ends without `atexit`."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST = -1_000
"""The priority among multiprocessing's finalizers, of which the highest comes first."""

_finalizers: dict[Callable[[], object], Any] = {}


def at_exit(call: Callable[[], object]) -> None:
    """Have something called when this process exits."""
    atexit.register(call)
    util = sys.modules.get("multiprocessing.util")
    if util is not None and sys.modules["multiprocessing.process"].parent_process() is not None:
        _finalizers[call] = util.Finalize(None, call, exitpriority=_LAST)


def not_at_exit(call: Callable[[], object]) -> None:
    """Have it not called any more."""
    atexit.unregister(call)
    finalizer = _finalizers.pop(call, None)
    if finalizer is not None:
        finalizer.cancel()
