"""What is shown: tables for people, JSON for programs; and nothing that a terminal would carry out."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from instrument.printable import counted as counted  # noqa: PLC0414 - commands have it from here
from instrument.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_WIDE = 240
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def say(text: str) -> None:
    """Print a text for people, line by line."""
    console = _console()
    for line in text.splitlines():
        console.print(Text(printable(line)), soft_wrap=True)


def say_text(line: Text) -> None:
    """Print a line that was made printable, part by part."""
    console = _console()
    console.print(line, soft_wrap=True)
    console.file.flush()


def complain(text: str) -> None:
    """Print what is wrong."""
    for line in text.splitlines():
        Console(stderr=True).print(Text(printable(line)), soft_wrap=True)


def say_json(value: Any) -> None:
    """Print a value for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def say_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table.

    Args:
        headings: the heading of each column.
        rows: what is in it.
        numbers: the headings of the columns that stand to the right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show how far something has come, on a terminal; give the function that is told."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def age(since: float | None, now: float) -> str:
    """Return how long ago a time in seconds since 1970 was, in at most two units.

    >>> age(0, 7_380), age(0, 12.3), age(None, 0)
    ('2 h 3 min', '12 s', '')
    """
    if since is None:
        return ""
    seconds = max(0, int(now - since))
    for index, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            smaller, name = _UNITS[index + 1] if index + 1 < len(_UNITS) else (1, "s")
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{seconds} s"


def size(count: int) -> str:
    """Return a number of bytes.

    >>> size(12), size(36 << 10), size(3_000_000)
    ('12 B', '36.0 KiB', '2.9 MiB')
    """
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count} B"


def moment(at: float) -> str:
    """Return a time in seconds since 1970, in UTC.

    >>> moment(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _console() -> Console:
    console = Console(highlight=False)
    # A file or a pipe is no terminal: what is cut to the width of one would be hard to search.
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)
