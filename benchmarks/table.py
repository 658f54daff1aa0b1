"""The results: figures, their bars, and the table that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure of ours has to reach.

    Attributes:
        kind: whether the bar is for the figure itself, or for its ratio to the other side's.
        most: the figure, or the ratio, is at most this; where it is `False`, at least this.
        value: the bar.
    """

    value: float
    kind: Literal["ratio", "figure"] = "ratio"
    most: bool = True

    def met(self, ours: float, ratio: float | None) -> bool:
        """Whether a result reaches it."""
        got = ours if self.kind == "figure" else ratio
        if got is None:
            return False
        return got <= self.value if self.most else got >= self.value

    def __str__(self) -> str:
        sign = "≤" if self.most else "≥"
        return f"{sign} {shown(self.value)}" + ("x" if self.kind == "ratio" else "")


@dataclass(frozen=True, slots=True)
class Result:
    """One row: a figure of ours, beside that of another client.

    Attributes:
        what: what was measured.
        unit: the unit of both figures.
        theirs: the figure of Segment's client, or of the peer that `what` names; `None` where there is none.
        ours: the figure of this package.
        bar: what has to be reached; `None` for a figure that only informs.
    """

    what: str
    unit: str
    theirs: float | None
    ours: float
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """Our figure as a multiple of theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; `None` without one."""
        return None if self.bar is None else self.bar.met(self.ours, self.ratio)

    def document(self) -> dict[str, object]:
        """Return the row for a file."""
        return {
            "what": self.what,
            "unit": self.unit,
            "theirs": self.theirs,
            "ours": self.ours,
            "ratio": self.ratio,
            "bar": None if self.bar is None else str(self.bar),
            "met": self.met,
        }

    def cells(self) -> list[str]:
        """Return the row for the table."""
        return [
            self.what,
            "-" if self.theirs is None else f"{shown(self.theirs)} {self.unit}".rstrip(),
            f"{shown(self.ours)} {self.unit}".rstrip(),
            "-" if self.ratio is None else f"{self.ratio:.2f}x",
            "" if self.bar is None else str(self.bar),
            {None: "", True: "yes", False: "NO"}[self.met],
        ]


HEADINGS = ["what", "Segment's", "ours", "ratio", "bar", "met"]


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table as text; the first columns are aligned to the left, the others to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    shown = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([shown[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *shown[1:]])


def show_in(document: Path, text: str) -> None:
    """Put a table into a document, in the place of the one between its comments."""
    put_in(document, f"```text\n{text}\n```")


def put_in(document: Path, markdown: str) -> None:
    """Put results into a document, in the place of those between its comments."""
    before, begin, rest = document.read_text(encoding="utf-8").partition("<!-- results -->\n")
    _, end, after = rest.partition("<!-- end of results -->\n")
    if not begin or not end:
        raise ValueError(f"{document.name} has no comments around its results")
    document.write_text(f"{before}{begin}{markdown}\n{end}{after}", encoding="utf-8")


def shown(value: float) -> str:
    """Return a figure with as many digits as are worth reading."""
    if value == 0 or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
