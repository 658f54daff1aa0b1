"""`instrument dead-letters`: what a destination will never take, to look at, send again, or remove."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from instrument.cli import text
from instrument.cli.options import (
    AsJson,
    Environment,
    Host,
    Source,
    SpoolDir,
    Timeout,
    To,
    WriteKey,
    environment,
    only_destination,
    settings_of,
)
from instrument.delivery.attempts import Patience
from instrument.delivery.dead_letters import DeadLetters, directories
from instrument.delivery.replay import beyond_dedupe_window, replay

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from instrument.delivery.dead_letters import DeadLetter
    from instrument.delivery.replay import Replayed
    from instrument.settings import Settings

app: Final = typer.Typer(help="Look after messages that a destination will never take.", no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="The numbers of the letters.")]
All = Annotated[bool, typer.Option("--all", help="All letters of the source.")]

_HEADINGS = ("id", "given up", "destination", "type", "name", "reason")


@app.command("list")
def list_letters(
    *,
    source: Source = None,
    spool_dir: SpoolDir = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, of every source unless one is named."""
    root = settings_of(spool_dir).spool_root
    found = [_named(root, source)] if source is not None else list(directories(root))
    letters = [(directory, letter) for directory in found for letter in _read(DeadLetters(directory))]
    if as_json:
        text.say_json([_json(directory, letter) for directory, letter in letters])
        return
    if not letters:
        text.say("There are no dead letters.")
    for directory in found:
        rows = [_row(letter) for where, letter in letters if where == directory]
        if rows:
            text.say(f"source {directory.name}")
            text.say_table(_HEADINGS, rows, numbers=("id",))


@app.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="The number of the letter.")],
    *,
    source: Source = None,
    spool_dir: SpoolDir = None,
    write_key: WriteKey = None,
    host: Host = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter whole."""
    directory = _directory(settings_of(spool_dir, write_key, host), source)
    (letter,) = _chosen(DeadLetters(directory), [letter_id], every=False)
    if as_json:
        text.say_json({**_json(directory, letter), "message": _message(letter)})
        return
    for heading, value in zip(_HEADINGS, _row(letter), strict=True):
        text.say(f"{heading}: {value}")
    message = _message(letter)
    text.say(message if isinstance(message, str) else json.dumps(message, indent=2, ensure_ascii=False))


@app.command("replay")
def replay_letters(
    ids: Ids = None,
    *,
    every: All = False,
    to: To = "segment",
    source: Source = None,
    timeout: Timeout = 30.0,
    spool_dir: SpoolDir = None,
    write_key: WriteKey = None,
    host: Host = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, with the messageId that they had; each that is taken is removed.

    Exits with 1 where something was not taken.
    """
    settings = settings_of(spool_dir, write_key, host)
    destination = only_destination(settings, to)
    directory = _directory(settings, source) if source is not None else _own(environment(settings, to))
    letters = DeadLetters(directory)
    chosen = _chosen(letters, ids, every=every)
    now = datetime.now(timezone.utc)
    old = [each.id for each in chosen if beyond_dedupe_window(each, now)]
    with text.progress("sending", len(chosen)) as done:
        replayed = replay(
            letters,
            chosen,
            destination,
            Patience(timeout),
            lambda counts: done(len(counts.delivered) + len(counts.refused)),
        )
    destination.close()
    if as_json:
        text.say_json(_replayed_json(replayed, old))
    else:
        _say_replayed(replayed, old)
    if replayed.refused or replayed.left:
        raise typer.Exit(1)


