"""One client under load, in a process of its own: `python -m benchmarks.load '{"client": "ours", …}'`.

It prints what it measured as a line of JSON. What the imports and the making of the client take is measured before
the first call, and taken off.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from benchmarks.measuring import quantile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Flush = Callable[[], object]
Emit = Callable[[int], object]

MILLI, MICRO = 1e3, 1e6


@dataclass(frozen=True, slots=True)
class Load:
    """What a process does.

    Attributes:
        client: `ours`, `segment` or `snowplow`.
        url: where the collector is.
        messages: how many, each by one call.
        rate: calls a second; `None` for one after the other.
        durability: of our client.
        commit_age: whether the age of every message at its commit is measured.
    """

    client: str
    url: str
    messages: int
    rate: float | None = None
    durability: str = "batched"
    commit_age: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it.

    Attributes:
        caller: microseconds of one call, on average.
        per_second: messages that were delivered, from the first call until the last was known to be there.
        cpu: microseconds of processor time for a delivered message, of the whole process.
        peak: the most memory above what the imported client takes, in MiB.
        accepted: how many calls were answered with yes.
        block: milliseconds that calls took: p50, p99, maximum.
        age: milliseconds from a call's return to the commit of its message: p50, p99, maximum.
    """

    caller: float
    per_second: float
    cpu: float
    peak: float
    accepted: int
    block: tuple[float, float, float]
    age: tuple[float, float, float] | None = None


def main() -> None:
    """Run one load."""
    load = Load(**json.loads(sys.argv[1]))
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asdict(run(load, Path(directory)))))


def run(load: Load, directory: Path) -> Measured:
    """Make the client, put the load on it, and measure."""
    emit, flush, scope = _CLIENTS[load.client](load, directory)
    ages = _Ages() if load.commit_age else None
    durations = [0.0] * load.messages
    accepted = 0
    with scope:
        cpu, memory = _cpu(), _peak_memory()
        begin = perf_counter()
        for number in range(load.messages):
            if load.rate is not None:
                _wait_until(begin + number / load.rate)
            start = perf_counter()
            accepted += emit(number) is not False
            durations[number] = perf_counter() - start
            if ages is not None:
                ages.returned.append(perf_counter())
        called = sum(durations)
        flush()
        took = perf_counter() - begin
        cpu, memory = _cpu() - cpu, _peak_memory() - memory
    return Measured(
        caller=called / load.messages * MICRO,
        per_second=load.messages / took,
        cpu=cpu / load.messages * MICRO,
        peak=memory / (1 << 20),
        accepted=accepted,
        block=_summary(durations),
        age=None if ages is None else _summary(ages.ages()),
    )


class _Ages:
    """Notes when messages are counted as spooled, which is right after their commit."""

    def __init__(self) -> None:
        from instrument.delivery.ledger import Ledger  # noqa: PLC0415 - only where our client runs

        self.returned: list[float] = []
        self._committed: list[tuple[int, float]] = []
        count = Ledger.count

        def noting(ledger: Ledger, what: str, number: int = 1) -> None:
            count(ledger, what, number)
            if what == "spooled":
                self._committed.append((number, perf_counter()))

        Ledger.count = noting  # type: ignore[method-assign,assignment]

    def ages(self) -> list[float]:
        ages: list[float] = []
        for number, at in self._committed:
            ages += [max(0.0, at - returned) for returned in self.returned[len(ages) : len(ages) + number]]
        return ages


def _ours(load: Load, directory: Path) -> tuple[Emit, Flush, AbstractContextManager[object]]:
    from benchmarks.contents import PROVISIONING, USER_ID  # noqa: PLC0415 - each process imports one client alone
    from instrument import Client, request_scope  # noqa: PLC0415
    from instrument.delivery import pipeline as _pipeline  # noqa: F401, PLC0415 - a part of the imported client
    from instrument.delivery.destinations import segment as _  # noqa: F401, PLC0415 - another one

    client = Client(
        write_key="benchmark",
        host=load.url,
        spool_dir=directory,
        durability=load.durability,  # type: ignore[arg-type]
    )
    handler = PROVISIONING.decorated(client)
    return handler, lambda: client.flush(600), request_scope(user_id=USER_ID)


def _segment(load: Load, _: Path) -> tuple[Emit, Flush, AbstractContextManager[object]]:
    from contextlib import nullcontext  # noqa: PLC0415

    from segment.analytics.client import Client  # noqa: PLC0415

    client = Client("benchmark", host=load.url, max_queue_size=load.messages)

    def provision(number: int) -> bool:
        properties = {"proj_id": 3, "cluster_id": 42, "cluster_type": "eks", "infra_id": number}
        return client.track(user_id=7, event="Cluster Provisioning Success", properties=properties)[0]

    return provision, client.flush, nullcontext()


def _snowplow(load: Load, _: Path) -> tuple[Emit, Flush, AbstractContextManager[object]]:
    import logging  # noqa: PLC0415
    from contextlib import nullcontext  # noqa: PLC0415

    from snowplow_tracker.emitters import AsyncEmitter  # noqa: PLC0415
    from snowplow_tracker.events.self_describing import SelfDescribing  # noqa: PLC0415
    from snowplow_tracker.self_describing_json import SelfDescribingJson  # noqa: PLC0415
    from snowplow_tracker.subject import Subject  # noqa: PLC0415
    from snowplow_tracker.tracker import Tracker  # noqa: PLC0415

    logging.getLogger("snowplow_tracker.emitters").setLevel(logging.ERROR)
    address = load.url.removeprefix("http://")
    emitter = AsyncEmitter(address, protocol="http", batch_size=100, buffer_capacity=load.messages)
    tracker = Tracker("benchmark", emitters=emitter, subject=Subject().set_user_id("7"), app_id="benchmark")

    def provision(number: int) -> None:
        properties = {"proj_id": 3, "cluster_id": 42, "cluster_type": "eks", "infra_id": number}
        event = SelfDescribingJson("iglu:com.example/cluster_provisioning_success/jsonschema/1-0-0", properties)
        tracker.track(SelfDescribing(event))

    def flush() -> None:
        emitter.sync_flush()

    return provision, flush, nullcontext()


_CLIENTS: dict[str, Callable[[Load, Path], tuple[Emit, Flush, AbstractContextManager[object]]]] = {
    "ours": _ours,
    "segment": _segment,
    "snowplow": _snowplow,
}


def _wait_until(when: float) -> None:
    rest = when - perf_counter()
    if rest > 0:
        sleep(rest)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory() -> int:
    """Return the most bytes that were resident; on Linux of this program alone, where getrusage tells its parent's."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def _summary(seconds: list[float]) -> tuple[float, float, float]:
    ordered = sorted(seconds)
    return quantile(ordered, 0.5) * MILLI, quantile(ordered, 0.99) * MILLI, ordered[-1] * MILLI


if __name__ == "__main__":
    main()
