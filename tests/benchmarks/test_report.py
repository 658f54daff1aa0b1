"""The report is of whole loads, and says what its figures say."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.collecting import environment
from benchmarks.report.__main__ import main
from benchmarks.report.claims import claims, percent, scaling, standing
from benchmarks.report.figures import DELIVERED, IMPORT, MEASURES, Figures, Measure, Report, Scaled, read, write
from benchmarks.report.page import page
from benchmarks.report.plots import draw
from benchmarks.report.runs import QUICK
from benchmarks.sides import OURS, SIDES

if TYPE_CHECKING:
    from pathlib import Path

PEERS = [name for name in SIDES if name != OURS]


def scaled(delivered: int = 1_000, call: float = 10.0, *, defaults: bool = True) -> list[Scaled]:
    return [Scaled(10, True, 10.0, 10), Scaled(1_000, defaults, call, delivered)]


def report(scaling: dict[str, list[Scaled]] | None = None, **ours: float) -> Report:
    """Figures that are all 100, but for those of ours that are given."""

    def figures(name: str) -> Figures:
        samples = {each.key: [ours.get(each.key, 100.0) if name == OURS else 100.0] for each in MEASURES}
        return Figures(samples, (scaling or {}).get(name, scaled()))

    machine: dict[str, Any] = {
        "python": "3.11",
        "system": "Linux",
        "machine": "x86_64",
        "processor": "a processor",
        "cores": 2,
        "packages": {"posthog": "7.0"},
    }
    return Report("2030-01-02T03:04+00:00", 0.5, machine, 300, {name: figures(name) for name in SIDES})


@pytest.mark.parametrize(
    ("measure", "ours", "group"),
    [
        (IMPORT, 94.0, "behind"),
        (IMPORT, 96.0, "even"),
        (IMPORT, 105.0, "even"),
        (IMPORT, 106.0, "ahead"),
        (DELIVERED, 94.0, "ahead"),
        (DELIVERED, 96.0, "even"),
        (DELIVERED, 106.0, "behind"),
    ],
)
def test_a_peer_stands_where_its_figure_is(measure: Measure, ours: float, group: str) -> None:
    groups = {"ahead": {}, "even": {}, "behind": {}, group: {"peer": 100.0}}
    found = standing(measure, {OURS: ours, "peer": 100.0})
    assert {"ahead": found.ahead, "even": found.even, "behind": found.behind} == groups


@pytest.mark.parametrize("measure", MEASURES, ids=lambda each: each.key)
def test_a_measure_where_peers_are_ahead_is_told_as_that(measure: Measure) -> None:
    worse = report(None, **{measure.key: 50.0 if measure.more else 200.0})
    ahead, others = claims(worse)
    assert len(ahead) == 1
    assert ahead[0].startswith(f"**{measure.title.capitalize()}**")
    assert f"{PEERS[-2]} (100{f' {measure.unit}' if measure.unit else ''}) and" in ahead[0]
    assert ahead[0].endswith("are ahead.")
    assert len(others) == len(MEASURES) - 1
    assert page(worse, "images").index("### Where a peer is ahead") < page(worse, "images").index(ahead[0])


def test_a_size_at_which_peers_are_ahead_is_told_as_that() -> None:
    ahead, others = claims(report({"segment": scaled(call=9.0)}))
    (sentence,) = ahead
    assert sentence == (
        "**A call, with 1,000 messages**: 10 µs with ours; segment (9 µs) is ahead; "
        "posthog (10 µs), rudderstack (10 µs), amplitude (10 µs) and snowplow (10 µs) are about even."
    )
    assert len(others) == len(MEASURES)


def test_peers_are_told_in_the_order_of_their_figures() -> None:
    medians = {OURS: 100.0, "slow": 300.0, "quick": 50.0, "like": 101.0, "quicker": 20.5}
    assert standing(IMPORT, medians).sentence() == (
        "**Import**: 100 ms with ours; quicker (20.5 ms) and quick (50 ms) are ahead; like (101 ms) is about even; "
        "slow (300 ms) is behind."
    )


def test_where_no_peer_is_ahead_the_page_says_so() -> None:
    assert "### Where a peer is ahead\n\nIn none of the measures." in page(report(), "images")


def test_what_is_lost_at_the_default_bounds_is_counted_and_measured_again() -> None:
    lost = [*scaled(900, call=15.0), Scaled(1_000, False, 20.0, 990)]
    growth, defaults, raised = scaling(report({"posthog": lost}))
    assert "posthog 2.00" in growth
    assert f"{OURS} 1.00" in growth
    assert "of 1,000 messages posthog lost 100 (90 % came)" in defaults
    assert f"{OURS}, segment, rudderstack, amplitude and snowplow lost none" in defaults
    assert raised == "**With a queue that holds all of them**, posthog lost 10 (99 % came)."


def test_one_size_is_enough() -> None:
    growth, defaults = scaling(report(dict.fromkeys(SIDES, scaled()[:1])))
    assert "with 10 messages**, as a multiple of one with 10: instrument 1.00, segment 1.00" in growth
    assert defaults.endswith("lost none.")


def test_what_we_lose_is_told_like_what_peers_lose() -> None:
    _, defaults, raised = scaling(report({OURS: [*scaled(1), Scaled(1_000, False, 20.0, 1_000)]}))
    assert f"{OURS} lost 999 (0.1 % came)" in defaults
    assert raised == f"**With a queue that holds all of them**, {OURS} lost none."


@pytest.mark.parametrize(
    ("delivered", "shown"), [(1_000_000, "100 %"), (999_999, "99.9 %"), (994_000, "99.4 %"), (0, "0 %")]
)
def test_a_hundred_per_cent_is_every_message(delivered: int, shown: str) -> None:
    assert percent(Scaled(1_000_000, True, 1.0, delivered)) == shown


def test_a_crowded_machine_is_told() -> None:
    assert "busy with other work" in page(replace(report(), busy=7.0), "images")
    assert "busy" not in page(report(), "images")


def test_a_report_is_kept_and_read_again(tmp_path: Path) -> None:
    write(report(), tmp_path / "figures.json")
    assert read(tmp_path / "figures.json") == report()


@pytest.mark.instrument_delivery
@pytest.mark.waits
def test_a_quick_report_is_of_whole_loads_and_looks_the_same_when_drawn_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.report", "--quick", "--out", str(tmp_path)]
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=300)
    made = read(tmp_path / "peers.json")
    assert {name: figures.scaling for name, figures in made.sides.items()} == {
        name: [Scaled(QUICK.scales[0], True, figures.scaling[0].call, QUICK.scales[0])]
        for name, figures in made.sides.items()
    }
    assert all(figures.samples.keys() == {each.key for each in MEASURES} for figures in made.sides.values())
    written = (tmp_path / "benchmarks-peers.md").read_text(encoding="utf-8")
    assert page(made, "images") in written
    draw(made, tmp_path / "again")
    shown = re.findall(r'(?:src|srcset)="images/([^"]+)"', written)
    assert sorted(shown) == sorted(file.name for file in (tmp_path / "again").iterdir())
    for name in shown:
        image = (tmp_path / "images" / name).read_bytes()
        assert ET.fromstring(image).tag.endswith("svg")
        assert image == (tmp_path / "again" / name).read_bytes()


def test_a_quick_report_is_never_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--quick"])
    with pytest.raises(SystemExit):
        main()
    assert "--quick needs --out" in capsys.readouterr().err
