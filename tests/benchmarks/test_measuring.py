"""The figures of the benchmarks are what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from urllib.request import urlopen

import pytest

from benchmarks.collecting import CollectorProcess, environment
from benchmarks.load import Load
from benchmarks.measuring import Samples, interleaved, quantile
from benchmarks.sides import OURS, SIDES
from benchmarks.sink import counted, forget, sink
from benchmarks.table import Bar, Result, aligned


def test_sides_are_measured_in_turn_and_in_the_opposite_order_every_other_time() -> None:
    order: list[str] = []

    def measured(side: str) -> float:
        order.append(side)
        return float(len(order))

    samples = interleaved({"a": lambda: measured("a"), "b": lambda: measured("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert samples.figures == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_what_a_side_takes_above_another_is_compared_repetition_by_repetition() -> None:
    samples = Samples({"bare": [1, 100, 1], "ours": [3, 103, 5]})
    assert samples.above("ours", "bare") == 3
    assert samples.median("ours") == 5


@pytest.mark.parametrize(("share", "figure"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_quantile_is_a_figure_that_was_measured(share: float, figure: int) -> None:
    assert quantile(range(1, 101), share) == figure


@pytest.mark.parametrize(
    ("bar", "ours", "met"),
    [
        (Bar(0.25), 25.0, True),
        (Bar(0.25), 26.0, False),
        (Bar(6.0, most=False), 600.0, True),
        (Bar(6.0, most=False), 599.0, False),
        (Bar(2.0, "figure"), 2.0, True),
        (Bar(2.0, "figure"), 2.1, False),
    ],
)
def test_a_bar_is_met_up_to_its_value(bar: Bar, ours: float, met: bool) -> None:
    assert Result("a call", "µs", 100.0, ours, bar).met is met


def test_a_result_is_a_line_of_the_table() -> None:
    rows = [
        Result("a call", "µs", 20.0, 5.0, Bar(0.25)).cells(),
        Result("switched off", "µs", None, 2.5, Bar(2.0, "figure")).cells(),
        Result("messages", "", 1_000.0, 2_500.0).cells(),
    ]
    assert aligned(["what", "theirs", "ours", "ratio", "bar", "met"], rows) == (
        "what          theirs    ours  ratio      bar  met\n"
        "-------------------------------------------------\n"
        "a call         20 µs    5 µs  0.25x  ≤ 0.25x  yes\n"
        "switched off       -  2.5 µs      -      ≤ 2   NO\n"
        "messages       1,000   2,500  2.50x"
    )


@pytest.mark.instrument_delivery
@pytest.mark.parametrize("side", ["instrument", "segment"])
def test_a_load_is_delivered_whole(side: str) -> None:
    with CollectorProcess() as collector:
        loaded(Load(side, collector.url, 300))
        assert collector.stats()["unique"] == 300


@pytest.mark.instrument_delivery
def test_a_message_that_comes_twice_is_counted_once() -> None:
    batch = json.dumps({"batch": [{"messageId": "1"}, {"messageId": "2"}, {"messageId": "1"}]}).encode()
    with sink() as url:
        for _ in range(2):
            with urlopen(f"{url}/v1/batch", batch, timeout=10) as answer:
                assert json.loads(answer.read()) == {"success": True}
        assert counted(url) == 2
        forget(url)
        assert counted(url) == 0


def test_an_import_is_that_of_one_client_alone() -> None:
    program = f"""
import sys
from benchmarks.sides import SIDES
SIDES[sys.argv[1]].driver()
print(*sorted(sys.modules.keys() & {{*{[side.package for side in SIDES.values()]!r}}}))
"""
    for side in SIDES.values():
        command = [sys.executable, "-c", program, side.name]
        done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
        expected = {side.package} if side.name != OURS else {OURS, SIDES["segment"].package}
        assert set(done.stdout.split()) == expected


def loaded(load: Load) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(load))]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
    measured: dict[str, object] = json.loads(done.stdout)
    return measured
