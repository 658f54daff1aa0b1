"""NATS JetStream, against a real server: acknowledged or tried again, and repeats dropped."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from instrument import Client, Held, Rejected, Scope, Track, Unavailable
from instrument.delivery.destinations.nats import NatsDestination
from tests.delivery.envelopes import envelope, envelopes
from tests.delivery.nats_servers import (
    NatsServer,
    add_stream,
    ask,
    cluster,
    message_ids,
    messages,
    stream_info,
)
from tests.interpreters import NEEDS_THREADS_AT_EXIT
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.instrument_delivery


class NatsParcelScope(Scope):
    user_id: int


class NatsParcelSent(Track, NatsParcelScope):
    number: int
    pad: str = ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One for the tests that leave it as it was; each has a stream and a subject of its own."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    """One that the test may stop."""
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).upper()


@pytest.fixture
def opened(server: NatsServer, stream: str) -> Iterator[Callable[..., NatsDestination]]:
    """Make destinations for the stream of the test, and close them."""
    made = []

    def make(**options: object) -> NatsDestination:
        defaults = {"servers": server.url, "stream": stream, "subject": stream.lower()}
        made.append(NatsDestination(**{**defaults, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_each_message_is_published_as_it_is_with_its_id(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    opened().send(envelopes([1, 2, 3]))
    found = messages(server.url, stream)
    assert sorted((each.subject, each.data, (each.headers or {})["Nats-Msg-Id"]) for each in found) == [
        (stream.lower(), each.body, each.message_id) for each in envelopes([1, 2, 3])
    ]


def test_the_server_drops_what_is_sent_again(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    destination = opened()
    destination.send(envelopes([1, 2]))
    destination.send(envelopes([1, 2, 3]))
    assert sorted(message_ids(server.url, stream)) == ["message-1", "message-2", "message-3"]


def test_a_stream_is_made_that_keeps_each_message_until_it_is_acknowledged(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    opened(duplicate_window=77.0, max_bytes=1 << 20).send([envelope(1)])
    config = stream_info(server.url, stream).config
    assert (config.subjects, config.retention, config.discard, config.storage) == (
        [stream.lower()],
        "workqueue",
        "new",
        "file",
    )
    assert (config.num_replicas, config.duplicate_window, config.max_bytes) == (1, 77.0, 1 << 20)


def test_a_stream_that_is_there_is_used_as_it_is(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    add_stream(server.url, stream, subjects=[stream.lower()], max_age=3600)
    opened().send([envelope(1)])
    assert (stream_info(server.url, stream).config.max_age, message_ids(server.url, stream)) == (3600, ["message-1"])


def test_several_processes_may_make_the_stream_at_once(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    destinations = [opened(name=str(number)) for number in range(4)]
    threads = [threading.Thread(target=each.send, args=([envelope(1)],)) for each in destinations]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert message_ids(server.url, stream) == ["message-1"]


def test_a_part_that_is_not_acknowledged_has_the_whole_batch_tried_again(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    add_stream(server.url, stream, subjects=[stream.lower()], max_msgs=3, discard="new")
    destination = opened()
    with pytest.raises(Unavailable, match=r"2 of 5 messages were not acknowledged \(maximum messages exceeded\)"):
        destination.send(envelopes(range(5)))
    assert len(message_ids(server.url, stream)) == 3
    ask(server.url, lambda jetstream: jetstream.delete_stream(stream))
    destination.send(envelopes(range(5)))
    assert sorted(message_ids(server.url, stream)) == [f"message-{number}" for number in range(5)]


def test_a_message_that_the_stream_finds_too_large_is_rejected(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    add_stream(server.url, stream, subjects=[stream.lower()], max_msg_size=1_000)
    with pytest.raises(Rejected, match="a message is larger than the stream's max_msg_size"):
        opened().send([envelope(1), envelope(2, pad=2_000)])


def test_a_message_that_the_server_finds_too_large_costs_no_other(tmp_path: Path) -> None:
    dropped: list[str] = []
    with NatsServer(tmp_path / "nats", "max_payload: 1000") as server:
        client = Client(
            destinations=[NatsDestination(server.url)],
            spool_dir=tmp_path / "spool",
            on_drop=lambda _, reason: dropped.append(reason),
        )
        ids = [_track(client, each) for each in range(5)]
        _track(client, 5, pad="x" * 2_000)
        assert client.close(timeout=20)
        assert sorted(message_ids(server.url, "instrument")) == sorted(ids)
    assert dropped == [f"127.0.0.1:{server.port}, stream instrument: a message is larger than the server's max_payload"]


def test_a_subject_of_another_stream_waits_for_somebody_to_act(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    add_stream(server.url, f"{stream}-OTHER", subjects=["taken"])
    add_stream(server.url, stream, subjects=[stream.lower()])
    with pytest.raises(Held, match="the subject taken belongs to another stream"):
        opened(subject="taken").send([envelope(1)])


def test_a_stream_that_cannot_be_made_is_tried_again(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    with pytest.raises(Unavailable, match=f"stream {stream}: it can be neither found nor made"):
        opened(replicas=3).send([envelope(1)])  # of one server


def test_wrong_credentials_wait_for_somebody_to_act_and_are_not_shown(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats", 'authorization { user: "right", password: "right" }') as server:
        wrong = f"nats://somebody:secret@127.0.0.1:{server.port}"
        with closing(NatsDestination(wrong, timeout=2.0)) as destination, pytest.raises(Held) as raised:
            destination.send([envelope(1)])
        assert str(raised.value) == f"127.0.0.1:{server.port}: the server refuses the credentials"
        with closing(NatsDestination(server.url, options={"user": "right", "password": "right"})) as right:
            right.send([envelope(1)])


def test_a_server_that_is_down_is_tried_again_and_its_restart_noticed(own_server: NatsServer) -> None:
    with closing(NatsDestination(own_server.url, timeout=0.5)) as destination:
        destination.send([envelope(1)])
        own_server.kill()
        with pytest.raises(Unavailable, match=f"127.0.0.1:{own_server.port}: there is no connection"):
            wait_until(lambda: destination.send([envelope(2)]))
        own_server.start()
        wait_until(lambda: _sent(destination, 2))
    assert sorted(message_ids(own_server.url, "instrument")) == ["message-1", "message-2"]


def test_a_first_connection_that_fails_is_made_later(own_server: NatsServer) -> None:
    own_server.kill()
    with closing(NatsDestination(own_server.url, timeout=0.5)) as destination:
        with pytest.raises(Unavailable, match=r"there is no connection \(ConnectionRefusedError\)"):
            destination.send([envelope(1)])
        own_server.start()
        wait_until(lambda: _sent(destination, 1))
    assert message_ids(own_server.url, "instrument") == ["message-1"]


def test_a_stream_that_was_deleted_is_made_again(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    destination = opened()
    destination.send([envelope(1)])
    ask(server.url, lambda jetstream: jetstream.delete_stream(stream))
    with pytest.raises(Unavailable, match="1 of 1 messages were not acknowledged"):
        destination.send([envelope(2)])
    destination.send([envelope(2)])
    assert message_ids(server.url, stream) == ["message-2"]


def test_parent_and_child_go_on_with_connections_of_their_own(server: NatsServer, stream: str) -> None:
    """In a process of its own: Python warns of a fork where there are threads."""
    code = f"""if True:
        import os
        from instrument.delivery.destinations.nats import NatsDestination
        from tests.delivery.envelopes import envelope
        destination = NatsDestination({server.url!r}, {stream!r}, {stream.lower()!r})
        destination.send([envelope(1)])
        pid = os.fork()
        if pid == 0:
            destination.forget_connections()
            destination.send([envelope(2)])
            destination.close()
            raise SystemExit
        assert os.waitpid(pid, 0)[1] == 0
        destination.send([envelope(3)])
        destination.close()
    """
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=False, stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(message_ids(server.url, stream)) == ["message-1", "message-2", "message-3"]


@NEEDS_THREADS_AT_EXIT
def test_the_last_message_of_a_process_is_published_while_it_exits(server: NatsServer, stream: str) -> None:
    """Python has no pool of threads then, by which asyncio looks up the name of a server."""
    code = f"""if True:
        from instrument import Client, Scope, Track
        from instrument.delivery.destinations.nats import NatsDestination
        class NatsParcelScope(Scope):
            user_id: int
        class NatsParcelSent(Track, NatsParcelScope): ...
        destination = NatsDestination("nats://localhost:{server.port}", {stream!r}, {stream.lower()!r})
        client = Client(destinations=[destination], durability="memory")
        print(client.track(NatsParcelSent(user_id=7)).message_id)
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stderr, [ran.stdout.strip()]) == ("", message_ids(server.url, stream))


