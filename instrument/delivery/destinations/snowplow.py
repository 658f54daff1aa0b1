"""Snowplow's collector, by the tracker protocol.

An event becomes a self-describing one, of a schema of yours: `iglu:com.acme/parcel_sent/jsonschema/1-0-0`. The other
calls have schemas in Iglu Central, those of the vendor `com.segment`. Snowplow drops a repeated event by its `eid`,
which comes from the message's id.

https://docs.snowplow.io/docs/events/going-deeper/event-parameters
"""

from __future__ import annotations

import re
from time import time
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from instrument.delivery.destination import Limits
from instrument.delivery.destinations.http import HttpApi, HttpDestination
from instrument.delivery.destinations.spec import as_uuid, present, translated
from instrument.version import LIBRARY, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from instrument.delivery.destinations.http import HttpOptions
    from instrument.delivery.destinations.spec import Call
    from instrument.delivery.envelope import Envelope

# A collector takes a megabyte; an event is larger than its message, since it is JSON inside of JSON.
_LIMITS = Limits(count=500, size=400_000)
_PATH = "/com.snowplowanalytics.snowplow/tp2"
_PAYLOAD: Final = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
_SELF_DESCRIBING: Final = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
_OF_SEGMENT: Final = {
    "identify": "iglu:com.segment/identify/jsonschema/1-0-0",
    "group": "iglu:com.segment/group/jsonschema/2-0-0",
    "page": "iglu:com.segment/page/jsonschema/2-0-0",
    "screen": "iglu:com.segment/screen/jsonschema/2-0-0",
    "alias": "iglu:com.segment/alias/jsonschema/2-0-0",
}
_SEPARATOR = re.compile(r"[^a-z0-9]+")


class SnowplowDestination(HttpDestination):
    """Send batches to a collector of Snowplow.

    Args:
        collector: the base address of the collector.
        vendor: who has the schemas of the events, such as `com.acme`.
        app_id: the application, as `aid`.
        versions: by an event's name, the version of its schema; for the others it is `1-0-0`.
        name: the name in counts and logs.
        options: see `HttpOptions`.

    >>> SnowplowDestination("https://collector.example.com", vendor="com.acme").schema_of("Parcel Sent")
    'iglu:com.acme/parcel_sent/jsonschema/1-0-0'
    """

    def __init__(
        self,
        collector: str,
        *,
        vendor: str,
        app_id: str | None = None,
        versions: Mapping[str, str] | None = None,
        name: str = "snowplow",
        **options: Unpack[HttpOptions],
    ) -> None:
        super().__init__(name, _LIMITS, HttpApi(key="the collector", address="the collector", **options))
        self._vendor = vendor
        self._app_id = app_id
        self._versions = dict(versions or {})
        self._url = collector.rstrip("/") + _PATH

    def schema_of(self, event: str) -> str:
        """Return the schema that an event is to have in your registry."""
        name = _SEPARATOR.sub("_", event.lower()).strip("_")
        return f"iglu:{self._vendor}/{name}/jsonschema/{self._versions.get(event, '1-0-0')}"

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch.

        Raises:
            Rejected: the collector answered that it will never take the batch.
            Held: the address of the collector is wrong.
            Unavailable: the collector could not be reached, is overloaded or out of order.
        """
        sent = {"stm": str(round(time() * 1_000))}
        events = [{**each, **sent} for each in translated(batch, self._event)]
        body = to_json({"schema": _PAYLOAD, "data": events})
        self._api.check(self._api.post(self._url, body, {"Content-Type": "application/json; charset=utf-8"}))

    def _event(self, call: Call) -> dict[str, str]:
        data = {"schema": self._schema(call), "data": _data(call)}
        told = {
            **present({"uid": "uid", "duid": "duid"}, {"uid": call.user_id, "duid": call.anonymous_id}),
            **present({"ip": "ip", "ua": "userAgent", "lang": "locale"}, call.context),
            **present({"url": "url", "page": "title", "refr": "referrer"}, call.page),
            **present({"aid": "aid"}, {"aid": self._app_id}),
        }
        return {
            "e": "ue",
            "ue_pr": to_json({"schema": _SELF_DESCRIBING, "data": data}).decode(),
            "eid": as_uuid(call.message_id),
            "dtm": str(call.milliseconds),
            "p": "srv",
            "tv": f"{LIBRARY}-{VERSION}",
            **{key: str(value) for key, value in told.items()},
        }

    def _schema(self, call: Call) -> str:
        return self.schema_of(call.event) if call.kind == "track" else _OF_SEGMENT[call.kind]


def _data(call: Call) -> dict[str, Any]:
    """Return what the schema of a call describes: of an event its properties, else the call itself."""
    if call.kind == "track":
        return {**call.payload}
    payload = "traits" if call.kind in ("identify", "group") else "properties"
    ids = {"userId": call.user_id, "anonymousId": call.anonymous_id}
    others = {"groupId": call.group_id, "previousId": call.previous_id, **call.titles}
    known = {key: value for key, value in {**ids, **others}.items() if value is not None}
    return {
        "type": call.kind,
        **known,
        **({} if call.kind == "alias" else {payload: call.payload}),
        "messageId": call.message_id,
        "timestamp": call.time,
    }
