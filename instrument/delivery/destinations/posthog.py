"""PostHog's capture API, in batches.

A message becomes one event of PostHog: an event, page or screen one that is captured, the other calls those that
set the properties of a person or a group, or join two ids. PostHog drops a repeated event by its `uuid`, its name,
its time and its id of the person, all of which come from the message.

https://posthog.com/docs/api/capture
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from instrument.delivery.destination import Limits
from instrument.delivery.destinations.http import HttpApi, HttpDestination
from instrument.delivery.destinations.spec import as_uuid, present, translated
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from instrument.delivery.destinations.http import HttpOptions
    from instrument.delivery.destinations.spec import Call
    from instrument.delivery.envelope import Envelope

US_CLOUD = "https://us.i.posthog.com"
EU_CLOUD = "https://eu.i.posthog.com"
# PostHog takes 20 MB a batch; an event is larger than its message by names of its own.
_LIMITS = Limits(count=2_000, size=4 << 20)


class PostHogDestination(HttpDestination):
    """Send batches to PostHog.

    Args:
        api_key: the project's API key, which only writes.
        host: the base address: `US_CLOUD`, `EU_CLOUD`, or that of an installation of your own.
        group_type: the type of every group, which a `Group` of the Segment spec does not have.
        name: the name in counts and logs.
        options: see `HttpOptions`.

    >>> PostHogDestination("phc_key", host=EU_CLOUD).name
    'posthog'
    """

    def __init__(
        self,
        api_key: str,
        *,
        host: str = US_CLOUD,
        group_type: str = "company",
        name: str = "posthog",
        **options: Unpack[HttpOptions],
    ) -> None:
        super().__init__(name, _LIMITS, HttpApi(key="the project's API key", address="the host", **options))
        self._api_key = api_key
        self._group_type = group_type
        self._url = host.rstrip("/") + "/batch/"

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: PostHog answered that it will never take the batch.
            Held: the API key or the host is wrong.
            Unavailable: PostHog could not be reached, is overloaded or out of order.
        """
        events = translated(batch, self._event)
        self._api.check(self._api.post(self._url, to_json({"api_key": self._api_key, "batch": events})))

    def _event(self, call: Call) -> dict[str, Any]:
        name, properties = self._named(call)
        return {
            "event": name,
            "distinct_id": call.who,
            "properties": {**_surroundings(call), **properties},
            "timestamp": call.time,
            "uuid": as_uuid(call.message_id),
        }

    def _named(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Return the event's name and its own properties."""
        group = {"$group_type": self._group_type, "$group_key": call.group_id, "$group_set": call.payload}
        joined = {"$anon_distinct_id": call.anonymous_id} if call.user_id and call.anonymous_id else {}
        return {
            "track": (call.name or "", {**call.payload}),
            "page": ("$pageview", {**call.payload, **call.titles}),
            "screen": ("$screen", {**call.payload, **call.titles, **present({"$screen_name": "name"}, call.titles)}),
            # `$identify` joins two ids; without a second one, it is only the properties that are set.
            "identify": ("$identify" if joined else "$set", {**joined, "$set": call.payload}),
            "group": ("$groupidentify", group),
            "alias": ("$create_alias", {"alias": call.previous_id}),
        }[call.kind]


def _surroundings(call: Call) -> dict[str, Any]:
    """Return what is known of the request that a message came from, by PostHog's names."""
    told = {
        **present({"$current_url": "url", "$pathname": "path", "$referrer": "referrer"}, call.page),
        **present({"$ip": "ip", "$raw_user_agent": "userAgent"}, call.context),
        "$lib": LIBRARY,
        "$lib_version": VERSION,
    }
    if "$ip" not in told:
        told["$geoip_disable"] = True  # else the place of this server would be the person's
    if not call.user_id and call.kind != "identify":
        told["$process_person_profile"] = False  # an unknown visitor is no person
    return told
