"""Servers as processes, with workers of every kind: no event is lost or doubled, and each has its own user."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from instrument.testing import Collector
from tests.integrations.serving import answers
from tests.interpreters import NEEDS_THREADS_AT_EXIT
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = __file__.rsplit("/tests/", 1)[0]
UVICORN = ["uvicorn", "--port", "0", "--lifespan", "on"]
GUNICORN = ["gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", "--graceful-timeout", "20"]
WSGI, ASGI = "tests.integrations.served:wsgi", "tests.integrations.served:asgi"
# How often the application is imported: once where it is loaded before the workers are forked.
SERVERS = {
    "uvicorn": ([*UVICORN, ASGI], 1),
    "uvicorn with workers": ([*UVICORN, "--workers", "2", ASGI], 2),
    "gunicorn, sync workers": ([*GUNICORN, WSGI], 2),
    "gunicorn, preload, sync workers": ([*GUNICORN, "--preload", WSGI], 1),
    "gunicorn, preload, gthread workers": ([*GUNICORN, "--preload", "-k", "gthread", "--threads", "4", WSGI], 1),
    "gunicorn, gevent workers": ([*GUNICORN, "-k", "gevent", WSGI], 2),
    "gunicorn, preload, uvicorn workers": ([*GUNICORN, "--preload", "-k", "uvicorn_worker.UvicornWorker", ASGI], 1),
}
REQUESTS = 200


@contextmanager
def server(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[str]:
    """Run a server; give its address. Afterwards it has ended, by its own hooks."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stderr=output,
            stdout=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _is_up(log, arguments) or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text()
        yield _addresses(log)[0]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too, wherever the test has failed
        process.wait(60)


def _is_up(log: Path, arguments: list[str]) -> bool:
    """Whether a server listens: gunicorn does before its workers begin, each worker of uvicorn when it has begun."""
    workers = 0 if arguments[0] == "gunicorn" else 2 if "--workers" in arguments else 1
    return bool(_addresses(log)) and log.read_text().count("Application startup complete") >= workers


def _addresses(log: Path) -> list[str]:
    return re.findall(r"(?:running on|Listening at:) (http://127\.0\.0\.1:\d+)", log.read_text())


@pytest.mark.instrument_delivery
@pytest.mark.parametrize(
    ("arguments", "imports"),
    [
        # Gevent looks names up in threads, so that a worker which has not connected before cannot while it exits: what is
        # left waits in its spool.
        pytest.param(*each, id=name, marks=[NEEDS_THREADS_AT_EXIT] if "gevent" in name else [])
        for name, each in SERVERS.items()
    ],
)
def test_no_event_is_lost_or_doubled_and_each_has_its_own_user(
    arguments: list[str], imports: int, tmp_path: Path
) -> None:
    requests = [(f"/{number}", {"X-User": f"user {number}"}) for number in range(REQUESTS)]
    with Collector() as collector:
        environment = {
            "SEGMENT_CLIENT_KEY": "test",
            "INSTRUMENT_HOST": collector.url,
            "INSTRUMENT_SPOOL_DIR": str(tmp_path / "spool"),
        }
        log = tmp_path / "log"
        with server(arguments, environment, log) as address:
            assert asyncio.run(answers(address, requests)) == ["HTTP/1.1 200 OK"] * REQUESTS
        messages = collector.wait_for(REQUESTS + imports)
    assert len({message["messageId"] for message in messages}) == len(messages), log.read_text()
    served = [message for message in messages if message["event"] == "Served Request"]
    assert sorted((each["properties"]["path"], each["userId"]) for each in served) == sorted(
        (path, headers["X-User"]) for path, headers in requests
    )
    assert len(messages) == REQUESTS + imports
