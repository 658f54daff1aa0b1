"""The debugger as a process under 1,000 events a second for 10 seconds: `python -m benchmarks.debugger_server`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import requests
from pydantic_core import from_json

from benchmarks.measuring import quantile
from benchmarks.table import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_SECOND = 1_000
SECONDS = 10
_BATCH = 20
_ROUNDS = 3
_PATIENCE = 30
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print a table."""
    with debugger() as (process, url):
        rows = [("memory before the first event", f"{_memory(process.pid):.0f} MiB")]
        for number in range(1, _ROUNDS + 1):
            rows += [(f"round {number}: {what}", figure) for what, figure in one_round(process.pid, url)]
        listed = requests.get(f"{url}/api/events?limit=1", timeout=_PATIENCE).json()
        rows.append(("events forgotten to keep the bound", f"{listed['forgotten']:,} of {listed['last']:,}"))
    print(aligned(("what", "figure"), rows))


def one_round(pid: int, url: str) -> Iterator[tuple[str, str]]:
    """Send for some seconds while somebody follows, and yield the figures."""
    sent: dict[str, float] = {}
    delays: list[float] = []
    follower = threading.Thread(target=_follow, args=(url, sent, delays), daemon=True)
    follower.start()
    sleep(0.5)
    busy, start = _busy(pid), perf_counter()
    with requests.Session() as session:
        for first in range(0, PER_SECOND * SECONDS, _BATCH):
            sleep(max(0.0, start + first / PER_SECOND - perf_counter()))
            batch = [_message(f"{start}-{number}") for number in range(first, first + _BATCH)]
            sent.update({each["messageId"]: perf_counter() for each in batch})
            session.post(f"{url}/v1/batch", json={"batch": batch}, timeout=_PATIENCE).raise_for_status()
    took = perf_counter() - start
    follower.join(_PATIENCE)
    delays.sort()
    yield "events taken, and followed", f"{len(sent):,}, {len(delays):,} in {took:.1f} s"
    yield "one processor, busy", f"{(_busy(pid) - busy) / took:.0%}"
    yield "from before the request until a follower has it: median", f"{quantile(delays, 0.5) * 1e3:.1f} ms"
    yield "from before the request until a follower has it: p99", f"{quantile(delays, 0.99) * 1e3:.1f} ms"
    yield "memory after it", f"{_memory(pid):.0f} MiB"


@contextmanager
def debugger() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the debugger, with the messages of the example application declared."""
    command = [sys.executable, "-m", "instrument.cli", "debug", "--port", "0", "--package", "examples.porter.analytics"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        url = next(word.rstrip(",") for word in process.stdout.readline().split() if word.startswith("http"))
        yield process, url
        process.terminate()


def _message(message_id: str) -> dict[str, Any]:
    properties = {"proj_id": 3, "cluster_id": 42, "cluster_type": "eks", "infra_id": 12}
    return {
        "type": "track",
        "event": "Cluster Provisioning Success",
        "userId": "7",
        "properties": properties,
        "messageId": message_id,
        "timestamp": "2026-01-02T03:04:05.678Z",
        "context": {"library": {"name": "instrument-analytics", "version": "0.1.0"}},
        "integrations": {},
    }


def _follow(url: str, sent: dict[str, float], delays: list[float]) -> None:
    with requests.get(f"{url}/api/stream", stream=True, timeout=_PATIENCE) as stream:
        for line in stream.iter_lines(chunk_size=None):
            if line.startswith(b'data: {"seq"'):
                record = from_json(line.removeprefix(b"data: "))
                assert record["status"] == "valid", record
                delays.append(perf_counter() - sent[record["message_id"]])
                if len(delays) == PER_SECOND * SECONDS:
                    return


def _busy(pid: int) -> float:
    """Return how many seconds of a processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> float:
    """Return what a process has in memory, in MiB."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
