"""Whatever comes in whatever order: nothing is lost, nothing overtakes, and only what is rejected dies."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from instrument import Limits, Rejected
from instrument.delivery.adoption import adopted
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.reader import Reader
from instrument.delivery.spool import Spool, database_and_log, files_of, spool_files
from instrument.delivery.stretch import Envelopes, Stretch
from tests.delivery.envelopes import envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument import Envelope

NAMES = ("first", "second")
POISON = "Parcel Poisoned"
# With the second one, a few messages take several rows and pages.
PADS = (0, 6_000)
ALL = Limits()

limits = st.builds(Limits, count=st.integers(1, 7), size=st.sampled_from([1, 10_000, 1 << 20]))
names = st.sampled_from(NAMES)


def ids(envelopes: Sequence[Envelope]) -> list[str]:
    return [each.message_id for each in envelopes]


class Inbox:
    """A destination in memory, which takes no batch that holds a poisoned message."""

    def __init__(self) -> None:
        self.received: list[str] = []

    def send(self, batch: Sequence[Envelope]) -> None:
        if any(each.name == POISON for each in batch):
            raise Rejected("poison")
        self.received += ids(batch)


@dataclass(slots=True)
class Source:
    """A spool, its readers, and what the model knows of it: it outlives the processes that own the file."""

    path: Path
    spool: Spool | None
    readers: dict[str, Reader]
    accepted: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    @property
    def finished(self) -> bool:
        return all(place == len(self.accepted) for place in self.done.values())


def readers(spool: Spool) -> dict[str, Reader]:
    return {name: Reader(name, spool) for name in NAMES}


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = TemporaryDirectory()
        self.directory = Path(self.root.name) / "source"
        self.letters = DeadLetters(self.directory)
        self.inboxes = {name: Inbox() for name in NAMES}
        self.repeats: dict[str, Counter[str]] = defaultdict(Counter)
        self.poison: set[str] = set()
        self.number = 0
        self.own = self.begin()
        self.orphans: list[Source] = []
        self.inherited: list[Source] = []

    def begin(self) -> Source:
        spool = Spool.create(self.directory, NAMES)
        return Source(spool.path, spool, readers(spool))

    @rule(
        poisoned=st.lists(st.booleans(), min_size=1, max_size=12),
        pad=st.sampled_from(PADS),
        sent_before_offered=st.dictionaries(names, limits, max_size=2),
    )
    def accept(self, poisoned: list[bool], pad: int, sent_before_offered: dict[str, Limits]) -> None:
        batch = []
        for bad in poisoned:
            self.number += 1
            batch.append(envelope(self.number, event=POISON if bad else "Parcel Sent", pad=pad))
            if bad:
                self.poison.add(batch[-1].message_id)
        spool = self.own.spool
        assert spool is not None
        stretch = Stretch.of(spool.last + 1, 1.0, Envelopes.of(batch))
        spool.append(stretch)
        self.own.accepted += ids(batch)
        for name, limits in sent_before_offered.items():
            self.step(self.own, name, limits)
        for reader in self.own.readers.values():
            reader.offer(stretch, committed=True)

    @rule(name=names, limits=limits)
    def deliver_of_the_own(self, name: str, limits: Limits) -> None:
        self.step(self.own, name, limits)

    @precondition(lambda self: self.inherited)
    @rule(name=names, limits=limits, data=st.data())
    def deliver_of_the_dead(self, name: str, limits: Limits, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(self.inherited))
        self.step(source, name, limits)
        self.forget_if_finished(source)

    @rule(name=names)
    def tidy_up(self, name: str) -> None:
        self.own.readers[name].tidy()

    @rule(name=names, limits=limits)
    def lose_an_answer(self, name: str, limits: Limits) -> None:
        batch = self.next(self.own, name, limits)
        if batch is not None and not self.poison.intersection(ids(batch.envelopes)):
            self.inboxes[name].send(batch.envelopes)
            self.repeats[name].update(ids(batch.envelopes))

    @rule(name=names, limits=limits)
    def suffer_an_outage(self, name: str, limits: Limits) -> None:
        assert self.next(self.own, name, limits) == self.next(self.own, name, limits)

    @rule()
    def forget_what_is_kept_in_memory(self) -> None:
        assert self.own.spool is not None
        self.own.readers = readers(self.own.spool)

    @rule()
    def crash(self) -> None:
        """Leave of every file what a process leaves that is killed: its log is not worked into it."""
        for source in (self.own, *self.inherited):
            assert source.spool is not None
            left = {each: each.read_bytes() for each in database_and_log(source.path) if each.exists()}
            source.spool.close(remove=False)
            for each in files_of(source.path):
                each.unlink(missing_ok=True)
            for each, content in left.items():
                each.write_bytes(content)
            source.spool = None
        self.orphans += [self.own, *self.inherited]
        self.inherited = []
        self.own = self.begin()

    @rule()
    def end_in_good_order(self) -> None:
        assert self.own.spool is not None
        self.own.spool.close(remove=False)
        self.own.spool = None
        self.orphans.append(self.own)
        self.own = self.begin()

    @precondition(lambda self: self.orphans)
    @rule()
    def adopt(self) -> None:
        orphans = {each.path: each for each in self.orphans}
        for path in spool_files(self.directory):
            spool, lost = adopted(path, NAMES, fsync=False)
            assert lost == 0
            if path in orphans:
                assert spool is not None
                source = orphans.pop(path)
                source.spool, source.readers = spool, readers(spool)
                self.inherited.append(source)
                self.forget_if_finished(source)
            else:
                assert spool is None
        assert not orphans
        self.orphans = []

    @invariant()
    def cursors_are_where_the_destinations_are(self) -> None:
        for source in (self.own, *self.inherited):
            assert source.spool is not None
            assert {name: source.spool.cursor(name) for name in NAMES} == source.done
            assert source.spool.backlog(max(source.done.values())).messages == len(source.accepted) - max(
                source.done.values()
            )

    @invariant()
    def nobody_else_gets_the_file_of_a_living_process(self) -> None:
        assert adopted(self.own.path, NAMES, fsync=False) == (None, 0)

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            for source in (self.own, *self.inherited):
                if source.spool is not None:
                    source.spool.close(remove=True)
            self.root.cleanup()

    def drain(self) -> None:
        self.end_in_good_order()
        every = {each for source in (*self.orphans, *self.inherited) for each in source.accepted}
        self.adopt()
        for source in list(self.inherited):
            for name in NAMES:
                while self.step(source, name, ALL):
                    pass
            self.forget_if_finished(source)
        assert self.inherited == []
        assert spool_files(self.directory) == [self.own.path]
        accepted = {f"message-{number}" for number in range(1, self.number + 1)}
        assert every <= accepted
        dead = Counter((letter.destination, letter.envelope.message_id) for letter in self.letters.letters())
        assert dead == Counter((name, each) for name in NAMES for each in self.poison)
        for name, inbox in self.inboxes.items():
            assert Counter(inbox.received) == Counter(accepted - self.poison) + self.repeats[name]

    def next(self, source: Source, name: str, limits: Limits) -> Stretch | None:
        """Return the next batch, which must be what comes behind the last one that was delivered."""
        done = source.done[name]
        batch = source.readers[name].next(limits)
        if batch is None:
            assert done == len(source.accepted)
            return None
        assert batch.first == done + 1
        assert 1 <= len(batch.envelopes) <= limits.count
        assert ids(batch.envelopes) == source.accepted[done : done + len(batch.envelopes)]
        return batch

    def step(self, source: Source, name: str, limits: Limits) -> bool:
        batch = self.next(source, name, limits)
        if batch is not None:
            self.send(source, name, batch)
        return batch is not None

    def send(self, source: Source, name: str, batch: Stretch) -> None:
        try:
            self.inboxes[name].send(batch.envelopes)
        except Rejected as rejected:
            if len(batch.envelopes) > 1:
                for half in batch.halves():
                    self.send(source, name, half)
                return
            self.letters.add(name, batch.envelopes[0], str(rejected))
        source.readers[name].done(batch.last)
        source.done[name] = batch.last

    def forget_if_finished(self, source: Source) -> None:
        if source.finished:
            assert source.spool is not None
            source.spool.close(remove=True)
            self.inherited.remove(source)


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
