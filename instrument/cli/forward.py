"""`instrument forward`: from a stream of NATS JetStream, or from an outbox in a database, to a destination."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from instrument.cli import text
from instrument.cli.options import (
    AsJson,
    Host,
    OutboxTable,
    SpoolDir,
    To,
    WriteKey,
    only_destination,
    outbox_of,
    settings_of,
)
from instrument.delivery.attempts import GaveUp, Patience
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.forward import DEFAULT_CONSUMER, Forwarder
from instrument.delivery.jetstream import DEFAULT_SERVER, DEFAULT_STREAM
from instrument.home import from_home
from instrument.routes import source_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.delivery.forwarding import Forwarded


def _existing(file: Path | None) -> Path | None:
    if file is None:
        return None
    try:
        found = from_home(file)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not found.is_file():
        raise typer.BadParameter(f"there is no file {found}")
    return found


Servers = Annotated[
    list[str],
    typer.Option("--server", envvar="INSTRUMENT_NATS_SERVERS", help="The address of a server; may be repeated."),
]
Credentials = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        envvar="INSTRUMENT_NATS_CREDENTIALS",
        help="A file with the credentials of a NATS user.",
        dir_okay=False,
        callback=_existing,
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0,
        help="Give up when nothing was taken for so many seconds; by default never, and after 30 with --until-empty.",
        show_default=False,
    ),
]
Outbox = Annotated[
    str | None,
    typer.Option(
        "--outbox",
        envvar="INSTRUMENT_OUTBOX",
        help="Take messages from an outbox in this database instead; an address as of SQLAlchemy.",
        show_default=False,
    ),
]
_UNTIL_EMPTY_TIMEOUT = 30.0


class _Forwards(Protocol):
    """Whatever takes messages from somewhere and sends them on."""

    @property
    def forwarded(self) -> Forwarded:
        """What was done so far."""
        ...

    def run(self, *, until_empty: bool = False) -> Forwarded:
        """Forward until it is stopped."""
        ...

    def stop(self) -> None:
        """End `run`."""
        ...


def forward(
    *,
    to: To = "segment",
    servers: Servers = [DEFAULT_SERVER],  # noqa: B006 - Typer reads it, and makes a new list
    stream: Annotated[
        str, typer.Option("--stream", envvar="INSTRUMENT_NATS_STREAM", help="The stream.")
    ] = DEFAULT_STREAM,
    consumer: Annotated[
        str, typer.Option("--consumer", help="What all forwarders to one destination share.")
    ] = DEFAULT_CONSUMER,
    ack_wait: Annotated[
        float,
        typer.Option("--ack-wait", min=0.1, help="After so many seconds, another takes over from one that died."),
    ] = 30.0,
    credentials: Credentials = None,
    outbox: Outbox = None,
    outbox_table: OutboxTable = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Take so many messages of an outbox at once.")] = 500,
    every: Annotated[
        float, typer.Option("--every", min=0.01, help="Look into an empty outbox again after so many seconds.")
    ] = 1.0,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when there is no more.")] = False,
    timeout: Timeout = None,
    spool_dir: SpoolDir = None,
    write_key: WriteKey = None,
    host: Host = None,
    as_json: AsJson = False,
) -> None:
    """Take messages off a stream of NATS JetStream, and send them on. Run as many as you want, on any machines.

    With --outbox, take them out of a table of a database, into which applications write them with their transactions.

    Ends on SIGINT and SIGTERM, after the batch in hand. Exits with 1 where something was refused, or given up.
    """
    settings = settings_of(spool_dir, write_key, host)
    destination = only_destination(settings, to)
    letters = DeadLetters(source_directory(settings, [destination]))
    patience = Patience(_UNTIL_EMPTY_TIMEOUT if until_empty and timeout is None else timeout)
    forwarder: _Forwards
    with ExitStack() as opened:
        if outbox is None:
            try:
                forwarder = Forwarder(
                    destination,
                    letters,
                    [server for each in servers for server in each.split(",")],
                    stream=stream,
                    consumer=consumer,
                    ack_wait=ack_wait,
                    options={} if credentials is None else {"user_credentials": str(credentials)},
                    patience=patience,
                )
            except (ImportError, ValueError) as error:
                raise typer.BadParameter(str(error)) from None
        else:
            engine, table = opened.enter_context(outbox_of(outbox, outbox_table))
            from instrument.delivery.relay import Relay  # noqa: PLC0415 - of an extra

            forwarder = Relay(destination, letters, engine, table, batch=batch, every=every, patience=patience)
        problem = _run(lambda: forwarder.run(until_empty=until_empty), forwarder.stop)
    destination.close()
    forwarded = forwarder.forwarded
    if as_json:
        text.say_json({**asdict(forwarded), "problem": problem})
    else:
        repeated = f", {forwarded.repeated:,} of them not for the first time" if forwarded.repeated else ""
        text.say(f"Delivered: {text.counted(forwarded.delivered, 'message')}{repeated}.")
        if forwarded.dead:
            text.say(f"Refused: {text.counted(forwarded.dead, 'message')}; see `instrument dead-letters list`.")
    if problem is not None:
        text.complain(problem)
    if problem is not None or forwarded.dead:
        raise typer.Exit(1)


def _run(work: Callable[[], object], stop: Callable[[], None]) -> str | None:
    """Do work on a thread until it ends or a signal stops it; answer why it gave up, if it did."""
    problems: list[str] = []

    def catch() -> None:
        try:
            work()
        except GaveUp as gave_up:
            problems.append(str(gave_up))

    def handle(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # so that a second one ends the process
        stop()

    # On a thread of its own, so that `stop` takes no lock that the code under the signal handler holds.
    thread = threading.Thread(target=catch, name="instrument-forward", daemon=True)
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        thread.start()
        thread.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return problems[0] if problems else None
