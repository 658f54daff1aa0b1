"""Event coverage as lines for a terminal, as JSON, and as a page of HTML that needs nothing else."""

from __future__ import annotations

import json
from html import escape
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instrument.printable import printable
from instrument.testing.coverage import Count, is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from instrument.testing.coverage import Branch, Coverage, CoveredMessage

FORMAT = 1
"""The version of the JSON: raised when a key changes its meaning or goes."""

_HEADINGS = ("Module", "Messages", "Miss", "Branches", "Miss", "Cover")
_NO_HANDLER = "no handler emits it"


def to_lines(coverage: Coverage, root: Path) -> list[str]:
    """Return the lines of the terminal's report.

    Args:
        coverage: what is reported.
        root: files below it are shown by their path from there.
    """
    lines = list(_table(coverage))
    if coverage.not_emitted:
        lines += ["", "Never emitted:", *_columns([_row_of_message(each, root) for each in coverage.not_emitted])]
    if coverage.not_seen:
        rows = [_row_of_branch(each, root) for each in coverage.not_seen]
        lines += ["", "Branches never seen:", *_columns(rows)]
    return [printable(line) for line in [*lines, *_remarks(coverage)]]


def to_json(coverage: Coverage, root: Path) -> str:
    """Return the report for programs.

    Args:
        coverage: what is reported.
        root: files below it are named by their path from there.
    """
    report: dict[str, Any] = {
        "format": FORMAT,
        "packages": list(coverage.packages),
        "percent": coverage.count.percent,
        "totals": {"messages": _json_count(coverage.message_count), "branches": _json_count(coverage.branch_count)},
        "messages": [
            {
                "class": each.message.path,
                "type": each.message.type,
                "name": each.message.event or None,
                **_json_place(each.message.file, each.message.line, root),
                "emitted": each.emitted,
                "handlers": [{"handler": branch.handler, "moment": branch.moment} for branch in each.branches],
            }
            for each in coverage.messages
        ],
        "handlers": [
            {
                "handler": each.handler,
                **_json_place(each.file, each.line, root),
                "branches": [
                    {"moment": branch.moment, "message": branch.message, "seen": seen} for branch, seen in each.branches
                ],
            }
            for each in coverage.handlers
        ],
        "unimported": list(coverage.unimported),
        "lost_workers": coverage.lost,
    }
    return json.dumps(report, indent=2) + "\n"


def to_html(coverage: Coverage, root: Path) -> str:
    """Return the report as a page that loads nothing and runs nothing.

    Args:
        coverage: what is reported.
        root: files below it are shown by their path from there.
    """
    messages = [_html_row(_html_message(each, root), covered=each.emitted) for each in coverage.messages]
    branches = [
        _html_row(("seen" if seen else "never seen", *_row_of_branch(branch, root)), covered=seen)
        for each in coverage.handlers
        for branch, seen in each.branches
    ]
    return _PAGE.format(
        percent=escape(coverage.count.percent_text),
        scope=escape("of " + ", ".join(coverage.packages) if coverage.packages else "of all that was imported"),
        messages=_html_count(coverage.message_count, "messages emitted"),
        branches=_html_count(coverage.branch_count, "branches seen"),
        remarks="".join(f"<p>{escape(printable(line))}</p>" for line in _remarks(coverage) if line),
        message_rows="\n".join(messages),
        branch_rows="\n".join(branches),
    )


def failed_threshold(coverage: Coverage, threshold: float) -> str | None:
    """Tell why a coverage is not enough; `None` where it is.

    Args:
        coverage: the coverage.
        threshold: how many percent are enough.
    """
    percent = coverage.count.percent
    if percent is None:
        return f"no message and no handler was found, so that {threshold:g}% cannot be reached"
    if percent < threshold:
        return f"{floor(percent * 100) / 100:.2f}% is below the required {threshold:g}%"
    return None


def _table(coverage: Coverage) -> Iterator[str]:
    rows = [(module, *_cells(*counts)) for module, counts in _by_module(coverage)]
    total = ("TOTAL", *_cells(coverage.message_count, coverage.branch_count))
    widths = [max(len(printable(row[column])) for row in (_HEADINGS, *rows, total)) for column in range(len(total))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_aligned(row, widths) for row in (_HEADINGS, *rows, total)]
    yield from (lines[0], rule, *lines[1:-1], *([rule] if rows else []), lines[-1])


