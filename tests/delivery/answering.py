"""A server that answers with whatever bytes it is told to, at whatever pace, whether they are HTTP or not."""

from __future__ import annotations

import re
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Self

TAKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"success": true}'
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out on one connection, before it is closed.

    Attributes:
        pieces: sent one after the other.
        pause: seconds before each piece but the first.
        endless: whether the last piece is sent again and again.
        reads: whether the request is read before.
    """

    pieces: Sequence[bytes] = (TAKEN,)
    pause: float = 0.0
    endless: bool = False
    reads: bool = True


class Answering:
    """Gives each connection the next of the answers that it was told, and then says that the batch was taken."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answers: deque[Answer] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._open: list[threading.Thread] = []
        self.answered = 0
        """How many connections have come to their end."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in (self._thread, *self._open):
            each.join(_PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def answer(self, answers: Iterable[Answer]) -> None:
        """Give these answers from now on, and no others that are left."""
        self._answers = deque(answers)

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            thread.start()
            self._open = [each for each in self._open if each.is_alive()] + [thread]

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        with connection, suppress(OSError):
            answer = self._answers.popleft() if self._answers else Answer()
            if answer.reads:
                _read(connection)
            self._send(connection, answer)
        self.answered += 1

    def _send(self, connection: socket.socket, answer: Answer) -> None:
        for number, piece in enumerate(answer.pieces):
            if number and self._ending.wait(answer.pause):
                return
            connection.sendall(piece)
        while answer.endless and not self._ending.wait(answer.pause):
            connection.sendall(answer.pieces[-1])


def _read(connection: socket.socket) -> None:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        piece = connection.recv(1 << 16)
        if not piece:
            return
        received += piece
    length = _LENGTH.search(received)
    rest = (int(length[1]) if length else 0) - (len(received) - end - 4)
    while rest > 0 and (piece := connection.recv(1 << 16)):
        rest -= len(piece)
