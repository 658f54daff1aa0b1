"""Amplitude's API for batches of events.

An event, page or screen becomes an event; an `identify` or a `group` becomes one of the events that set properties.
Amplitude drops a repeated event by its `insert_id`, which is the message's id, for seven days. It has no call like
`alias` here: such a message is rejected.

https://amplitude.com/docs/apis/analytics/batch-event-upload
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from instrument.delivery.destination import Limits
from instrument.delivery.destinations.http import Answer, HttpApi, HttpDestination
from instrument.delivery.destinations.spec import present, translated, unsupported
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from instrument.delivery.destinations.http import HttpOptions
    from instrument.delivery.destinations.spec import Call
    from instrument.delivery.envelope import Envelope

    Event = dict[str, Any]

DEFAULT_HOST = "https://api2.amplitude.com"
EU_HOST = "https://api.eu.amplitude.com"
# Amplitude takes 2,000 events and 20 MB a batch; a group is two events.
_LIMITS = Limits(count=1_000, size=4 << 20)
# By default Amplitude leaves ids out that are shorter than five characters.
_OPTIONS = {"min_id_length": 1}


class AmplitudeDestination(HttpDestination):
    """Send batches to Amplitude.

    Args:
        api_key: the project's API key.
        host: the base address: `DEFAULT_HOST`, or `EU_HOST` for projects whose data stays in the EU.
        group_type: the type of every group, which a `Group` of the Segment spec does not have.
        name: the name in counts and logs.
        options: see `HttpOptions`.

    >>> AmplitudeDestination("key", host=EU_HOST).name
    'amplitude'
    """

    def __init__(
        self,
        api_key: str,
        *,
        host: str = DEFAULT_HOST,
        group_type: str = "company",
        name: str = "amplitude",
        **options: Unpack[HttpOptions],
    ) -> None:
        super().__init__(name, _LIMITS, HttpApi(key="the project's API key", address="the host", **options))
        self._api_key = api_key
        self._group_type = group_type
        self._url = host.rstrip("/") + "/batch"

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: Amplitude answered that it will never take the batch, or has nothing like one of its messages.
            Held: the API key or the host is wrong.
            Unavailable: Amplitude could not be reached, is overloaded or out of order.
        """
        events = list(chain.from_iterable(translated(batch, self._events)))
        response = self._api.post(self._url, to_json({"api_key": self._api_key, "events": events, "options": _OPTIONS}))
        if _is_wrong_key(response):
            raise self._api.wrong_key(f"{self._url} answered {response.status} {response.reason}")
        self._api.check(response)

    def _events(self, call: Call) -> list[Event]:
        if call.kind == "alias":
            raise unsupported("Amplitude", call)
        around = _surroundings(call)
        if call.kind == "identify":
            return [{"event_type": "$identify", "user_properties": {"$set": call.payload}, **around}]
        if call.kind == "group":
            groups = {self._group_type: call.group_id}
            # One puts the user into the group, as Amplitude's own libraries do; one sets the group's properties.
            joined = {"event_type": "$identify", "groups": groups, "user_properties": {"$set": groups}, **around}
            group = {"event_type": "$groupidentify", "groups": groups, "group_properties": {"$set": call.payload}}
            return [joined, {**group, **around, "insert_id": f"{call.message_id}:group"}]
        return [{"event_type": call.event, "event_properties": {**call.payload, **call.titles}, **around}]


def _surroundings(call: Call) -> Event:
    """Return what every event has."""
    return {
        **present({"user_id": "user", "device_id": "device"}, {"user": call.user_id, "device": call.anonymous_id}),
        **present({"ip": "ip", "language": "locale"}, call.context),
        "time": call.milliseconds,
        "insert_id": call.message_id,
        "library": f"{LIBRARY}/{VERSION}",
    }


def _is_wrong_key(response: Answer) -> bool:
    """Whether the answer is about the key: Amplitude has no status of its own for that."""
    if response.status != HTTPStatus.BAD_REQUEST:
        return False
    try:
        answer = response.document()
        return answer.get("missing_field") == "api_key" or "api key" in str(answer.get("error")).lower()
    except (ValueError, AttributeError):
        return False
