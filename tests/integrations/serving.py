"""Real servers on the loopback interface, in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from werkzeug.serving import make_server

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 20.0


@contextmanager
def uvicorn_thread(app: Any) -> Iterator[str]:
    """Serve an ASGI application by uvicorn; give its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive()


@contextmanager
def werkzeug_thread(app: Any) -> Iterator[str]:
    """Serve a WSGI application by werkzeug, a thread for each connection; give its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.socket.listen(256)
    server.log = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
    assert not thread.is_alive()


async def answers(address: str, requests: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    """Send GET requests all at once, each over a connection of its own; return the lines of their statuses."""
    host, port = address.removeprefix("http://").split(":")

    async def answer(path: str, headers: dict[str, str]) -> str:
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status = await reader.readline()
        await reader.read()
        writer.close()
        return status.decode().strip()

    return await asyncio.gather(*(answer(*each) for each in requests))
