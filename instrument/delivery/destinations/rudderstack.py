"""RudderStack's HTTP API, which takes the messages of the Segment spec as they are.

https://www.rudderstack.com/docs/api/http-api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.delivery.destination import Limits
from instrument.delivery.destinations.http import HttpApi, HttpDestination, basic
from instrument.delivery.destinations.segment import segment_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from instrument.delivery.destinations.http import HttpOptions
    from instrument.delivery.envelope import Envelope

# RudderStack takes 4 MB a batch; what is around the messages takes its share.
_LIMITS = Limits(count=2_500, size=3_900_000)


class RudderStackDestination(HttpDestination):
    """Send batches to a data plane of RudderStack.

    Args:
        write_key: the source's write key.
        data_plane: the base address of the data plane.
        name: the name in counts and logs.
        options: see `HttpOptions`.

    >>> RudderStackDestination("key", "https://hosted.rudderlabs.com").name
    'rudderstack'
    """

    def __init__(
        self, write_key: str, data_plane: str, *, name: str = "rudderstack", **options: Unpack[HttpOptions]
    ) -> None:
        super().__init__(name, _LIMITS, HttpApi(key="the source's write key", address="the data plane", **options))
        self._write_key = write_key
        self._url = data_plane.rstrip("/") + "/v1/batch"

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: RudderStack answered that it will never take the batch.
            Held: the write key or the address of the data plane is wrong.
            Unavailable: RudderStack could not be reached, is overloaded or out of order.
        """
        self._api.check(self._api.post(self._url, segment_body(batch, self._write_key), basic(self._write_key)))
