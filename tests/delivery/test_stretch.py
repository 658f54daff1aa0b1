from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument import Envelope, Limits
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.delivery.ledger import Ledger
from instrument.delivery.pipeline import Pipeline, Plan
from instrument.delivery.stretch import Envelopes, Stretch, bodies_of, joined
from tests.delivery.envelopes import envelope, envelopes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instrument.delivery.pipeline import Durability

stretches = st.builds(
    lambda first, pads: Stretch.of(
        first, 1.5, Envelopes.of([envelope(number, pad=pad) for number, pad in enumerate(pads, first)])
    ),
    st.integers(1, 1_000),
    st.lists(st.integers(0, 400), min_size=1, max_size=30),
)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(list, id="all"),
        pytest.param(len, id="their number"),
        pytest.param(lambda batch: batch[-1], id="one"),
        pytest.param(lambda batch: list(batch[1:3]), id="some"),
        pytest.param(lambda batch: list(reversed(batch)), id="backwards"),
        pytest.param(lambda batch: (envelope(2) in batch, envelope(9) in batch), id="whether it holds one"),
        pytest.param(bodies_of, id="their bodies"),
    ],
)
def test_a_batch_is_to_its_destination_what_a_list_of_envelopes_is(look: Callable[[object], object]) -> None:
    plain = envelopes(range(5))
    assert look(Envelopes.of(plain)) == look(plain)


def test_batches_are_equal_where_their_envelopes_are() -> None:
    batch = Envelopes.of(envelopes(range(3)))
    assert batch == envelopes(range(3))
    assert batch == Envelopes.of(envelopes(range(3)))
    assert batch != envelopes(range(2))
    assert batch != 3


def test_a_batch_shows_no_content() -> None:
    assert repr(Envelopes.of(envelopes(range(3)))) == "<3 envelopes>"


@given(stretches, st.integers(0, 1_100))
def test_what_comes_up_to_a_place_and_what_follows_it_are_the_whole(whole: Stretch, place: int) -> None:
    parts = [
        *([whole.until(place)] if place >= whole.first else []),
        *([whole.after(place)] if place < whole.last else []),
    ]
    assert [(each.first, each.last - each.first + 1) for each in parts] == [
        (each.first, len(each.envelopes)) for each in parts
    ]
    assert joined(parts) == whole


@given(stretches, st.builds(Limits, st.integers(1, 40), st.integers(1, 4_000)))
def test_a_batch_is_the_longest_beginning_within_the_limits_and_at_least_one(whole: Stretch, limits: Limits) -> None:
    cut = whole.cut(limits)

    def fits(count: int) -> bool:
        bodies = whole.envelopes.bodies[:count]
        return count <= limits.count and sum(map(len, bodies)) + count <= limits.size

    count = len(cut.envelopes)
    assert cut == whole.until(whole.first + count - 1)
    assert fits(count) or count == 1
    assert count == len(whole.envelopes) or not fits(count + 1)


@given(stretches.filter(lambda each: len(each.envelopes) > 1))
def test_halves_differ_by_one_at_most(whole: Stretch) -> None:
    first, second = whole.halves()
    assert abs(len(first.envelopes) - len(second.envelopes)) <= 1
    assert joined([first, second]) == whole


@pytest.mark.parametrize("durability", ["memory", "batched"])
def test_messages_that_wait_are_none_of_the_garbage_collectors_business(durability: Durability, tmp_path: Path) -> None:
    held = SegmentDestination("k")  # which sends nothing, since a test is running
    pipeline = Pipeline(Plan((held,), durability, tmp_path, flush_timeout=0), Ledger())
    numbers = range(700_000, 702_000)  # no other test's
    for number in numbers:
        pipeline.put(envelope(number))
    gc.collect()
    ids = {f"message-{number}" for number in numbers}
    assert pipeline.queued == len(ids)
    assert [each for each in gc.get_objects() if type(each) is Envelope and each.message_id in ids] == []
    pipeline.close(0)
