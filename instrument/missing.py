"""A value that was not found, which `None` is not."""

from __future__ import annotations

from enum import Enum


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING = Missing.MISSING
