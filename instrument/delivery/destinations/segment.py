"""Segment's HTTP API, over the pieces of segment-analytics-python.

The package gives OAuth, the parsing of `Retry-After`, the default host and the headers. Its `post` is not used,
since it serialises the batch again and writes it to the log: the envelopes are spliced into the body as they are.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from segment.analytics.oauth_manager import OauthManager
from segment.analytics.utils import remove_trailing_slash
from segment.analytics.version import VERSION

from instrument.delivery.destination import Limits, Unavailable
from instrument.delivery.destinations.http import HttpApi, HttpDestination, basic, check_allowed
from instrument.delivery.stretch import bodies_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from instrument.delivery.envelope import Envelope

DEFAULT_HOST = "https://api.segment.io"
# Segment takes 500 KB and 2,500 messages a batch; what is around the messages takes its share of the size.
_LIMITS = Limits(count=2_500, size=490_000)
_TOKEN_REFUSED = (400, 401, 403, 511)


class SegmentDestination(HttpDestination):
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
        api = HttpApi(
            key="the write key (SEGMENT_CLIENT_KEY)",
            address="the host (INSTRUMENT_HOST)",
            gzip=gzip,
            timeout=timeout,
            proxies=proxies,
        )
        super().__init__(name, _LIMITS, api)
        self._write_key = write_key
        self._url = remove_trailing_slash(host or DEFAULT_HOST) + "/v1/batch"
        self._timeout = timeout
        self._oauth_arguments = oauth
        self._oauth = self._new_oauth()

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: Segment answered that it will never take the batch.
            Held: the write key or the host is wrong.
            Unavailable: Segment could not be reached, is overloaded or out of order.
        """
        check_allowed()  # before a token is asked for, too
        response = self._api.post(self._url, segment_body(batch, self._write_key), self._headers())
        if self._oauth is not None and response.status in _TOKEN_REFUSED:
            self._oauth.clear_token()
        self._api.check(response)

    def forget_connections(self) -> None:
        """Begin with new connections, and with a new token."""
        super().forget_connections()
        self._oauth = self._new_oauth()

    def _new_oauth(self) -> OauthManager | None:
        arguments = self._oauth_arguments
        return OauthManager(**arguments, timeout=self._timeout) if arguments else None

    def _headers(self) -> dict[str, str]:
        agent = {"User-Agent": f"analytics-python/{VERSION}"}
        if self._oauth is not None:
            return {**agent, "Authorization": f"Bearer {self._token(self._oauth)}"}
        return {**agent, **basic(self._write_key)}

    def _token(self, oauth: Any) -> str:
        try:
            return str(oauth.get_token())
        except Exception as error:  # noqa: BLE001 - whatever the manager raises, the batch is tried again
            raise Unavailable(f"no OAuth token could be had ({type(error).__name__})") from None


def segment_body(batch: Sequence[Envelope], write_key: str) -> bytes:
    """Return the body of a request to Segment's API, with the envelopes as they are."""
    sent_at = to_json(datetime.now(timezone.utc).isoformat())
    end = b'],"sentAt":%b,"writeKey":%b}' % (sent_at, to_json(write_key))
    # Half a megabyte is put together once, not twice.
    parts = bodies_of(batch).copy()
    parts[0] = b'{"batch":[' + parts[0]
    parts[-1] += end
    return b",".join(parts)
