"""`instrument spool`: what waits, and where."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any, Final

import typer

from instrument.cli import text
from instrument.cli.options import AsJson, Environment, Host, SpoolDir, WriteKey, settings_of
from instrument.delivery.status import sources

if TYPE_CHECKING:
    from instrument.delivery.spool import Backlog
    from instrument.delivery.status import SourceStatus, SpoolStatus

app: Final = typer.Typer(help="Look at what waits on this machine.", no_args_is_help=True)

_HEADINGS = ("spool", "owner", "messages", "bytes", "oldest", "waiting")
_NUMBERS = ("messages", "bytes", "oldest")


@app.callback()
def spool() -> None:
    """Look at what waits on this machine."""


@app.command()
def status(
    *, spool_dir: SpoolDir = None, write_key: WriteKey = None, host: Host = None, as_json: AsJson = False
) -> None:
    """Show what waits in each spool, and whether its process lives; disturbs nobody."""
    settings = settings_of(spool_dir, write_key, host)
    own, now = Environment(settings).directory, time()
    found = sources(settings.spool_root)
    if as_json:
        text.say_json(
            {
                "spool_dir": str(settings.spool_root),
                "sources": [_source_json(each, own=each.directory == own, now=now) for each in found],
            }
        )
        return
    text.say(str(settings.spool_root))
    if not found:
        text.say("Nothing lies there.")
    for each in found:
        _say_source(each, own=each.directory == own, now=now)


def _say_source(source: SourceStatus, *, own: bool, now: float) -> None:
    text.say(f"\nsource {source.directory.name}" + (" (that of this environment)" if own else ""))
    if source.spools:
        text.say_table(_HEADINGS, [_row(each, now) for each in source.spools], numbers=_NUMBERS)
    letters = ", ".join(f"{count} of {name}" for name, count in source.letters.items())
    if letters or source.problem:
        text.say(f"dead letters: {source.problem or letters}")
    for damaged in source.damaged:
        text.say(f"damaged, set aside: {damaged.name}")


def _row(spool: SpoolStatus, now: float) -> list[object]:
    return [
        spool.path.name,
        "alive" if spool.alive else "dead",
        spool.backlog.messages,
        text.size(spool.backlog.size),
        text.age(spool.backlog.oldest, now),
        spool.problem or ", ".join(f"{each.messages} for {name}" for name, each in spool.waiting.items()),
    ]


def _source_json(source: SourceStatus, *, own: bool, now: float) -> dict[str, Any]:
    return {
        "source": source.directory.name,
        "of_this_environment": own,
        "spools": [_spool_json(each, now) for each in source.spools],
        "dead_letters": dict(source.letters),
        "damaged": [str(each) for each in source.damaged],
        "problem": source.problem,
    }


def _spool_json(spool: SpoolStatus, now: float) -> dict[str, Any]:
    return {
        "file": str(spool.path),
        "owner_alive": spool.alive,
        **_backlog_json(spool.backlog, now),
        "destinations": {
            name: {"cursor": spool.cursors[name], **_backlog_json(each, now)} for name, each in spool.waiting.items()
        },
        "problem": spool.problem,
    }


def _backlog_json(backlog: Backlog, now: float) -> dict[str, Any]:
    return {
        "messages": backlog.messages,
        "bytes": backlog.size,
        "oldest_seconds": None if backlog.oldest is None else round(now - backlog.oldest, 3),
    }
