"""Segment's HTTP API, over the pieces of segment-analytics-python.

The package gives OAuth, the parsing of `Retry-After`, the default host and the headers. Its `post` is not used,
since it serialises the batch again and writes it to the log: the envelopes are spliced into the body as they are.
"""

from __future__ import annotations

import base64
import gzip as gzip_format
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from pydantic_core import to_json
from segment.analytics.oauth_manager import OauthManager
from segment.analytics.request import parse_retry_after
from segment.analytics.utils import remove_trailing_slash
from segment.analytics.version import VERSION

from instrument.delivery.destination import Held, Limits, Rejected, Unavailable, network_blocked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument.delivery.envelope import Envelope

DEFAULT_HOST = "https://api.segment.io"
# Segment takes 500 KB and 2,500 messages a batch; what is around the messages takes its share of the size.
_LIMITS = Limits(count=2_500, size=490_000)
_SUCCESS = 2
_UNAUTHORIZED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, 460)
_TOKEN_REFUSED = (400, 401, 403, 511)


class SegmentDestination:
    """Send batches to Segment, or to whatever speaks its HTTP API.

    Args:
        write_key: the source's write key.
        host: the base address of the API, for instance of another region.
        gzip: whether bodies are compressed.
        timeout: seconds to wait for a connection, and between two pieces of an answer.
        proxies: by protocol, as for requests.
        oauth: the arguments of Segment's OAuth: client_id, client_key, key_id, auth_server, scope.
        name: the name in counts and logs.
    """

    remote = True

    def __init__(
        self,
        write_key: str,
        *,
        host: str | None = None,
        gzip: bool = False,
        timeout: float = 15.0,
        proxies: Mapping[str, str] | None = None,
        oauth: Mapping[str, str] | None = None,
        name: str = "segment",
    ) -> None:
        self.name = name
        self.limits = _LIMITS
        self._write_key = write_key
        self._url = remove_trailing_slash(host or DEFAULT_HOST) + "/v1/batch"
        self._gzip = gzip
        self._timeout = timeout
        self._proxies = dict(proxies) if proxies else None
        self._oauth_arguments = oauth
        self.forget_connections()

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: Segment answered that it will never take the batch.
            Held: the write key or the host is wrong.
            Unavailable: Segment could not be reached, is overloaded or out of order.
        """
        if network_blocked():
            raise Held("sending is switched off, since tests are running")
        try:
            response = self._session.post(
                self._url,
                data=self._body(batch),
                headers=self._headers(),
                timeout=self._timeout,
                proxies=self._proxies,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{self._url} cannot be reached ({type(error).__name__})") from None
        if response.status_code // 100 != _SUCCESS:
            raise self._failure(response)

    def forget_connections(self) -> None:
        """Begin with new connections, and with a new token."""
        self._session = requests.Session()
        arguments = self._oauth_arguments
        self._oauth = OauthManager(**arguments, timeout=self._timeout) if arguments else None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _body(self, batch: Sequence[Envelope]) -> bytes:
        messages = b",".join([envelope.body for envelope in batch])
        sent_at = to_json(datetime.now(timezone.utc).isoformat())
        body = b'{"batch":[%b],"sentAt":%b,"writeKey":%b}' % (messages, sent_at, to_json(self._write_key))
        return gzip_format.compress(body, compresslevel=6) if self._gzip else body

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": f"analytics-python/{VERSION}"}
        if self._oauth is not None:
            headers["Authorization"] = f"Bearer {self._token(self._oauth)}"
        else:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self._write_key}:".encode()).decode()
        if self._gzip:
            headers["Content-Encoding"] = "gzip"
        return headers

    def _token(self, oauth: Any) -> str:
        try:
            return str(oauth.get_token())
        except Exception as error:  # noqa: BLE001 - whatever the manager raises, the batch is tried again
            raise Unavailable(f"no OAuth token could be had ({type(error).__name__})") from None

    def _failure(self, response: requests.Response) -> Unavailable | Rejected:
        status = response.status_code
        said = f"{self._url} answered {status} {response.reason}"
        if self._oauth is not None and status in _TOKEN_REFUSED:
            self._oauth.clear_token()
        if status in _UNAUTHORIZED:
            return Held(f"{said}: check the write key (SEGMENT_CLIENT_KEY)")
        if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND:
            return Held(f"{said}: check the host (INSTRUMENT_HOST)")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
            return Unavailable(said, parse_retry_after(response))
        return Rejected(said)
