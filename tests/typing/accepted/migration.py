"""Code that was written for Segment's client, with the import changed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from typing_extensions import assert_type

import instrument.compat.segment as analytics


def failed(error: Exception, batch: list[dict[str, Any]]) -> None:
    assert batch, str(error)


analytics.write_key = "key"
analytics.host = "https://events.eu1.segmentapis.com"
analytics.on_error = failed
analytics.send = False
analytics.sync_mode = True

assert_type(analytics.track(7, "Parcel Sent", {"weight": 2.5}), tuple[bool, dict[str, Any]])
queued, message = analytics.identify("u-7", {"plan": "free"}, timestamp=datetime.now(timezone.utc))
analytics.group(user_id="u-7", group_id=3, traits={"size": 3})
analytics.page("u-7", "Docs", "Start", context={"ip": "192.0.2.1"}, integrations={"All": True})
analytics.alias("u-6", "u-7", message_id="m-1")
assert_type(analytics.flush(), None)
analytics.shutdown()

client = analytics.Client("key", debug=True, max_queue_size=100, on_error=failed, gzip=True, proxies={"https": "proxy"})
assert_type(client.screen(anonymous_id="a-1", name="Start"), tuple[bool, dict[str, Any]])
