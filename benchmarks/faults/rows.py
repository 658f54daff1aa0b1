"""The rows of the table: each breaks one thing, in the way in which it breaks in the field."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.collecting import environment
from benchmarks.faults.row import BATCHED, EVERY, SYNC, row
from instrument.delivery.jetstream import DEFAULT_STREAM
from tests.delivery.nats_servers import NatsServer, cluster, stream_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.faults.row import Outcome
    from benchmarks.faults.scene import Scene

_LEAST_BYTES = 250
"""What a message takes in the spool, at least."""
_OURS = (BATCHED, SYNC)


@row("normal exit, with close()", cases=EVERY, once=True)
def closed(scene: Scene) -> Outcome:
    scene.sender(messages=scene.size(5_000, 500)).go().sent().end()
    return scene.outcome()


@row("normal exit, without close()", cases=EVERY, once=True)
def not_closed(scene: Scene) -> Outcome:
    scene.sender(messages=scene.size(5_000, 500), end="exit").go().sent().end()
    return scene.outcome()


@row("SIGTERM", cases=EVERY, killed=True)
def terminated(scene: Scene) -> Outcome:
    return _killed(scene, scene.size(20, 2), signal.SIGTERM, rate=1_000)


@row("kill -9, 1,000 calls a second", cases=EVERY, killed=True)
def killed(scene: Scene) -> Outcome:
    return _killed(scene, scene.size(200, 4), signal.SIGKILL, rate=1_000)


@row("kill -9, at full speed", cases=EVERY, killed=True)
def killed_at_full_speed(scene: Scene) -> Outcome:
    return _killed(scene, scene.size(50, 2), signal.SIGKILL, rate=None)


@row("fork after the first message", cases=EVERY, once=True)
def forked(scene: Scene) -> Outcome:
    scene.sender(messages=scene.size(1_000, 300), forks=3, end="exit").go().sent().end()
    return scene.outcome()


@row("gunicorn, preloaded, 4 workers", cases=EVERY, once=True)
def preforked(scene: Scene) -> Outcome:
    requests = scene.size(1_000, 100)
    with _gunicorn(scene) as port:
        answered = _requested(port, requests)
    outcome = scene.outcome()
    outcome.expect(f"{requests:,} requests were answered", answered == requests)
    outcome.expect("every request sent a message", outcome.sent == requests + 1)
    return outcome


@row("collector down for 30 s", cases=EVERY)
def down(scene: Scene) -> Outcome:
    outage, rate = scene.size.seconds(30, 1.5), 200
    sender = scene.sender(messages=int((outage + 4) * rate), rate=rate).go()
    time.sleep(1)
    scene.collector.stop()
    time.sleep(outage)
    scene.collector.start()
    sender.sent().end()
    scene.recover()
    return scene.outcome()


@row("500 for 10 s", cases=EVERY)
def out_of_order(scene: Scene) -> Outcome:
    trouble, rate = scene.size.seconds(10, 1), 500
    scene.collector.behave("status", status=500)
    sender = scene.sender(messages=int((trouble + 1) * rate), rate=rate).go()
    time.sleep(trouble)
    scene.collector.behave()
    sender.sent().end()
    scene.recover()
    return scene.outcome()


@row("429 with Retry-After", cases=EVERY)
def too_many(scene: Scene) -> Outcome:
    scene.collector.behave("status", status=429, retry_after=scene.size(2, 1), times=scene.size(3, 1))
    scene.sender(messages=scene.size(5_000, 500), rate=1_000).go().sent().end()
    scene.recover()
    return scene.outcome()


@row("collector that hangs at the exit")
def hanging(scene: Scene) -> Outcome:
    scene.flush_timeout = 2.0 if not scene.size.quick else 0.5
    scene.collector.behave("hang")
    scene.sender(messages=scene.size(1_000, 300), end="exit").go().sent().end()
    _restarted(scene)
    scene.recover()
    return scene.outcome()


@row("slow collector, a burst of 50,000", cases=EVERY)
def slow(scene: Scene) -> Outcome:
    scene.collector.behave("slow", delay=0.2)
    scene.flush_timeout = 15.0
    scene.sender(messages=scene.size(50_000, 3_000)).go().sent().end()
    scene.recover()
    return scene.outcome()


@row("one poison among 10,000", cases=EVERY, once=True)
def poisoned(scene: Scene) -> Outcome:
    scene.collector.behave("poison", marker="poison")
    messages = scene.size(10_000, 1_000)
    scene.sender(messages=messages, poison=messages // 2, rate=None).go().sent().end()
    outcome = scene.outcome()
    outcome.expect("the poison alone is a dead letter", outcome.dead == 1)
    return outcome


@row("answer lost after the batch was kept", cases=EVERY)
def answer_lost(scene: Scene) -> Outcome:
    scene.collector.behave("lose answer", times=3)
    scene.sender(messages=scene.size(5_000, 500)).go().sent().end()
    scene.recover()
    return scene.outcome()


def _needs_root() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a small file system can be mounted by root alone, on Linux"
    return ""


@row("full disk", cases=_OURS, needs=_needs_root)
def full_disk(scene: Scene) -> Outcome:
    with _small_disk(scene.spool_dir):
        scene.collector.stop()
        sender = scene.sender(messages=scene.size(50_000, 20_000)).go().sent()
        scene.collector.start()
        sender.end()
        scene.recover()
        outcome = scene.outcome()
        outcome.expect("some messages were refused", outcome.refused > 0)
        return outcome


@row("corrupt spool, a page of the file", cases=_OURS)
def corrupt_file(scene: Scene) -> Outcome:
    return _corrupted(scene, scene.size(20_000, 12_000), _middle_of_the_file)


@row("corrupt spool, a page of the log", cases=_OURS)
def corrupt_log(scene: Scene) -> Outcome:
    return _corrupted(scene, 1_000, _middle_of_the_log)


@row("two processes and a dead one's file", cases=_OURS, once=True)
def adopted(scene: Scene) -> Outcome:
    _left_by_a_dead_process(scene, scene.size(5_000, 500))
    scene.collector.start()
    both = [scene.sender(messages=scene.size(2_000, 200)) for _ in range(2)]
    for sender in both:
        sender.go()
    for sender in both:
        sender.sent()
    scene.wait_until(lambda: len(scene.spools()) <= len(both))
    for sender in both:
        sender.end()
    return scene.outcome()


@row("8 threads", cases=EVERY, once=True)
def threads(scene: Scene) -> Outcome:
    scene.sender(messages=scene.size(2_000, 100), threads=8).go().sent().end()
    return scene.outcome()


@row("JetStream, the leader of three nodes killed", cases=_OURS)
def node_killed(scene: Scene) -> Outcome:
    messages, rate = scene.size(10_000, 600), 1_000
    with cluster(scene.directory / "nats") as servers:
        nats = [each.url for each in servers]
        sender = scene.sender(messages=messages, rate=rate, nats=nats).go()
        with _forwarder(scene, servers):
            scene.wait_until(lambda: scene.collector.stats()["unique"] > messages // 4)
            leader = stream_info(servers[0].url, DEFAULT_STREAM).cluster
            assert leader is not None
            servers[int((leader.leader or "server-0").rpartition("-")[2])].kill()
            sender.sent().end()
            # An election may take longer than the exit of a process waits.
            scene.recover(lambda: scene.collector.stats()["unique"] > messages, nats=nats)
        return scene.outcome()


@row("JetStream, the forwarder killed in the middle of a batch", cases=_OURS)
def forwarder_killed(scene: Scene) -> Outcome:
    messages = scene.size(10_000, 600)
    with NatsServer(scene.directory / "nats") as server:
        scene.sender(messages=messages, rate=None, nats=[server.url]).go().sent().end()
        for _ in range(scene.size(5, 1)):
            before = scene.collector.stats()["received"]
            scene.collector.behave("lose answer")  # which Segment has, and the forwarder does not know
            with _forwarder(scene, [server]) as forwarder:
                scene.wait_until(lambda before=before: scene.collector.stats()["received"] > before)  # type: ignore[misc]
                forwarder.kill()
        scene.collector.behave()
        with _forwarder(scene, [server]):
            scene.wait_until(lambda: stream_info(server.url, DEFAULT_STREAM).state.messages == 0)
    outcome = scene.outcome()
    outcome.expect("what was in hand came again, under its ids", outcome.repeated > 0)
    return outcome


@contextmanager
def _forwarder(scene: Scene, servers: Sequence[NatsServer]) -> Iterator[subprocess.Popen[bytes]]:
    """Run `instrument forward` from a cluster to the collector."""
    addresses = [part for each in servers for part in ("--server", each.url)]
    forwarder = subprocess.Popen(
        [sys.executable, "-m", "instrument.cli", "forward", *addresses, "--ack-wait", "1"],
        env=environment(
            SEGMENT_CLIENT_KEY="faults", INSTRUMENT_HOST=scene.collector.url, INSTRUMENT_SPOOL_DIR=str(scene.spool_dir)
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield forwarder
    finally:
        forwarder.terminate()
        forwarder.wait(30)


def _killed(scene: Scene, runs: int, number: int, *, rate: float | None) -> Outcome:
    """Kill process after process at a random moment; each takes over what the one before it left."""
    moments = random.Random(f"{scene.case} {number} {rate}")
    following = scene.endless_sender(rate=rate)
    for _ in range(runs):
        sender = following.go()
        following = scene.endless_sender(rate=rate)  # imports meanwhile
        scene.wait_until(sender.has_sent)
        time.sleep(moments.uniform(0.0, 0.3))
        sender.kill(number)
    following.stop()
    scene.recover()
    outcome = scene.outcome()
    outcome.notes.append(f"{runs} runs")
    return outcome


def _restarted(scene: Scene) -> None:
    scene.collector.stop()
    scene.collector.start()


def _left_by_a_dead_process(scene: Scene, messages: int) -> None:
    scene.collector.stop()
    scene.sender(messages=messages, settle=True).go().sent().kill()


def _middle_of_the_file(spool: Path) -> tuple[Path, int, int]:
    page = int.from_bytes(spool.read_bytes()[16:18], "big")
    page = 0x10000 if page == 1 else page
    return spool, spool.stat().st_size // page // 2 * page, page


def _middle_of_the_log(spool: Path) -> tuple[Path, int, int]:
    log = spool.with_name(spool.name + "-wal")
    content = log.read_bytes()
    header, head_of_a_frame = 32, 24
    page = int.from_bytes(content[8:12], "big")
    frame = head_of_a_frame + page
    return log, header + (len(content) - header) // frame // 2 * frame + head_of_a_frame, page


def _corrupted(scene: Scene, messages: int, middle: Callable[[Path], tuple[Path, int, int]]) -> Outcome:
    """Write noise over one page of what a dead process left (https://sqlite.org/fileformat2.html says where)."""
    _left_by_a_dead_process(scene, messages)
    (spool,) = scene.spools()
    path, place, page = middle(spool)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(random.Random(0).randbytes(page))
    scene.collector.start()
    scene.recover()
    outcome = scene.outcome()
    outcome.most_lost = page // _LEAST_BYTES + 2  # and those that begin before it and end behind it
    outcome.notes.append(f"a page of {page:,} bytes, of which at most {outcome.most_lost} messages have a part")
    return outcome


@contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def _gunicorn(scene: Scene) -> Iterator[int]:
    """Run the web application, give its port, and end it as a service manager does."""
    log = scene.directory / "gunicorn.log"
    options = ["--preload", "--workers=4", "--bind=127.0.0.1:0", f"--log-file={log}", "--no-control-socket"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "benchmarks.faults.web:application"],
        env=environment(**scene.job(end="exit").environment()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        scene.wait_until(lambda: log.exists() and log.read_text().count("Booting worker") == 4)
        listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())
        assert listening is not None
        yield int(listening[1])
        process.terminate()
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _requested(port: int, requests: int) -> int:
    """Make requests on several connections, so that every worker gets some; answer how many were answered well."""
    answers: list[int] = []

    def request(numbers: range) -> None:
        for number in numbers:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", f"/?{number}")
            answers.append(connection.getresponse().status)
            connection.close()

    clients = [threading.Thread(target=request, args=(range(first, requests, 4),)) for first in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers.count(200)
