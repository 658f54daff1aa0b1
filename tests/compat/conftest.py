"""What every test of the migration shares."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _logger() -> Iterator[None]:
    """Put back what debugging changes of the logger `segment`."""
    log = logging.getLogger("segment")
    level, handlers = log.level, log.handlers.copy()
    yield
    log.setLevel(level)
    log.handlers[:] = handlers
