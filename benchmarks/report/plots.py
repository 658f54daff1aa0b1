"""The plots, as SVG; each once for light pages and once for dark ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.report.claims import percent, with_unit
from benchmarks.report.figures import OVERVIEW
from benchmarks.sides import OURS
from benchmarks.table import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.report.figures import Measure, Report

_ROOM = 1.45
"""The width of a panel, in lengths of its longest bar: its label stands behind it."""
_APART = 0.062
"""How far the labels of lines are kept apart, as a share of the height."""


@dataclass(frozen=True, slots=True)
class _Theme:
    name: str
    text: str
    faint: str
    peers: str
    ours: str


_THEMES = (
    _Theme("light", "#1f2328", "#d1d9e0", "#9aa4af", "#0969da"),
    _Theme("dark", "#e6edf3", "#3d444d", "#7d8590", "#4493f8"),
)
_MARKERS = "osD^vX"


@dataclass(frozen=True, slots=True)
class _Panel:
    """Bars of one measure: a figure for each side, and what is written behind it."""

    title: str
    note: str
    figures: Mapping[str, float]
    labels: Mapping[str, str]


def draw(report: Report, directory: Path) -> None:
    """Draw every plot of a report."""
    directory.mkdir(parents=True, exist_ok=True)
    for theme in _THEMES:
        for name, plot in _PLOTS.items():
            with mpl.rc_context(_settings(theme)):
                figure = plot(report, theme)
                # Without a date and with ids of its content, the same figures give the same file.
                figure.savefig(directory / file_name(name, theme.name), metadata={"Date": None}, transparent=True)


def file_name(plot: str, theme: str) -> str:
    """Return the name of a plot's file."""
    return f"bench-{plot}-{theme}.svg"


def _settings(theme: _Theme) -> Any:
    return {
        "font.size": 9,
        "svg.hashsalt": "benchmarks",
        "svg.fonttype": "path",
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), theme.text),
        **dict.fromkeys(("axes.edgecolor", "grid.color"), theme.faint),
    }


def _overview(report: Report, theme: _Theme) -> Figure:
    panels = [_panel(report, measure) for measure in OVERVIEW]
    return _bars([*panels, list(_delivered(report))[-1]], columns=3, theme=theme)


def _panel(report: Report, measure: Measure) -> _Panel:
    medians = report.medians(measure)
    labels = {name: with_unit(figure, measure) for name, figure in medians.items()}
    return _Panel(measure.title, "more is better" if measure.more else "less is better", medians, labels)


def _delivered(report: Report) -> Iterator[_Panel]:
    for loads in report.loads(defaults=True):
        shares = {name: load.delivered / load.messages for name, load in loads.items()}
        labels = {name: percent(load) for name, load in loads.items()}
        yield _Panel(f"{loads[OURS].messages:,} messages", "that came, at default bounds", shares, labels)


def _bars(panels: Sequence[_Panel], columns: int, theme: _Theme) -> Figure:
    """Draw panels of bars, with the names of the sides before each row of panels."""
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(9, 0.3 + 2 * rows), layout="constrained")
    for position, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, position + 1)
        names = list(panel.figures)
        colors = [theme.ours if name == OURS else theme.peers for name in names]
        bars = axes.barh(names, list(panel.figures.values()), color=colors, height=0.68)
        axes.bar_label(bars, [panel.labels[name] for name in names], padding=3)
        axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold", pad=17)
        axes.text(0, 1, panel.note, transform=axes.transAxes, fontsize=8, va="bottom")
        axes.set_xlim(0, _ROOM * max(panel.figures.values()))
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.tick_params(length=0, labelleft=position % columns == 0)
        axes.spines[:].set_visible(False)
    return figure


def _scaling(report: Report, theme: _Theme) -> Figure:
    """Draw what a call costs in loads that grow, with the name of each side behind the end of its line."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = list(report.loads(defaults=False))
    messages = [loads[OURS].messages for loads in sizes]
    ends = {name: load.call for name, load in sizes[-1].items()}
    for name, marker in zip(report.sides, _MARKERS, strict=True):
        color = theme.ours if name == OURS else theme.peers
        axes.plot(messages, [loads[name].call for loads in sizes], color=color, marker=marker)
    axes.set_title("processor time of the caller for a call, in µs", loc="left", fontsize=9, fontweight="bold")
    axes.set_xlabel("messages, one call after the other")
    axes.set_xticks(messages)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: shown(value))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(visible=True, axis="y", linewidth=0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.draw_without_rendering()  # settles the limits, which the labels are placed by
    for name, height in _apart({name: _height(axes, end) for name, end in ends.items()}).items():
        axes.annotate(
            f"{name}, {shown(ends[name])} µs",
            (messages[-1], ends[name]),
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            color=theme.ours if name == OURS else theme.text,
            arrowprops={"arrowstyle": "-", "color": theme.faint, "shrinkA": 1, "shrinkB": 4},
            annotation_clip=False,
        )
    return figure


def _height(axes: Axes, value: float) -> float:
    at = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))
    return float(at[1])


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """Move heights up as far as their labels need, from the lowest on."""
    moved: dict[str, float] = {}
    least = float("-inf")
    for name, height in sorted(heights.items(), key=lambda each: each[1]):
        moved[name] = max(height, least)
        least = moved[name] + _APART
    return moved


def _shares(report: Report, theme: _Theme) -> Figure:
    return _bars(list(_delivered(report)), columns=2, theme=theme)


_PLOTS: dict[str, Callable[[Report, _Theme], Figure]] = {
    "overview": _overview,
    "scaling": _scaling,
    "delivered": _shares,
}
