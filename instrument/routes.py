"""Where the messages of a client go: its destinations, grouped by what they may see of personal data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from instrument.privacy.redaction import Redaction, policies_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from instrument.delivery.destination import Destination
    from instrument.delivery.fates import OnDrop
    from instrument.delivery.ledger import Ledger
    from instrument.delivery.pipeline import Pipeline, Transport
    from instrument.delivery.watch import Watch
    from instrument.privacy.marks import Policy
    from instrument.settings import Settings


@dataclass(frozen=True, slots=True)
class Route:
    """Destinations that see the same of personal data, and so can share a spool.

    Attributes:
        destinations: at least one.
        redaction: what they see.
        directory: where their messages are kept.
    """

    destinations: Sequence[Destination]
    redaction: Redaction
    directory: Path


def destinations_of(settings: Settings) -> Sequence[Destination]:
    """Return where a client with these settings sends to."""
    if settings.destinations is not None:
        return settings.destinations
    from instrument.delivery.destinations.segment import SegmentDestination  # noqa: PLC0415 - a slow import

    return [
        SegmentDestination(
            settings.write_key or "",
            host=settings.host,
            gzip=settings.gzip,
            timeout=settings.timeout,
            proxies=settings.proxies,
            oauth=settings.oauth,
        )
    ]


def source_directory(
    settings: Settings, destinations: Sequence[Destination] = (), policies: Mapping[str, Policy] | None = None
) -> Path:
    """Return where the messages of a client with these settings are kept.

    They are for no process of another source. What is made for destinations with policies of their own for personal
    data is for no other destinations.

    Args:
        settings: those of the client.
        destinations: where it sends, unless it is to Segment alone.
        policies: those for personal data that only these destinations have, by category.
    """
    from instrument.delivery.spool import partition  # noqa: PLC0415 - a slow import, of sqlite3

    names = [each.name for each in destinations]
    # The key says nothing of a client that has destinations of its own and sends nothing to Segment.
    keyed = settings.write_key and (settings.destinations is None or "segment" in names)
    source: list[object] = [settings.write_key, settings.host] if keyed else [*names]
    return partition(settings.spool_root, repr([*source, *sorted((policies or {}).items())]))


def general_redaction(settings: Settings) -> Redaction:
    """Return what holds for a destination that the settings do not name."""
    return Redaction(policies_of(settings.pii, ""), settings.pii_key)


def routes_of(settings: Settings, destinations: Sequence[Destination]) -> list[Route]:
    """Group destinations by the policies that hold for them, in the order of their first ones."""
    general = policies_of(settings.pii, "")
    groups: dict[frozenset[tuple[str, Policy]], list[Destination]] = {}
    for each in destinations:
        groups.setdefault(frozenset(policies_of(settings.pii, each.name).items()), []).append(each)
    return [
        Route(
            group,
            Redaction(dict(policies), settings.pii_key),
            source_directory(settings, destinations, None if dict(policies) == general else dict(policies)),
        )
        for policies, group in groups.items()
    ]


def has_destinations(settings: Settings) -> bool:
    """Whether a client with these settings has anywhere to send to."""
    return settings.write_key is not None if settings.destinations is None else bool(settings.destinations)


def watch_of(settings: Settings) -> Watch:
    """Make the way to the local debugger."""
    from instrument.delivery.watch import Watch  # noqa: PLC0415 - only debug mode needs it

    return Watch(
        settings.debug_host, settings.debug_port, write_key=settings.write_key, directory=source_directory(settings)
    )


def preload() -> None:
    """Import what the default client needs that the environment describes: a tenth of a second, and more.

    Where there is none, or it is switched off, nothing is imported for it.
    """
    from instrument.settings import Settings  # noqa: PLC0415 - as below

    with suppress(Exception):  # what does not fit is told when the client is made
        settings = Settings()
        if settings.enabled is not False and has_destinations(settings):
            for module in ("destinations.segment", "pipeline"):
                import_module(f"instrument.delivery.{module}")


def transport_of(settings: Settings, ledger: Ledger, watch: Watch | None) -> tuple[Transport, Sequence[Redaction]]:
    """Make what brings messages to their destinations, and to the local debugger.

    Args:
        settings: those of the client.
        ledger: where fates are counted.
        watch: what shows messages to the local debugger; `None` where it is not on.

    Returns:
        The transport, and the distinct policies for personal data among the destinations.

    Raises:
        ValueError: there are policies for a destination that does not exist.
    """
    routes = _checked_routes(settings) if has_destinations(settings) or watch is None else []
    redactions = [each.redaction for each in routes] or [general_redaction(settings)]
    if watch is None:
        return _delivering(settings, routes, ledger, settings.on_drop), redactions
    from instrument.delivery.watch import Watched  # noqa: PLC0415 - as above

    inner = _delivering(settings, routes, ledger, watch.before(settings.on_drop)) if routes else None
    return Watched(inner, watch), redactions


def _checked_routes(settings: Settings) -> list[Route]:
    destinations = destinations_of(settings)
    names = [each.name for each in destinations]
    for name, policies in settings.pii.items():
        if not isinstance(policies, str) and name not in names:
            raise ValueError(f"setting `pii`: there is no destination {name!r}, only {', '.join(map(repr, names))}")
    return routes_of(settings, destinations)


def _delivering(settings: Settings, routes: Sequence[Route], ledger: Ledger, on_drop: OnDrop | None) -> Transport:
    """Make a pipeline for each route."""
    first = _pipeline(settings, routes[0], ledger, on_drop)
    if len(routes) == 1:
        return first
    from instrument.delivery.fanout import Fanout, SecondLedger  # noqa: PLC0415 - few clients need it

    return Fanout([first, *(_pipeline(settings, each, SecondLedger(ledger), on_drop) for each in routes[1:])])


def _pipeline(settings: Settings, route: Route, ledger: Ledger, on_drop: OnDrop | None) -> Pipeline:
    from instrument.delivery.pipeline import Pipeline, Plan  # noqa: PLC0415 - a slow import, of sqlite3

    plan = Plan(
        destinations=route.destinations,
        durability=settings.durability,
        directory=route.directory,
        fsync=settings.fsync,
        max_bytes=settings.spool_max_bytes,
        on_drop=on_drop,
        flush_timeout=settings.flush_timeout,
    )
    return Pipeline(plan, ledger)
