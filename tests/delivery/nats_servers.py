"""Real NATS servers on this machine, and a look into their streams."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sysconfig
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import nats
from nats.js.errors import NotFoundError

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo, RawStreamMsg, StreamInfo
    from typing_extensions import Self

T = TypeVar("T")

_DEADLINE = 20.0
_BINARY = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or "nats-server"


@dataclass
class NatsServer:
    """One server with JetStream; it keeps its port and its data when it is started again.

    Attributes:
        directory: for its data, its settings and its log.
        settings: more of its configuration.
    """

    directory: Path
    settings: str = ""
    port: int = -1
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        ports = self.directory / "ports"
        shutil.rmtree(ports, ignore_errors=True)
        ports.mkdir()
        config = self.directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.directory}" }}\n{self.settings}\n'
        )
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_BINARY, "-c", str(config), "--ports_file_dir", str(ports)], stdout=log, stderr=log
            )
        try:
            wait_until(lambda: self._listens(ports))
        except BaseException:
            self.kill()
            raise
        return self

    def _listens(self, ports: Path) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        for file in ports.glob("*.ports"):
            with suppress(ValueError):  # it is being written
                self.port = int(json.loads(file.read_text())["nats"][0].rpartition(":")[2])
                return True
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_DEADLINE)
            self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@contextmanager
def cluster(directory: Path) -> Iterator[list[NatsServer]]:
    """Run three servers that keep streams together."""
    with ExitStack() as sockets:
        reserved = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        routes = [each.getsockname()[1] for each in reserved]
    urls = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    servers = [
        NatsServer(
            directory / f"server-{number}",
            f'server_name: "server-{number}"\ncluster {{ name: "test", listen: "127.0.0.1:{port}", routes: [{urls}] }}',
        )
        for number, port in enumerate(routes)
    ]
    with ExitStack() as running:
        for each in servers:
            running.enter_context(each)
        yield servers


def ask(url: str, question: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """Ask a server, or make it do something."""

    async def connected() -> T:
        client: Client = await nats.connect(url, error_cb=_ignore, connect_timeout=2, max_reconnect_attempts=2)
        try:
            return await question(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(connected())


def stream_info(url: str, stream: str) -> StreamInfo:
    return ask(url, lambda jetstream: jetstream.stream_info(stream))


def consumer_info(url: str, stream: str, consumer: str = "instrument-forward") -> ConsumerInfo | None:
    async def info(jetstream: JetStreamContext) -> ConsumerInfo | None:
        with suppress(NotFoundError):
            found: ConsumerInfo = await jetstream.consumer_info(stream, consumer)
            return found
        return None

    return ask(url, info)


def add_stream(url: str, name: str, **settings: Any) -> None:
    ask(url, lambda jetstream: jetstream.add_stream(name=name, **settings))


def publish(url: str, subject: str, bodies: Sequence[bytes]) -> None:
    async def publish_each(jetstream: JetStreamContext) -> None:
        for body in bodies:
            await jetstream.publish(subject, body)

    ask(url, publish_each)


def messages(url: str, stream: str) -> list[RawStreamMsg]:
    """Return what a stream holds."""

    async def read(jetstream: JetStreamContext) -> list[RawStreamMsg]:
        state = (await jetstream.stream_info(stream)).state
        found = []
        for seq in range(state.first_seq, state.last_seq + 1):
            with suppress(NotFoundError):
                found.append(await jetstream.get_msg(stream, seq))
        return found

    return ask(url, read)


def message_ids(url: str, stream: str) -> list[str]:
    return [(each.headers or {})["Nats-Msg-Id"] for each in messages(url, stream)]


async def _ignore(_: Exception) -> None: ...
