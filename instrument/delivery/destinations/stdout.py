"""A destination that prints: for containers whose output is collected, and to look at."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from instrument.delivery.destination import Limits, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Envelope

# JSON has every other control character escaped already; these stand for terminal commands of one character.
_CONTROL = re.compile(r"[\x7f-\x9f]")


class StdoutDestination:
    """Print every envelope as a line of JSON.

    Args:
        name: the name in counts and logs.
    """

    remote = False

    def __init__(self, name: str = "stdout") -> None:
        self.name = name
        self.limits: Limits = Limits()

    def send(self, batch: Sequence[Envelope]) -> None:
        """Print a batch.

        Raises:
            Unavailable: the output is closed.
        """
        text = "".join([envelope.body.decode() + "\n" for envelope in batch])
        try:
            _write(sys.stdout, _CONTROL.sub(_escape, text))
        except (OSError, ValueError) as error:  # a pipe that nobody reads, a file that was closed
            raise Unavailable(f"standard output cannot be written ({type(error).__name__})") from None

    def forget_connections(self) -> None:
        """Do nothing: there are none."""

    def close(self) -> None:
        """Do nothing: the output is not ours."""


def _write(output: Any, text: str) -> None:
    # In UTF-8, as JSON is, whatever the encoding of the terminal.
    binary = getattr(output, "buffer", None)
    if binary is None:
        output.write(text)
    else:
        output.flush()
        binary.write(text.encode())
        binary.flush()
    output.flush()


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
