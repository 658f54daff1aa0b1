"""The page of a report, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.claims import claims, percent, scaling, with_unit
from benchmarks.report.figures import MEASURES, OVERVIEW
from benchmarks.report.plots import file_name
from benchmarks.sides import OURS
from benchmarks.table import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.report.figures import Measure, Report, Scaled


def page(report: Report, images: str) -> str:
    """Return what is told of a report.

    Args:
        report: the figures.
        images: the folder of the plots, as the page names it.
    """
    return "\n\n".join(_parts(report, images))


def _parts(report: Report, images: str) -> Iterator[str]:
    ahead, others = claims(report)
    yield _origin(report)
    yield _picture("overview", f"Bars for each client: {'; '.join(each.title for each in OVERVIEW)}; what came", images)
    yield "### Where a peer is ahead"
    yield _bulleted(ahead) if ahead else "In none of the measures."
    yield "### Where none is"
    yield _bulleted(others) if others else "In none of the measures."
    yield "### Figures"
    yield _table(["", *report.sides], [_row(report, measure) for measure in MEASURES])
    yield "### From few messages to many"
    yield _bulleted(scaling(report))
    yield _picture("scaling", "Lines of what a call costs, for loads that grow", images)
    yield "Microseconds of the calling thread for a call, with a queue that holds all messages:"
    yield _by_size(report, lambda load: shown(load.call), defaults=False)
    yield _picture("delivered", "Bars of the share that was delivered, for loads that grow", images)
    yield "What came, at the default bounds:"
    yield _by_size(report, percent, defaults=True)


def _origin(report: Report) -> str:
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    crowd = "busy with other work, so that times are those of a crowded machine" if _crowded(report) else "quiet"
    return (
        f"Measured on {report.date[:10]}, on {machine['system']} {machine['machine']} ({machine['processor']}, "
        f"{machine['cores']} cores), Python {machine['python']}; {versions}. When it began, {report.busy:.1f} "
        f"processes wanted to run at once: {crowd}."
    )


def _crowded(report: Report) -> bool:
    return bool(report.busy > report.machine["cores"] / 2)


def _row(report: Report, measure: Measure) -> list[str]:
    medians = report.medians(measure)
    best = (max if measure.more else min)(medians.values())
    cells = (
        f"**{with_unit(each, measure)}**" if each == best else with_unit(each, measure) for each in medians.values()
    )
    return [measure.title, *cells]


def _by_size(report: Report, cell: Callable[[Scaled], str], *, defaults: bool) -> str:
    sizes = report.loads(defaults=defaults)
    rows = [[f"{loads[OURS].messages:,}", *map(cell, loads.values())] for loads in sizes]
    return _table(["messages", *report.sides], rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bulleted(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {each}" for each in sentences)


def _picture(plot: str, alt: str, images: str) -> str:
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{images}/{file_name(plot, "dark")}">\n'
        f'  <img alt="{alt}" src="{images}/{file_name(plot, "light")}">\n'
        "</picture>"
    )
