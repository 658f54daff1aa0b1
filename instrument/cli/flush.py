"""`instrument flush`: deliver what dead processes left."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from instrument.cli import text
from instrument.cli.options import AsJson, Host, SpoolDir, Timeout, To, WriteKey, environment, settings_of
from instrument.delivery.attempts import Patience
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.flush import Flush, Flushed
from instrument.delivery.status import source
from instrument.routes import routes_of

if TYPE_CHECKING:
    from instrument.routes import Route


def flush(
    *,
    to: To = "segment",
    timeout: Timeout = 30.0,
    spool_dir: SpoolDir = None,
    write_key: WriteKey = None,
    host: Host = None,
    as_json: AsJson = False,
) -> None:
    """Deliver what processes that died have left; those that live deliver their own.

    Exits with 1 where something could not be delivered.
    """
    settings = settings_of(spool_dir, write_key, host)
    here = environment(settings, to).as_client
    routes = routes_of(here.settings, here.destinations)
    flushed = Flushed()
    with text.progress("delivering", sum(map(_waiting, routes))) as done:
        for route in routes:
            Flush(
                directory=route.directory,
                destinations=route.destinations,
                letters=DeadLetters(route.directory),
                patience=lambda: Patience(timeout),
                fsync=settings.fsync,
                heard=lambda counts: done(counts.delivered + counts.dead),
            ).run(flushed)
    for destination in here.destinations:
        destination.close()
    if as_json:
        text.say_json(asdict(flushed))
    else:
        _say(flushed)
    if flushed.dead or flushed.left or flushed.lost or flushed.others or flushed.problems:
        raise typer.Exit(1)


def _waiting(route: Route) -> int:
    dead = [each for each in source(route.directory).spools if not each.alive]
    return sum(each.waiting.get(to.name, each.backlog).messages for each in dead for to in route.destinations)


def _say(flushed: Flushed) -> None:
    text.say(f"Delivered: {text.counted(flushed.delivered, 'message')}.")
    if flushed.dead:
        text.say(
            f"Refused: {text.counted(flushed.dead, 'message')}, which lie with the dead letters now; "
            "see `instrument dead-letters list`."
        )
    if flushed.left:
        text.say(f"Left: {text.counted(flushed.left, 'message')}.")
    for name, count in flushed.others.items():
        text.say(f"Left for {name}, which is not among the destinations: {text.counted(count, 'message')}.")
    if flushed.lost:
        text.complain(f"Lost with the damaged part of a spool: {text.counted(flushed.lost, 'message')}.")
    for what, problem in flushed.problems.items():
        text.complain(f"{what}: {problem}")
    if flushed.owned:
        text.say(f"Left to processes that live, and deliver them: {text.counted(flushed.owned, 'spool')}.")
