"""Options that several commands share, and what they mean."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from instrument.delivery.destinations.jsonl import JsonLinesDestination
from instrument.delivery.destinations.stdout import StdoutDestination
from instrument.delivery.rows import TABLE_NAME
from instrument.routes import destinations_of, source_directory
from instrument.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Engine, Table

    from instrument.delivery.destination import Destination

SpoolDir = Annotated[
    Path | None,
    typer.Option("--spool-dir", envvar="INSTRUMENT_SPOOL_DIR", help="Where the spools lie.", show_default=False),
]
WriteKey = Annotated[
    str | None,
    typer.Option("--write-key", envvar="SEGMENT_CLIENT_KEY", help="Segment's write key.", show_default=False),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host", envvar="INSTRUMENT_HOST", help="The base address of Segment's HTTP API.", show_default=False
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--to",
        help="Where to: segment, stdout, jsonl:PATH, or package.module:name for a destination, a list of them, "
        "or a function that makes either.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="The directory of one source below the spool directory, or how its name begins; by default that of "
        "the write key.",
        show_default=False,
    ),
]
OutboxTable = Annotated[
    str | None,
    typer.Option(
        "--table",
        envvar="INSTRUMENT_OUTBOX_TABLE",
        help="The table of the outbox, or schema.table; by default instrument_outbox.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Give up when nothing was taken for so many seconds.")]


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings of a client, and where it sends to.

    Attributes:
        settings: those of the environment, with what the options override.
        destinations: where messages go; none where that is not asked for.
    """

    settings: Settings
    destinations: Sequence[Destination] = ()

    @property
    def directory(self) -> Path | None:
        """Where such a client keeps its messages; `None` where it has neither a key nor destinations."""
        if self.settings.write_key is None and not self.destinations:
            return None
        return source_directory(self.settings, self.destinations)

    @property
    def as_client(self) -> Environment:
        """The same, as for a client that was given these destinations, and no others."""
        return replace(self, settings=self.settings.model_copy(update={"destinations": self.destinations}))


def settings_of(spool_dir: Path | None, write_key: str | None = None, host: str | None = None) -> Settings:
    """Return the settings of the environment, with what the options override.

    Raises:
        typer.BadParameter: a variable of the environment, or an option, does not fit.
    """
    given: dict[str, Any] = {"spool_dir": spool_dir, "write_key": write_key, "host": host}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise typer.BadParameter(f"a setting does not fit: {error}") from None


def environment(settings: Settings, to: str) -> Environment:
    """Return the settings and the destinations that `--to` names.

    Raises:
        typer.BadParameter: there are none.
    """
    return Environment(settings, _destinations(settings, to))


def only_destination(settings: Settings, to: str) -> Destination:
    """Return the one destination that `--to` names.

    Raises:
        typer.BadParameter: there is none, or there are several.
    """
    destinations = _destinations(settings, to)
    if len(destinations) != 1:
        raise typer.BadParameter(f"--to {to}: there are {len(destinations)} destinations, and one is needed")
    return destinations[0]


@contextmanager
def outbox_of(url: str, table: str | None) -> Generator[tuple[Engine, Table]]:
    """Open a database for a block; give it, and the outbox in it.

    Raises:
        typer.BadParameter: SQLAlchemy is not installed, or the address is of no database that can be opened.
    """
    try:
        from sqlalchemy import MetaData  # noqa: PLC0415 - of an extra

        from instrument.delivery.outbox import open_database, outbox_table  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError:
        raise typer.BadParameter("an outbox needs SQLAlchemy: pip install 'instrument-analytics[sqlalchemy]'") from None
    schema, _, name = (table or TABLE_NAME).rpartition(".")
    try:
        engine = open_database(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        yield engine, outbox_table(MetaData(), name, schema=schema or None)
    finally:
        engine.dispose()


def _destinations(settings: Settings, to: str) -> Sequence[Destination]:
    kind, _, rest = to.partition(":")
    if to == "segment":
        if settings.write_key is None:
            raise typer.BadParameter("there is no write key: set SEGMENT_CLIENT_KEY, or give --write-key or --to")
        return destinations_of(settings)
    if to == "stdout":
        return [StdoutDestination()]
    if kind == "jsonl" and rest:
        try:
            return [JsonLinesDestination(rest)]
        except ValueError as error:
            raise typer.BadParameter(f"--to {to}: {error}") from None
    if not (kind and rest):
        raise typer.BadParameter(f"--to {to}: it is none of segment, stdout, jsonl:PATH and package.module:name")
    return _imported(kind, rest)


def _imported(module: str, name: str) -> Sequence[Destination]:
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise typer.BadParameter(f"--to {module}:{name}: it cannot be imported ({error})") from None
    made = found() if isfunction(found) else found
    several: list[Any] = list(made) if isinstance(made, (list, tuple)) else [made]  # pyright: ignore[reportUnknownArgumentType]
    if not all(hasattr(each, "send") and not isclass(each) for each in several):
        raise typer.BadParameter(f"--to {module}:{name}: it is no destination, and no list of them")
    return several
