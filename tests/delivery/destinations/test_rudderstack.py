"""RudderStack: the messages as they are, in its own request."""

from __future__ import annotations

import json

import pytest

from instrument.delivery.destinations.rudderstack import RudderStackDestination
from instrument.testing import Collector
from tests.delivery.destinations.vendors import one_of_each

pytestmark = pytest.mark.instrument_delivery


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", ["", "/"])
def test_the_messages_are_sent_as_they_are_by_the_source_s_key(path: str, gzip: bool) -> None:
    with Collector() as collector:
        destination = RudderStackDestination("wk-1", collector.url + path, gzip=gzip)
        destination.send(one_of_each())
        destination.close()
        (request,) = collector.requests
        assert request.path == "/v1/batch"
        assert request.headers["content-type"] == "application/json"
        # The key as the user, and no password: https://www.rudderstack.com/docs/api/http-api/
        assert request.headers["authorization"] == "Basic d2stMTo="
        assert collector.messages == [json.loads(each.body) for each in one_of_each()]
        assert request.body.keys() == {"batch", "sentAt", "writeKey"}
