"""A program that was written for Segment's client, with one import changed."""

from __future__ import annotations

import os
import sys

import instrument.compat.segment as analytics

analytics.write_key = "old"
analytics.host = os.environ["COLLECTOR"]


def exits() -> None:
    """End without a flush."""
    for number in range(3):
        analytics.track("u-7", "Parcel Sent", {"number": number}, message_id=f"exit-{number}")


def forks() -> None:
    """Send from a parent and its children, of which some skip the end of an interpreter."""
    analytics.track("u-7", "Parcel Sent", message_id="parent-before")
    for child in range(3):
        if os.fork() == 0:
            analytics.track("u-7", "Parcel Sent", message_id=f"child-{child}")
            if child % 2:
                sys.exit(0)
            analytics.flush()
            os._exit(0)
    assert [os.wait()[1] for _ in range(3)] == [0, 0, 0]
    analytics.track("u-7", "Parcel Sent", message_id="parent-after")
    analytics.shutdown()


def is_killed() -> None:
    """End as by `kill -9`, right after a call in synchronous mode, while nothing can be delivered."""
    analytics.sync_mode = True
    analytics.timeout = 0.2
    assert analytics.track("u-7", "Parcel Sent", message_id="killed")[0]
    os._exit(9)


if __name__ == "__main__":
    {"exits": exits, "forks": forks, "is killed": is_killed}[sys.argv[1]]()
