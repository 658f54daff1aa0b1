"""Where a test stands, for errors that name their place."""

from __future__ import annotations

from inspect import currentframe


def here(offset: int = 0) -> str:
    """Return `file:line` of the calling line, moved by a number of lines."""
    frame = currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{frame.f_back.f_code.co_filename}:{frame.f_back.f_lineno + offset}"
