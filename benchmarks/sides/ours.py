"""This package: decorated handlers, with a spool on the disk."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contents import CONTENTS
from benchmarks.idle import IdleQueue
from benchmarks.sides.driver import Driven
from benchmarks.tracked import USER_ID
from instrument import Client, request_scope
from instrument.delivery import pipeline as _pipeline  # noqa: F401 - a part of the imported client
from instrument.delivery.destinations import segment as _segment  # noqa: F401 - another one

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sides.driver import Setting

_LARGE = 16 << 30
"""Bytes of a spool that holds every load."""


def sending(setting: Setting, /) -> Driven:
    """Send to Segment's API."""
    make = partial(
        Client, write_key="benchmark", host=setting.url, spool_dir=setting.directory, durability=setting.durability
    )
    client = make() if setting.defaults else make(spool_max_bytes=_LARGE)
    return _driven(client, lambda: client.flush(600))


def idle(_: int, /) -> Driven:
    """Queue as in production, without the thread that commits."""
    return _driven(Client(transport=IdleQueue()), lambda: None)


def _driven(client: Client, flush: Callable[[], object]) -> Driven:
    return Driven(tuple(each.decorated(client) for each in CONTENTS), flush, request_scope(user_id=USER_ID))
