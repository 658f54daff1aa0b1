"""`instrument tail`: what the debugger is shown, in the terminal."""

from __future__ import annotations

import json
import os
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from instrument.cli import text
from instrument.debugger.documents import is_object
from instrument.loopback import is_loopback
from instrument.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument.debugger.records import Record

_STYLES = {"valid": "green", "invalid": "bold red", "unknown": "yellow", "refused": "red", "dropped": "red"}
_IN_USER = frozenset({"user_id", "anonymous_id"})


def tail(
    *,
    port: Annotated[
        int, typer.Option("--port", envvar="INSTRUMENT_DEBUG_PORT", min=1, max=65_535, help="Where it listens.")
    ] = 8765,
    host: Annotated[
        str, typer.Option("--host", envvar="INSTRUMENT_DEBUG_HOST", help="An address of the loopback interface.")
    ] = "127.0.0.1",
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Show only what has a value, as name=Order* or scope.project_id=7 or status=invalid; each has to fit.",
            metavar="KEY=VALUE",
            show_default=False,
        ),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=0, max=1_000, help="Begin with so many that are there.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON each.")] = False,
) -> None:
    """Show what `instrument debug` is shown, as it comes. Waits for it where it is not there.

    Ends on SIGINT.
    """
    from instrument.debugger.following import Follower, NoDebugger  # noqa: PLC0415 - slow, of requests

    if not is_loopback(host):
        raise typer.BadParameter(f"--host {host}: the debugger is on this machine: 127.0.0.1, ::1 or localhost")
    wanted = [_pair(each) for each in filters or ()]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        for record in Follower(address, _Waiting(address)).follow(last):
            value = record.model_dump(mode="json")
            if _fits(value, wanted):
                _say_json(value) if as_json else _say(record)
    except NoDebugger as error:
        text.complain(str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Waiting:
    """Says once that the debugger is awaited.

    Args:
        address: where.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._said = False

    def __call__(self, problem: str) -> None:
        if not self._said:
            self._said = True
            text.complain(
                f"Waiting for the debugger at {self._address} ({problem}): it is started by `instrument debug`."
            )


def _pair(filter_: str) -> tuple[list[str], str]:
    key, equals, value = filter_.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"--filter {filter_}: it is no KEY=VALUE, such as status=invalid")
    return key.split("."), value


def _fits(record: Mapping[str, Any], wanted: Sequence[tuple[list[str], str]]) -> bool:
    return all(fnmatchcase(_shown_value(_at(record, path)), pattern) for path, pattern in wanted)


def _at(record: Mapping[str, Any], path: list[str]) -> Any:
    value: Any = record
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value


def _shown_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _say_json(record: Mapping[str, Any]) -> None:
    # In ASCII: there are characters beyond it that a terminal carries out.
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def _say(record: Record) -> None:
    line = Text(printable(record.received_at[11:23]), style="dim")
    line.append(f"  {record.status.value:<8}", style=_STYLES[record.status.value])
    line.append(f"{printable(record.type):<9} ")
    line.append(printable(record.name or ""), style="bold")
    for each in _details(record):
        line.append(f"  {printable(each)}", style="dim")
    text.say_text(line)
    for violation in record.violations:
        where = f"{violation.path}: " if violation.path else ""
        text.say_text(Text(f"    {printable(where + violation.reason)}", style="red"))
    if record.reason is not None:
        text.say_text(Text(f"    {printable(record.reason)}", style="yellow"))


def _details(record: Record) -> list[str]:
    told = [] if record.user is None else [f"user={record.user}"]
    told += [f"{key}={_shown_value(value)}" for key, value in record.scope.items() if key not in _IN_USER]
    told += [] if record.duplicate_of is None else [f"duplicate of #{record.duplicate_of}"]
    told += ["late"] if record.late else []
    if record.handler is not None:
        told.append(record.handler.name)
    return told
