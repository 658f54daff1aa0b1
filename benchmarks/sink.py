"""A server that takes whatever any client sends, and counts the messages: `python -m benchmarks.sink`.

The collector of `instrument.testing` speaks Segment's protocol only; other clients are compared over this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from benchmarks.collecting import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTS = ("batch", "data")
_counted = 0
_counting = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        global _counted  # noqa: PLW0603 - the one number of this program
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with _counting:
            _counted += sum(len(body.get(name, ())) for name in _LISTS)
        self._answer(b'{"success":true}')

    def do_GET(self) -> None:
        self._answer(str(_counted).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def sink() -> Iterator[str]:
    """Run one in a process of its own, and give its address."""
    command = [sys.executable, "-m", "benchmarks.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def counted(url: str) -> int:
    """Ask a sink how many messages it has taken."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.read())


def main() -> None:
    """Serve until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
