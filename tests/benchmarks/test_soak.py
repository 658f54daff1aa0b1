"""A soak of a few seconds: real processes, faults at random, and no time that is judged."""

from __future__ import annotations

import pytest

from benchmarks.soak.__main__ import soak
from benchmarks.soak.length import Length

pytestmark = pytest.mark.instrument_delivery

SHORT = Length(warm_up=0.3, faults=1.0, rest=0.1, spell=(0.05, 0.2), threads=4, rate=50.0, spool_max_bytes=64 << 10)


def test_no_message_is_lost_that_durability_keeps() -> None:
    soaked = soak(SHORT, seed=7)
    assert [each.what for each in soaked.of_messages if not each.met] == [], soaked.outcome
    assert sum(soaked.faults.values()) >= 2
    assert "sent" in "\n".join(soaked.lines())
