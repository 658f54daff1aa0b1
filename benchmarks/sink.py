"""A server that takes what any client sends, and counts the messages: `python -m benchmarks.sink`.

The collector of `instrument.testing` speaks Segment's protocol only; clients of others are compared over this one. It
reads every body, and answers what the client of that protocol takes for success. What comes twice counts once.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from benchmarks.collecting import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class _Protocol:
    """What bodies of one protocol look like.

    Attributes:
        messages: where the messages are.
        id: where each has its id.
        answer: what is answered for so many.
    """

    messages: str
    id: str
    answer: Callable[[int], object]


def _amplitude_answer(messages: int) -> object:
    return {"code": 200, "events_ingested": messages, "server_upload_time": int(time.time() * 1_000)}


_SEGMENT = _Protocol("batch", "messageId", lambda _: {"success": True})
_PROTOCOLS = {
    "/v1/batch": _SEGMENT,  # RudderStack's too
    "/v1/import": _SEGMENT,
    "/batch/": _Protocol("batch", "uuid", lambda _: {"status": 1}),
    "/2/httpapi": _Protocol("events", "insert_id", _amplitude_answer),
    "/com.snowplowanalytics.snowplow/tp2": _Protocol("data", "eid", lambda _: {}),
}
_ids: set[str] = set()
_counting = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        protocol = _PROTOCOLS.get(self.path)
        if protocol is None:
            self._answer({"error": "unknown path"}, 404)
            return
        body: dict[str, Any] = json.loads(gzip.decompress(raw) if self.headers["Content-Encoding"] == "gzip" else raw)
        messages = body[protocol.messages]
        with _counting:
            _ids.update(each[protocol.id] for each in messages)
        self._answer(protocol.answer(len(messages)))

    def do_GET(self) -> None:
        self._answer(len(_ids))

    def do_DELETE(self) -> None:
        with _counting:
            _ids.clear()
        self._answer(0)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def _answer(self, document: object, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
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
    return _asked(url, "GET")


def forget(url: str) -> None:
    """Let a sink count from zero."""
    _asked(url, "DELETE")


def _asked(url: str, method: str) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
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
