"""Where a row takes place: a collector, a spool directory, and the processes that send."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.collecting import CollectorProcess, environment
from benchmarks.faults.clients import Job
from benchmarks.faults.records import Record, read
from benchmarks.faults.row import Outcome
from benchmarks.measuring import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from benchmarks.faults.row import Case

RECOVERY = 1_000_000
"""From here on, runs are processes that only take over what others left: their own message is not counted."""
_ENDLESS = 1 << 30
_PATIENCE = 120.0
"""Seconds after which whatever is awaited will not come."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the rows are: so many messages, kills, and seconds of an outage."""

    quick: bool = False

    def __call__(self, full: int, quick: int) -> int:
        """Choose a number."""
        return quick if self.quick else full

    def seconds(self, full: float, quick: float) -> float:
        """Choose a time."""
        return quick if self.quick else full


class Sender:
    """A process that sends, whose first and last step are asked for.

    Args:
        job: what it sends.
        patience: seconds after which it is killed, when it was asked to end.
        program: the module that it runs.
    """

    def __init__(self, job: Job, patience: float, program: str = "benchmarks.faults.sender") -> None:
        self.run = job.run
        self._records = Path(job.records)
        self._recorded = 0
        self.killed_at: float | None = None
        self.took: float | None = None
        self.gave_up = False
        self._patience = patience
        self._process = subprocess.Popen(
            [sys.executable, "-m", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(**job.environment()),
        )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def go(self) -> Self:
        """Wait until it is ready, and let it send."""
        self._hear("ready")
        self._recorded = self._size_of_records()
        self._say()
        return self

    def has_sent(self) -> bool:
        """Whether anything was sent since it was let go."""
        return self._size_of_records() > self._recorded

    def sent(self) -> Self:
        """Wait until it has sent everything."""
        self._hear("sent")
        return self

    def end(self) -> None:
        """Let it end, and wait for that; a process that takes too long is killed."""
        start = time.monotonic()
        self._say()
        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self.gave_up = True
            self._process.kill()
            self._process.wait()
        self.took = time.monotonic() - start
        self._close_pipes()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal that ends it, and wait until it has ended."""
        os.kill(self._process.pid, number)
        self.killed_at = time.monotonic()
        self._process.wait(_PATIENCE)
        self._close_pipes()

    def stop(self) -> None:
        """See to it that nothing is left running."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._output.close()
        with suppress(OSError):
            self._input.close()

    def _size_of_records(self) -> int:
        return self._records.stat().st_size if self._records.exists() else 0

    @property
    def _input(self) -> Any:
        return self._process.stdin

    @property
    def _output(self) -> Any:
        return self._process.stdout

    def _say(self) -> None:
        with suppress(OSError):
            self._input.write("\n")
            self._input.flush()

    def _hear(self, word: str) -> None:
        heard = self._output.readline().strip()
        if heard != word:
            raise RuntimeError(f"a sender said {heard!r}, and not {word!r}: it ended with {self._process.poll()}")


class Scene:
    """Everything that a row needs.

    Args:
        case: who is put to the test.
        size: how large the row is.
        directory: for the files of this scene.
    """

    def __init__(self, case: Case, size: Size, directory: Path) -> None:
        self.case = case
        self.size = size
        self.spool_dir = directory / "spool"
        self.records = directory / "records"
        self.flush_timeout = 5.0
        self.directory = directory
        self.senders: list[Sender] = []
        self.collector = CollectorProcess(directory / "received.jsonl")
        self._recoveries = RECOVERY

    def __enter__(self) -> Self:
        self.spool_dir.mkdir()
        self.collector.start()
        return self

    def __exit__(self, *_: object) -> None:
        for sender in self.senders:
            sender.stop()
        self.collector.stop()

    @property
    def bound(self) -> float:
        """Seconds within which a process has to end: what our client is given, and what Python takes."""
        return self.flush_timeout + 1.0

    @property
    def is_ours(self) -> bool:
        """Whether our client is put to the test."""
        return self.case.client == "ours"

    def job(self, **what: Any) -> Job:
        """Return a job, over this scene's files."""
        return Job(
            client=self.case.client,
            durability=self.case.durability,
            url=self.collector.url,
            spool_dir=str(self.spool_dir),
            records=str(self.records),
            flush_timeout=self.flush_timeout,
            **what,
        )

    def sender(self, **what: Any) -> Sender:
        """Start a process; see `Job` for what it can be told. It waits to be let go."""
        job = self.job(**{"run": len(self.senders), **what})
        # Segment's own client has no bound at an exit: it is given the time of a supervisor's patience.
        sender = Sender(job, self.bound + 5.0 if self.is_ours else 30.0)
        self.senders.append(sender)
        return sender

    def endless_sender(self, **what: Any) -> Sender:
        """Start a process that sends until it is killed."""
        return self.sender(messages=_ENDLESS, **what)

    def recover(self, delivered: Callable[[], bool] | None = None, **what: Any) -> None:
        """Start a process with the same settings, as whoever looks after the killed one would, and let it deliver.

        It sends one message of its own.

        Args:
            delivered: tells whether what left the spools has arrived; by default, that is taken for granted.
            what: more of its job, see `Job`.
        """
        if not self.is_ours or self.case.durability == "memory":
            return
        self._recoveries += 1
        sender = self.sender(run=self._recoveries, messages=1, **what)
        sender.go().sent()
        self.wait_until(lambda: len(self.spools()) <= 1 and (delivered is None or delivered()))
        sender.end()

    def spools(self) -> list[Path]:
        """Return the files of the queue, whoever owns them."""
        return list(self.spool_dir.rglob("*.spool"))

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Wait for something, though not for ever."""
        deadline = time.monotonic() + _PATIENCE
        while not true() and time.monotonic() < deadline:
            time.sleep(0.02)

    def outcome(self) -> Outcome:
        """Count."""
        records = [each for each in read(self.records) if each.run < RECOVERY]
        sent = {(each.run, each.number): each for each in records if each.accepted}
        ids: Counter[str] = Counter()
        delivered: set[tuple[int, int]] = set()
        for message in self.collector.received():
            run, number = message["properties"]["run"], message["properties"]["number"]
            if run < RECOVERY:
                ids[message["messageId"]] += 1
                delivered.add((run, number))
        dead = self._dead_letters()
        lost = [record for key, record in sent.items() if key not in delivered and key not in dead]
        first, block = _longest(records)
        ended = [sender.took for sender in self.senders if sender.took is not None and sender.run < RECOVERY]
        outcome = Outcome(
            sent=len(sent),
            refused=len(records) - len(sent),
            delivered=len(delivered),
            lost=len(lost),
            repeated=sum(ids.values()) - len(ids),
            dead=len(dead),
            first=first,
            block=block,
            exit=max(ended, default=None),
            gaps=_gaps(lost, delivered),
            oldest_lost=self._oldest(lost),
            lost_alive=sum(self._killed_at.get(record.run) is None for record in lost),
        )
        if any(sender.gave_up for sender in self.senders):
            outcome.notes.append("did not end, and was killed")
        left = len(self.spools())
        if self.is_ours and left:
            outcome.expect("no spool is left", met=False)
            outcome.notes.append(f"{left} spools left")
        return outcome

    @property
    def _killed_at(self) -> dict[int, float | None]:
        return {sender.run: sender.killed_at for sender in self.senders}

    def _oldest(self, lost: Iterable[Record]) -> tuple[float, float, float] | None:
        killed_at = self._killed_at
        oldest: dict[int, float] = {}
        for record in lost:
            at = killed_at.get(record.run)
            if at is not None:
                oldest[record.run] = max(oldest.get(record.run, 0.0), at - record.at)
        if not oldest:
            return None
        ages = sorted(oldest.values())
        return quantile(ages, 0.5), quantile(ages, 0.99), ages[-1]

    def _dead_letters(self) -> set[tuple[int, int]]:
        if not self.is_ours:
            return set()
        from pydantic_core import from_json  # noqa: PLC0415 - as the next one

        from instrument.delivery.dead_letters import DeadLetters, directories  # noqa: PLC0415 - not for Segment's

        letters = [letter for each in directories(self.spool_dir) for letter in DeadLetters(each).letters()]
        found = [from_json(letter.envelope.body)["properties"] for letter in letters]
        return {(each["run"], each["number"]) for each in found}


def _gaps(lost: Iterable[Record], delivered: Iterable[tuple[int, int]]) -> int:
    newest: dict[int, int] = {}
    for run, number in delivered:
        newest[run] = max(number, newest.get(run, number))
    return sum(record.number < newest.get(record.run, 0) for record in lost)


def _longest(records: list[Record]) -> tuple[float, float]:
    """Return the longest first call of a process, and the longest of all others.

    What other threads call while the first call has not returned is a first call too.
    """
    returned: dict[int, float] = {}
    first = others = 0.0
    for record in records:
        if record.at - record.took <= returned.setdefault(record.run, record.at):
            first = max(first, record.took)
        else:
            others = max(others, record.took)
    return first, others


def staged(case: Case, size: Size) -> Scene:
    """Make a scene in a new directory; see `stage`."""
    return Scene(case, size, Path(tempfile.mkdtemp(prefix="instrument-faults-")))
