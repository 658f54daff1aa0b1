"""`instrument forget`: remove a user's messages from this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from instrument.cli import text
from instrument.cli.options import AsJson, SpoolDir, settings_of
from instrument.delivery.forget import forget as forget_user
from instrument.privacy.redaction import keyed_hash

if TYPE_CHECKING:
    from instrument.delivery.forget import Forgotten


def forget(
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="The id as it is given to the events.")],
    *,
    spool_dir: SpoolDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove a user from the spools and dead letters of every source.

    With INSTRUMENT_PII_KEY, messages in which the id is hashed are found too.

    Exits with 1 where something could not be looked through.
    """
    settings = settings_of(spool_dir)
    ids = {user_id} if settings.pii_key is None else {user_id, keyed_hash(settings.pii_key)(user_id)}
    forgotten = forget_user(settings.spool_root, ids)
    if as_json:
        text.say_json(asdict(forgotten))
    else:
        _say(forgotten, hashed=settings.pii_key is not None)
    if forgotten.out_of_reach:
        raise typer.Exit(1)


def _say(forgotten: Forgotten, *, hashed: bool) -> None:
    text.say(f"Removed from spools: {text.counted(forgotten.spooled, 'message')}.")
    text.say(f"Removed from the dead letters: {text.counted(forgotten.letters, 'message')}.")
    if not hashed:
        text.say("There is no INSTRUMENT_PII_KEY: messages with a hashed id were not found.")
    if forgotten.living:
        text.say(
            f"Processes that live have {text.counted(len(forgotten.living), 'spool')}. What they hold in memory they "
            "may still deliver: run this again when they have."
        )
    for file, why in forgotten.out_of_reach.items():
        text.complain(f"{file}: {why}")
