"""Paths that begin at a home directory: a shell expands them, and what sets environment variables mostly does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def from_home(path: Path) -> Path:
    """Return a path with a leading `~` or `~user` expanded.

    Raises:
        ValueError: that user has no home directory that is known.

    >>> from pathlib import Path
    >>> from_home(Path("~/spools")) == Path.home() / "spools", from_home(Path("/var/~")) == Path("/var/~")
    (True, True)
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is no home directory that is known: write the whole path") from None
