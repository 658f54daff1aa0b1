from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instrument.delivery.retry import Backoff

backoffs = st.builds(Backoff, first=st.floats(0.001, 10), most=st.floats(0.001, 100))


@given(backoff=backoffs, attempt=st.integers(1, 10_000))
def test_waits_double_up_to_a_bound_and_are_spread_below_it(backoff: Backoff, attempt: int) -> None:
    bound = min(backoff.most, backoff.first * 2.0 ** min(attempt - 1, 30))
    assert bound / 2 <= backoff.wait(attempt) <= bound


def test_waits_are_not_the_same_for_everybody() -> None:
    assert len({Backoff().wait(3) for _ in range(20)}) > 10
