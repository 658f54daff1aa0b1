"""The `instrument` command: the extra `instrument-analytics[cli]`."""

from __future__ import annotations

import sys

_EXTRA = ("click", "rich", "typer")
_USAGE = 2


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from instrument.cli.app import run  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"The `instrument` command needs {error.name}, which is not installed: "
            "pip install 'instrument-analytics[cli]'\n"
        )
        sys.exit(_USAGE)
    run()
