"""What some versions of Python cannot do."""

from __future__ import annotations

import sys

import pytest

NEEDS_THREADS_AT_EXIT = pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 2), reason="no thread can be started while the process exits (gh-113964)"
)