@app.command()
def purge(
    ids: Ids = None,
    *,
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    source: Source = None,
    spool_dir: SpoolDir = None,
    write_key: WriteKey = None,
    host: Host = None,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good."""
    letters = DeadLetters(_directory(settings_of(spool_dir, write_key, host), source))
    chosen = _chosen(letters, ids, every=every)
    if chosen and not yes:
        typer.confirm(f"Remove {text.counted(len(chosen), 'dead letter')} for good?", abort=True, err=True)
    with _told(letters):
        removed = letters.remove([each.id for each in chosen])
    if as_json:
        text.say_json({"removed": removed})
    else:
        text.say(f"Removed: {text.counted(removed, 'dead letter')}.")


def _directory(settings: Settings, source: str | None) -> Path:
    """Return the directory of a source: the one named, that of the environment, or the only one with letters.

    Raises:
        typer.BadParameter: no such source, or no one of several, is named.
    """
    if source is not None:
        return _named(settings.spool_root, source)
    own, found = Environment(settings).directory, list(directories(settings.spool_root))
    if own in found:
        return own
    if len(found) == 1:
        return found[0]
    if not found:
        raise typer.BadParameter(f"there are no dead letters in {settings.spool_root}")
    raise typer.BadParameter(f"several sources have dead letters; name one: {_options(found)}")


def _own(here: Environment) -> Path:
    """Return the directory of the environment's source: what others left is for another write key.

    Raises:
        typer.BadParameter: it has no dead letters.
    """
    own, found = here.directory, list(directories(here.settings.spool_root))
    assert own is not None
    if own not in found and found:
        raise typer.BadParameter(
            "the source of this write key has no dead letters; to send those of another all the same, "
            f"name it: {_options(found)}"
        )
    return own


def _named(root: Path, source: str) -> Path:
    found = [each for each in directories(root) if each.name.startswith(source)]
    if len(found) != 1:
        what = "no source with dead letters begins" if not found else "several sources with dead letters begin"
        raise typer.BadParameter(f"--source {source}: {what} so")
    return found[0]


def _options(found: Sequence[Path]) -> str:
    return " or ".join(f"--source {each.name}" for each in found)


def _chosen(letters: DeadLetters, ids: list[int] | None, *, every: bool) -> list[DeadLetter]:
    if bool(ids) == every:
        raise typer.BadParameter("name the letters by their numbers, or say --all")
    chosen = _read(letters, ids or None)
    missing = {*(ids or ())} - {each.id for each in chosen}
    if missing:
        raise typer.BadParameter(f"there is no dead letter {', '.join(map(str, sorted(missing)))}")
    return chosen


def _read(letters: DeadLetters, ids: list[int] | None = None) -> list[DeadLetter]:
    with _told(letters):
        return letters.letters(ids)


@contextmanager
def _told(letters: DeadLetters) -> Generator[None]:
    """End the command where the file cannot be read or written, and say why."""
    try:
        yield
    except sqlite3.Error as error:
        text.complain(f"{letters.path}: {error}")
        raise typer.Exit(1) from None


def _row(letter: DeadLetter) -> list[object]:
    envelope = letter.envelope
    return [letter.id, text.moment(letter.at), letter.destination, envelope.type, envelope.name, letter.reason]


def _json(directory: Path, letter: DeadLetter) -> dict[str, Any]:
    return {
        "source": directory.name,
        "id": letter.id,
        "given_up": text.moment(letter.at),
        "destination": letter.destination,
        "reason": letter.reason,
        "message_id": letter.envelope.message_id,
        "type": letter.envelope.type,
        "name": letter.envelope.name,
    }


def _message(letter: DeadLetter) -> Any:
    try:
        return json.loads(letter.envelope.body)
    except ValueError:
        return letter.envelope.body.decode(errors="backslashreplace")


def _say_replayed(replayed: Replayed, old: Sequence[int]) -> None:
    text.say(f"Delivered: {text.counted(len(replayed.delivered), 'dead letter')}.")
    for number, reason in replayed.refused.items():
        text.complain(f"{number} was refused again: {reason}")
    if replayed.left:
        text.complain(f"Not delivered: {text.counted(len(replayed.left), 'dead letter')}. {replayed.problem}")
    if old:
        numbers = ", ".join(map(str, old))
        text.say(
            f"Older than 24 hours, so that Segment may not drop them as repeats of what it has already: {numbers}."
        )


def _replayed_json(replayed: Replayed, old: Sequence[int]) -> dict[str, Any]:
    return {
        "delivered": replayed.delivered,
        "refused": {str(number): reason for number, reason in replayed.refused.items()},
        "left": replayed.left,
        "problem": replayed.problem,
        "beyond_dedupe_window": list(old),
    }
