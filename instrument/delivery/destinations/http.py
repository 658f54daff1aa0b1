"""What destinations over HTTP share: one session, and what each answer means for a batch."""

from __future__ import annotations

import base64
import gzip as gzip_format
from http import HTTPStatus
from typing import TYPE_CHECKING, TypedDict

import requests
from segment.analytics.request import parse_retry_after

from instrument.delivery.destination import Held, Rejected, Unavailable, network_blocked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from instrument.delivery.destination import Limits

_SUCCESS = 2
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
        self._proxies = dict(options.get("proxies") or {}) or None
        self.forget_connections()

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> requests.Response:
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
            return self._session.post(
                url,
                data=gzip_format.compress(body, compresslevel=6) if self._gzip else body,
                headers={"Content-Type": "application/json", **(headers or {}), **encoding},
                timeout=self._timeout,
                proxies=self._proxies,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{url} cannot be reached ({type(error).__name__})") from None

    def check(self, response: requests.Response) -> None:
        """Return if an answer means that the batch is safe.

        Raises:
            Rejected: the batch will never be taken.
            Held: the key or the address is wrong.
            Unavailable: whoever answered is overloaded, or out of order.
        """
        status = response.status_code
        if status // 100 == _SUCCESS:
            return
        said = f"{response.url.partition('?')[0]} answered {status} {response.reason}"
        if status in _UNAUTHORIZED:
            raise self.wrong_key(said)
        if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND:
            raise Held(f"{said}: check {self._address}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
            raise Unavailable(said, parse_retry_after(response))
        raise Rejected(said)

    def wrong_key(self, said: str) -> Held:
        """Return what to raise where an answer means that the key is wrong."""
        return Held(f"{said}: check {self._key}")

    def forget_connections(self) -> None:
        """Begin with new connections."""
        self._session = requests.Session()
        # Requests would take the user and password of a .netrc instead of our own header.
        self._session.auth = _as_it_is

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


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