def test_a_closed_destination_leaves_no_thread_and_can_be_used_again(
    server: NatsServer, stream: str, opened: Callable[..., NatsDestination]
) -> None:
    destination = opened()
    before = set(threading.enumerate())
    for number in (1, 2):
        destination.send([envelope(number)])
        destination.close()
        assert set(threading.enumerate()) <= before
    assert message_ids(server.url, stream) == ["message-1", "message-2"]


def test_nothing_is_connected_before_the_first_message(server: NatsServer, stream: str) -> None:
    before = set(threading.enumerate())
    destination = NatsDestination(server.url, stream)
    assert set(threading.enumerate()) <= before
    destination.close()


def test_a_stream_name_that_no_server_takes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stream 'a\.b': a name has at least one character, no space, and none of"):
        NatsDestination(stream="a.b")


def test_nothing_is_sent_while_a_test_run_forbids_it(
    opened: Callable[..., NatsDestination], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUMENT_NO_NETWORK", "pytest")
    with pytest.raises(Held, match="sending is switched off, since tests are running"):
        opened().send([envelope(1)])


def test_without_nats_py_it_is_said_what_to_install() -> None:
    code = """if True:
        import sys
        sys.modules["nats"] = None
        from instrument.delivery.destinations.nats import NatsDestination
        try:
            NatsDestination()
        except ImportError as error:
            print(error)
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "NATS needs nats-py: pip install 'instrument-analytics[nats]'\n"


@pytest.mark.waits
def test_a_cluster_that_loses_a_server_while_messages_come_loses_none(tmp_path: Path) -> None:
    with cluster(tmp_path) as servers:
        destination = NatsDestination([each.url for each in servers], replicas=3, timeout=2.0)
        client = Client(destinations=[destination], spool_dir=tmp_path / "spool")
        ids = [_track(client, each) for each in range(200)]
        assert client.flush(timeout=30)
        leader = _leader(servers[0].url)
        ids += [_track(client, each) for each in range(200, 400)]
        wait_until(lambda: client.stats().delivered.get("nats", 0) < len(ids))
        servers[leader].stop(signal.SIGKILL)
        ids += [_track(client, each) for each in range(400, 600)]
        assert client.close(timeout=60)
        alive = servers[(leader + 1) % 3]
        assert sorted(message_ids(alive.url, "instrument")) == sorted(ids)


def _track(client: Client, number: int, pad: str = "") -> str:
    receipt = client.track(NatsParcelSent(user_id=7, number=number, pad=pad))
    assert receipt.message_id is not None
    return receipt.message_id


def _leader(url: str) -> int:
    about = stream_info(url, "instrument").cluster
    assert about is not None
    return int(str(about.leader).rpartition("-")[2])


def _sent(destination: NatsDestination, number: int) -> bool:
    try:
        destination.send([envelope(number)])
    except Unavailable:
        return False
    return True
