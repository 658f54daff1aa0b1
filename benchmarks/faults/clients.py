"""The clients that are put to the test, behind one call each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.records import Recording

if TYPE_CHECKING:
    from typing_extensions import Self

    from instrument import Client

JOB = "BENCHMARK_JOB"
"""The environment variable that holds a job."""
PROBE, POISON = "Fault Probe", "poison"
"""The names of the events."""

Send = Callable[[int, int, bool], bool]
"""Send message `number` of a `run`, poisonous or not; answer whether the client took it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process has to do.

    Attributes:
        client: `ours` or `segment`.
        durability: of our client.
        url: where the collector is.
        spool_dir: where our client spools.
        records: where every call is written down.
        flush_timeout: seconds that our client takes at an exit, at most.
        spool_max_bytes: how much may wait in our client.
        run: the number of the process.
        messages: how many each thread sends.
        rate: calls a second of each thread; `None` for one after the other.
        threads: how many send.
        forks: how many children are forked after half of the messages, each to send as many as its parent.
        poison: the number of the message that the collector will not have.
        settle: whether it waits until what was accepted is committed before it says `sent`.
        end: `close` closes the client; `exit` leaves that to the end of the process.
        nats: the servers of a cluster of NATS that our client publishes to, in the place of Segment.
    """

    client: str
    durability: str
    url: str
    spool_dir: str
    records: str
    flush_timeout: float
    spool_max_bytes: int = 256 << 20
    run: int = 0
    messages: int = 1_000
    rate: float | None = None
    threads: int = 1
    forks: int = 0
    poison: int | None = None
    settle: bool = False
    end: str = "close"
    nats: list[str] = field(default_factory=list[str])

    @classmethod
    def given(cls) -> Self:
        """Return the job of this process."""
        return cls(**json.loads(os.environ[JOB]))

    def environment(self) -> dict[str, str]:
        """Return what gives a process this job."""
        return {JOB: json.dumps(asdict(self))}


class Sending:
    """A client, with every call of it written down before the next one."""

    def __init__(self, job: Job) -> None:
        self._send, self.close, self.settle = _CLIENTS[job.client](job)
        self._recording = Recording(Path(job.records))

    def __call__(self, run: int, number: int, *, poison: bool = False) -> None:
        """Send one message."""
        start = time.monotonic()
        accepted = self._send(run, number, poison)
        at = time.monotonic()
        self._recording.note(run, number, accepted, at, at - start)


def configured(job: Job, on_error: Callable[[BaseException, str], object] | None = None) -> Client:
    """Return our client, as a job has it."""
    from instrument import configure  # noqa: PLC0415 - each process imports one client alone
    from instrument.delivery.destinations.nats import NatsDestination  # noqa: PLC0415

    return configure(
        write_key="faults",
        host=job.url,
        spool_dir=job.spool_dir,
        spool_max_bytes=job.spool_max_bytes,
        durability=job.durability,  # type: ignore[arg-type]
        flush_timeout=job.flush_timeout,
        destinations=[NatsDestination(job.nats, replicas=len(job.nats))] if job.nats else None,
        on_error=on_error,
    )


def _ours(job: Job) -> tuple[Send, Callable[[], object], Callable[[], object]]:
    from benchmarks.faults.events import FaultProbe, Poison  # noqa: PLC0415 - each process imports one client alone

    client = configured(job)

    def send(run: int, number: int, poison: bool) -> bool:  # noqa: FBT001
        event = Poison if poison else FaultProbe
        return bool(client.track(event(user_id=7, run=run, number=number)))

    def settle() -> None:
        """Wait until what was accepted is committed."""
        while job.durability != "memory" and client.stats().spooled < client.stats().accepted:
            time.sleep(0.005)

    return send, client.close, settle


def _segment(job: Job) -> tuple[Send, Callable[[], object], Callable[[], object]]:
    from segment.analytics.client import Client  # noqa: PLC0415 - as above

    client = Client("faults", host=job.url)

    def send(run: int, number: int, poison: bool) -> bool:  # noqa: FBT001
        event = POISON if poison else PROBE
        return client.track(user_id=7, event=event, properties={"run": run, "number": number})[0]

    return send, client.shutdown, lambda: None


_CLIENTS = {"ours": _ours, "segment": _segment}
