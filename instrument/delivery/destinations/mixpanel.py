"""Mixpanel's APIs for events, for the profiles of users, and for those of groups.

An event, page or screen becomes an event; an `identify` sets the user's profile, and joins the ids of an unknown
visitor and a user; a `group` sets the group's profile, and puts the user into the group. Mixpanel drops a repeated
event by its `$insert_id`, its name, its time and its id of the person, all of which come from the message; setting a
profile again changes nothing. It has no call like `alias`, except in old projects: such a message is rejected.

https://docs.mixpanel.com/reference/import-events
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from instrument.delivery.destination import Limits, Rejected
from instrument.delivery.destinations.http import Answer, HttpApi, HttpDestination, basic
from instrument.delivery.destinations.spec import as_uuid, present, translated, unsupported
from instrument.version import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from instrument.delivery.destinations.http import HttpOptions
    from instrument.delivery.destinations.spec import Call
    from instrument.delivery.envelope import Envelope

    Json = dict[str, Any]

DEFAULT_HOST = "https://api.mixpanel.com"
EU_HOST = "https://api-eu.mixpanel.com"
INDIA_HOST = "https://api-in.mixpanel.com"
# Mixpanel takes 2,000 events a batch, but 200 profiles.
_LIMITS = Limits(count=200, size=1 << 20)
_INSERT_ID = re.compile(r"[A-Za-z0-9-]{1,36}")
# The traits that Mixpanel has names of its own for.
_PROFILE = {
    "$email": "email",
    "$name": "name",
    "$first_name": "firstName",
    "$last_name": "lastName",
    "$phone": "phone",
    "$avatar": "avatar",
    "$created": "createdAt",
}


@dataclass(frozen=True, slots=True)
class _Updates:
    """What one message is to Mixpanel, by the path of the API."""

    events: Sequence[Json] = ()
    users: Sequence[Json] = ()
    groups: Sequence[Json] = ()


class MixpanelDestination(HttpDestination):
    """Send batches to Mixpanel.

    Args:
        token: the project's token.
        host: the base address: `DEFAULT_HOST`, `EU_HOST` or `INDIA_HOST`, by where the project's data stays.
        group_key: the key of every group, which a `Group` of the Segment spec does not have.
        name: the name in counts and logs.
        options: see `HttpOptions`.

    >>> MixpanelDestination("token", host=EU_HOST).name
    'mixpanel'
    """

    def __init__(
        self,
        token: str,
        *,
        host: str = DEFAULT_HOST,
        group_key: str = "company_id",
        name: str = "mixpanel",
        **options: Unpack[HttpOptions],
    ) -> None:
        super().__init__(name, _LIMITS, HttpApi(key="the project's token", address="the host", **options))
        self._token = token
        self._group_key = group_key
        self._host = host.rstrip("/")

    def send(self, batch: Sequence[Envelope]) -> None:
        """Post a batch: its events, then what it says of users, then of groups.

        Raises:
            Rejected: Mixpanel answered that it will never take the batch, or has nothing like one of its messages.
            Held: the token or the host is wrong.
            Unavailable: Mixpanel could not be reached, is overloaded or out of order.
        """
        updates = translated(batch, self._updates)
        self._post("/import?strict=1", [event for each in updates for event in each.events])
        self._post("/engage?verbose=1", [user for each in updates for user in each.users])
        self._post("/groups?verbose=1", [group for each in updates for group in each.groups])

    def _post(self, path: str, items: Sequence[Json]) -> None:
        if not items:
            return
        response = self._api.post(self._host + path, to_json(items), basic(self._token))
        self._api.check(response)
        if "verbose" in path and not _is_taken(response):
            raise Rejected(f"{self._host}{path.partition('?')[0]} answered that it took nothing")

    def _updates(self, call: Call) -> _Updates:
        if call.kind == "alias":
            raise unsupported("Mixpanel", call)
        if call.kind == "identify":
            named = present(_PROFILE, call.payload)
            others = {key: value for key, value in call.payload.items() if key not in _PROFILE.values()}
            joins = [self._event("$identify", call, _joined(call))] if call.user_id and call.anonymous_id else []
            return _Updates(events=joins, users=[self._user(call, {"$set": {**others, **named}})])
        if call.kind == "group":
            group = {"$token": self._token, "$group_key": self._group_key, "$group_id": call.group_id}
            member = self._user(call, {"$union": {self._group_key: [call.group_id]}})
            return _Updates(users=[member], groups=[{**group, "$set": call.payload}])
        return _Updates(events=[self._event(call.event, call, {**call.payload, **call.titles})])

    def _event(self, name: str, call: Call, properties: Mapping[str, Any]) -> Json:
        around = {
            **present({"$current_url": "url", "$referrer": "referrer"}, call.page),
            **present({"ip": "ip"}, call.context),
            "mp_lib": LIBRARY,
        }
        ids = present({"$user_id": "user", "$device_id": "device"}, {"user": call.user_id, "device": call.anonymous_id})
        known = {
            "time": call.milliseconds,
            "distinct_id": _distinct_id(call),
            "$insert_id": _insert_id(call.message_id),
        }
        return {"event": name, "properties": {**around, **properties, **ids, **known}}

    def _user(self, call: Call, update: Mapping[str, Any]) -> Json:
        # An address of "0" keeps Mixpanel from taking the place of this server for the user's.
        address = str(call.context.get("ip") or "0")
        return {"$token": self._token, "$distinct_id": _distinct_id(call), "$ip": address, **update}


def _joined(call: Call) -> Json:
    return {"$identified_id": call.user_id, "$anon_id": call.anonymous_id}


def _distinct_id(call: Call) -> str:
    return call.user_id or f"$device:{call.anonymous_id}"


def _insert_id(message_id: str) -> str:
    """Return a message's id, or one that is made of it, in the form that Mixpanel requires."""
    return message_id if _INSERT_ID.fullmatch(message_id) else as_uuid(message_id)


def _is_taken(response: Answer) -> bool:
    """Whether an answer of 200 really means that the profiles were set."""
    try:
        answer = response.document()
        return bool(answer["status"] == 1)
    except (ValueError, LookupError, TypeError):
        return False
