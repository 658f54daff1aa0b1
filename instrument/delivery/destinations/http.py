"""What destinations over HTTP share: one session, and what each answer means for a batch."""

from __future__ import annotations

import base64
import gzip as gzip_format
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, TypedDict, cast

import requests
from pydantic_core import from_json
from requests.adapters import HTTPAdapter
from segment.analytics.request import parse_retry_after
from urllib3.exceptions import HTTPError

from instrument.delivery.destination import Held, Rejected, Unavailable, network_blocked
from instrument.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from instrument.delivery.destination import Limits

_SUCCESS = 2
_MOST_READ = 64 << 10
"""Bytes of a body that are read: those that mean something are a few hundred."""
_MOST_SAID = 100
"""Characters of a status line that are repeated in the log."""
_UNAUTHORIZED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, 460)


class HttpOptions(TypedDict, total=False):
    """What every destination over HTTP can be told.

    Attributes:
        gzip: whether bodies are compressed.
        timeout: seconds to wait for a connection, and between two pieces of an answer; by default 15.
        proxies: by protocol, as for requests.
    """

    gzip: bool
    timeout: float
    proxies: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    Attributes:
        url: who answered.
        status: the status.
        reason: what the status line says besides.
        retry_after: the seconds that it asks to wait before the next attempt, a few minutes at most.
        body: as much of it as came in time.
        whole: whether that is all of it.
    """

    url: str
    status: int
    reason: str
    retry_after: float | None
    body: bytes
    whole: bool

    def document(self) -> Any:
        """Return what the body says, which is to be JSON.

        Raises:
            ValueError: it is none.
            Unavailable: it broke off.
        """
        if not self.whole:
            raise Unavailable(f"{self.url} answered {self.status}, and broke off")
        return from_json(self.body)


class HttpApi:
    """An HTTP API that takes batches as JSON.

    Args:
        key: what to check when it does not know who sends, as a person would look for it.
        address: what to check when there is nothing at the address.
        options: see `HttpOptions`.
    """

    def __init__(self, *, key: str, address: str, **options: Unpack[HttpOptions]) -> None:
        self._key = key
        self._address = address
        self._gzip = options.get("gzip", False)
        self._timeout = options.get("timeout", 15.0)
        self._proxies = dict(options.get("proxies") or {})
        self.forget_connections()

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Post a body, and return whatever is answered.

        Args:
            url: where to; a redirect is not followed.
            body: JSON in UTF-8, not compressed yet.
            headers: besides those of every request.

        Raises:
            Held: a test run forbids sending.
            Unavailable: nobody could be reached.
        """
        check_allowed()
        encoding = {"Content-Encoding": "gzip"} if self._gzip else {}
        try:
            way = self._ways.to(url)
            response = way.pool.urlopen(
                "POST",
                way.target,
                gzip_format.compress(body, compresslevel=6) if self._gzip else body,
                {**way.headers, "Content-Type": "application/json", **(headers or {}), **encoding},
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._timeout,
                preload_content=False,
            )
            said = printable(response.reason or "")[:_MOST_SAID]
            return Answer(url, response.status, said, _asked_to_wait(response), *self._body(response))
        except (HTTPError, OSError, ValueError) as error:  # what both packages raise, and what they let through
            raise Unavailable(f"{url} cannot be reached ({type(error).__name__})") from None

    def _body(self, response: BaseHTTPResponse) -> tuple[bytes, bool]:
        """Read a body, but no endless one, nor for ever; and tell whether it came to its end.

        What stands between the pieces of a body the interpreter reads by itself, and waits for each line of it.
        What matters was said in the status line: a batch that was taken is not sent again because of its body.
        """
        body = bytearray()
        deadline = monotonic() + self._timeout
        try:
            while len(body) < _MOST_READ and monotonic() < deadline:
                # What there is: more would be waited for, however slowly it comes.
                piece = response.read1(_MOST_READ, decode_content=False)
                if not piece:
                    response.release_conn()
                    return bytes(body), True
                body += piece
        except (HTTPError, OSError, ValueError):  # broken off, of another length or encoding than was said
            pass
        response.close()
        return bytes(body), False

    def check(self, answer: Answer) -> None:
        """Return if an answer means that the batch is safe.

        Raises:
            Rejected: the batch will never be taken.
            Held: the key or the address is wrong.
            Unavailable: whoever answered is overloaded, or out of order.
        """
        status = answer.status
        if status // 100 == _SUCCESS:
            return
        said = f"{answer.url.partition('?')[0]} answered {status} {answer.reason}"
        if status in _UNAUTHORIZED:
            raise self.wrong_key(said)
        if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND:
            raise Held(f"{said}: check {self._address}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
            raise Unavailable(said, answer.retry_after)
        raise Rejected(said)

    def wrong_key(self, said: str) -> Held:
        """Return what to raise where an answer means that the key is wrong."""
        return Held(f"{said}: check {self._key}")

    def forget_connections(self) -> None:
        """Begin with new connections."""
        self._ways = _Ways(self._proxies)

    def close(self) -> None:
        """Close the connections."""
        self._ways.close()


@dataclass(frozen=True, slots=True)
class _Way:
    """How an address is reached.

    Attributes:
        pool: the connections: to the host, or to a proxy.
        target: what stands in the request line.
        headers: those of every request.
    """

    pool: HTTPConnectionPool
    target: str
    headers: Mapping[str, str]


class _Ways(HTTPAdapter):
    """How requests reaches an address: by which proxy, with which certificates.

    It finds that out at each request, and looks for cookies, redirects and hooks besides, of which nothing here has
    any: two fifths of the processor time of a batch. Here it is asked once, and its connections are used directly.

    Args:
        proxies: by protocol; those of the environment are used besides.
    """

    def __init__(self, proxies: Mapping[str, str]) -> None:
        super().__init__()
        self._proxies = proxies
        self._session = requests.Session()
        # Requests would take the user and password of a .netrc instead of our own header.
        self._session.auth = _as_it_is
        # An answer is short, and one that was compressed could be without an end for who unpacks it.
        self._session.headers["Accept-Encoding"] = "identity"
        self._found: dict[str, _Way] = {}

    def to(self, url: str) -> _Way:
        """Return the way to an address.

        Raises:
            requests.RequestException: it is no address.
            OSError: the certificates cannot be read.
        """
        way = self._found.get(url)
        if way is None:
            way = self._found[url] = self._find(url)
        return way

    def close(self) -> None:
        """Close the connections; whoever asks for a way after that is given new ones."""
        self._found.clear()
        super().close()

    def _find(self, url: str) -> _Way:
        request = self._session.prepare_request(requests.Request("POST", url))
        # A copy, to which those of the environment are added.
        settings = self._session.merge_environment_settings(url, dict(self._proxies), None, None, None)
        proxies, verify, cert = settings["proxies"], settings["verify"], settings["cert"]
        pool = cast("HTTPConnectionPool", self.get_connection_with_tls_context(request, verify, proxies, cert))
        self.cert_verify(pool, url, verify, cert)  # type: ignore[no-untyped-call]
        return _Way(pool, self.request_url(request, proxies), cast("Mapping[str, str]", self._session.headers))


class HttpDestination:
    """What the destinations over HTTP are beside what they send.

    Args:
        name: the name in counts and logs.
        limits: what one batch may hold.
        api: where batches are posted to.
    """

    remote = True

    def __init__(self, name: str, limits: Limits, api: HttpApi) -> None:
        self.name = name
        self.limits = limits
        self._api = api

    def forget_connections(self) -> None:
        """Begin with new connections."""
        self._api.forget_connections()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()


def _asked_to_wait(response: BaseHTTPResponse) -> float | None:
    try:
        return parse_retry_after(response)
    except Exception:  # noqa: BLE001 - whatever the parsing of dates makes of the header
        return None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def check_allowed() -> None:
    """Return if sending is allowed at all.

    Raises:
        Held: a test run forbids it.
    """
    if network_blocked():
        raise Held("sending is switched off, since tests are running")


def basic(user: str, password: str = "") -> dict[str, str]:
    """Return the header of a basic authentication (RFC 7617), in UTF-8.

    >>> basic("Aladdin", "open sesame")
    {'Authorization': 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='}
    """
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
