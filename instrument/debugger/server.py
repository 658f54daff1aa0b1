"""The debugger as a server on the loopback interface."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from instrument.debugger import page
from instrument.debugger.api import Api
from instrument.debugger.catalog import Catalog
from instrument.debugger.guard import Guard
from instrument.debugger.history import History
from instrument.debugger.intake import Intake
from instrument.debugger.segment_api import SegmentApi
from instrument.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Self

DEFAULT_PORT = 8765
_PATIENCE = 2
"""Seconds that ending waits for what is being answered."""


class NotHere(ValueError):
    """The debugger cannot listen where it was told to."""


def application(history: History, catalog: Catalog, allowed: Collection[str] = ()) -> Starlette:
    """Make the application.

    Args:
        history: where the records are kept.
        catalog: what is declared.
        allowed: the origins of pages of other sites that may send messages.
    """
    intake = Intake(history, catalog)
    routes = [*page.ROUTES, *Api(history, intake, catalog).routes, *SegmentApi(intake).routes]
    return Starlette(routes=routes, middleware=[Middleware(Guard, allowed=allowed)])


def listening(host: str, port: int) -> socket.socket:
    """Listen on the loopback interface.

    Args:
        host: one of its addresses, or `localhost`.
        port: 0 for any that is free.

    Raises:
        NotHere: the address is another's, or the port is taken.
    """
    if not is_loopback(host):
        raise NotHere(f"{host} is no address of the loopback interface: the debugger is for this machine alone")
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named, since asyncio switches Nagle's algorithm off only then: each answer would wait for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise NotHere(f"{address}, port {port}: {error.strerror}; choose another with --port") from None
    return listener


class Debugger:
    """The debugger, listening.

    Args:
        catalog: what is declared.
        host: an address of the loopback interface.
        port: 0 for any that is free.
        allowed: the origins of pages of other sites that may send messages.
        history: where the records are kept.

    Raises:
        NotHere: it cannot listen there.

    >>> import urllib.request
    >>> with Debugger(port=0) as debugger:
    ...     urllib.request.urlopen(debugger.url + "/api/plan").read()
    b'{"messages":[]}'
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        allowed: Collection[str] = (),
        history: History | None = None,
    ) -> None:
        self.history: History = history or History()
        self._listener = listening(host, port)
        app = application(self.history, catalog or Catalog(), allowed)
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=_PATIENCE,
            ),
            self.history,
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port, *_ = self._listener.getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Answer until SIGINT or SIGTERM."""
        with suppress(KeyboardInterrupt):  # which the server raises again when it has ended
            self._server.run(sockets=[self._listener])

    def __enter__(self) -> Self:
        """Answer on a thread."""
        self._thread = threading.Thread(target=self.run, name="instrument-debugger", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, history: History) -> None:
        super().__init__(config)
        self._history = history

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those who follow go first: they would never end by themselves."""
        self._history.close()
        await super().shutdown(sockets)
