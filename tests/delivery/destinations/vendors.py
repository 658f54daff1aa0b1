"""A server that answers as a vendor's API does, and what every vendor is sent."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from instrument import Alias, Envelope, Group, Identify, Page, Scope, Screen, Track
from instrument.testing import FixedStamps, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self


class Strict(BaseModel):
    """A format in which nothing else may stand, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Vendor:
    """Answers each request by a function that knows the vendor's format; keeps what was answered with success.

    Args:
        answer: from a request to the reply; a `ValidationError` that it raises is answered as 400.
    """

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.complaints: list[str] = []
        self.instead: Reply | None = None
        """What is answered whatever comes."""

    def __enter__(self) -> Self:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = vendor._reply(Request(path, query, headers, body))
                document = json.dumps(reply.document).encode()
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(document))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.instead is not None:
            return self.instead
        try:
            assert request.headers["content-type"].partition(";")[0] == "application/json"
            reply = self._answer(request)
        except (ValidationError, AssertionError) as error:
            self.complaints.append(str(error))
            return Reply(400, {"error": "malformed"})
        if reply.status == 200:
            self.taken.append(request)
        return reply


class VendorUser(Scope):
    user_id: int


class ParcelSent(Track, VendorUser, name="Vendor Parcel Sent"):
    weight: float
    to: str | None = None


class ParcelSeen(Track, name="Vendor Parcel Seen"):
    anonymous_id: str
    weight: float


class UserKnown(Identify, VendorUser):
    anonymous_id: str | None = None
    plan: str


class FirmJoined(Group, VendorUser):
    group_id: int
    seats: int


class DocsRead(Page, VendorUser, name="Docs", category="Help"):
    url: str


class StartShown(Screen, VendorUser, name="Start"):
    width: int


class UsersMerged(Alias, VendorUser):
    previous_id: str


CONTEXT = {
    "ip": "192.0.2.1",
    "userAgent": "tests",
    "locale": "de-CH",
    "page": {"url": "https://example.com/a", "path": "/a", "referrer": "https://example.com/"},
}


def one_of_each() -> list[Envelope]:
    """Return one envelope of each call; their ids and times are those of `FixedStamps`."""
    recorder = Recorder(stamps=FixedStamps())
    client = recorder.client
    client.track(ParcelSent(user_id=7, weight=2.5), context=CONTEXT)
    client.track(ParcelSeen(anonymous_id="a-1", weight=2.5), message_id="no uuid")
    client.identify(UserKnown(user_id=7, plan="free"))
    client.identify(UserKnown(user_id=7, anonymous_id="a-1", plan="paid"))
    client.group(FirmJoined(user_id=7, group_id=3, seats=5))
    client.page(DocsRead(user_id=7, url="https://example.com/docs"))
    client.screen(StartShown(user_id=7, width=320))
    client.alias(UsersMerged(user_id=7, previous_id="a-1"))
    return list(recorder.envelopes)
