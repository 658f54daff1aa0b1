"""The warnings of the package, on standard error."""

from __future__ import annotations

import logging

from instrument.printable import printable


class _Shown(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_to_stderr() -> None:
    """Show what the package has to say."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Shown("%(levelname)s: %(message)s"))
    logging.getLogger("instrument").addHandler(handler)