def _by_module(coverage: Coverage) -> list[tuple[str, tuple[Count, Count]]]:
    modules = {each.message.module for each in coverage.messages} | {each.module for each in coverage.handlers}
    return [
        (
            module,
            (
                Count.of(each.emitted for each in coverage.messages if each.message.module == module),
                Count.of(seen for each in coverage.handlers if each.module == module for _, seen in each.branches),
            ),
        )
        for module in sorted(modules)
    ]


def _cells(messages: Count, branches: Count) -> tuple[str, ...]:
    both = messages + branches
    return (str(messages.total), str(messages.missed), str(branches.total), str(branches.missed), both.percent_text)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (printable(cell) for cell in row)
    return "  ".join(
        [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    )


def _row_of_message(each: CoveredMessage, root: Path) -> tuple[str, ...]:
    message = each.message
    handlers = ", ".join(dict.fromkeys(branch.handler for branch in each.branches)) or _NO_HANDLER
    return message.title, message.type, message.path, _place(message.file, message.line, root), handlers


def _row_of_branch(branch: Branch, root: Path) -> tuple[str, ...]:
    return branch.handler, branch.moment, branch.title, _place(branch.file, branch.line, root)


def _columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _remarks(coverage: Coverage) -> Iterator[str]:
    if coverage.unimported:
        yield ""
        yield f"Not imported, so that nothing is known of what they declare: {', '.join(coverage.unimported)}"
    modules = {module for module, _ in _by_module(coverage)} | set(coverage.unimported)
    empty = [package for package in coverage.packages if not any(is_within(each, [package]) for each in modules)]
    if empty:
        yield ""
        yield f"Without a message or a handler: {', '.join(empty)}"
    if coverage.lost:
        yield ""
        yield f"Workers that ended without telling what they had seen, so that more may be covered: {coverage.lost}"


def _place(file: str, line: int, root: Path) -> str:
    return f"{_from(root, file)}:{line}"


def _from(root: Path, file: str) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _json_count(count: Count) -> dict[str, int]:
    return {"covered": count.covered, "total": count.total}


def _json_place(file: str, line: int, root: Path) -> dict[str, Any]:
    return {"file": _from(root, file), "line": line}


def _html_message(each: CoveredMessage, root: Path) -> tuple[str, ...]:
    message = each.message
    handlers = ", ".join(f"{branch.handler} ({branch.moment})" for branch in each.branches) or _NO_HANDLER
    state = "emitted" if each.emitted else "never emitted"
    return state, message.title, message.type, message.path, _place(message.file, message.line, root), handlers


def _html_row(cells: Iterable[str], *, covered: bool) -> str:
    tagged = "".join(f"<td>{escape(printable(cell))}</td>" for cell in cells)
    return f'<tr class="{"covered" if covered else "missed"}">{tagged}</tr>'


def _html_count(count: Count, what: str) -> str:
    return f"<b>{count.covered:,}</b> of {count.total:,} {escape(what)}"


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Event coverage: {percent}</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; --missed: #b00020; --tint: #b0002014; }}
@media (prefers-color-scheme: dark) {{ :root {{ --missed: #ff8a94; --tint: #ff8a941f; }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }}
.percent {{ font-size: 2.5rem; font-weight: 600; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }}
.missed {{ background: var(--tint); }}
.missed td:first-child {{ color: var(--missed); font-weight: 600; }}
</style>
</head>
<body>
<main>
<h1>Event coverage</h1>
<p><span class="percent">{percent}</span> {scope}</p>
<p>{messages}; {branches}</p>
{remarks}
<h2>Messages</h2>
<div class="table" role="region" aria-label="Messages" tabindex="0">
<table>
<thead><tr><th scope="col">State</th><th scope="col">Name</th><th scope="col">Call</th><th scope="col">Class</th>\
<th scope="col">Declared at</th><th scope="col">Emitted by</th></tr></thead>
<tbody>
{message_rows}
</tbody>
</table>
</div>
<h2>Handlers</h2>
<div class="table" role="region" aria-label="Handlers" tabindex="0">
<table>
<thead><tr><th scope="col">State</th><th scope="col">Handler</th><th scope="col">Moment</th>\
<th scope="col">Message</th><th scope="col">Defined at</th></tr></thead>
<tbody>
{branch_rows}
</tbody>
</table>
</div>
</main>
</body>
</html>
"""
