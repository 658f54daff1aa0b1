"""Mistakes in calls that Segment's own client only finds when they are made, or never."""

from __future__ import annotations

import instrument.compat.segment as analytics

analytics.track("u-7", "Parcel Sent", {"weight": 2.5}, propertes={})  # error: call-arg
analytics.track("u-7", 7)  # error: arg-type
analytics.identify("u-7", ["free"])  # error: arg-type
analytics.group(None, object())  # error: arg-type
analytics.Client("key", sync=True)  # error: call-arg
