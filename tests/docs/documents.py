"""The code blocks of the documentation, and what a reader would see when running them."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))


def name_of(document: Path) -> str:
    """Return the name of a document in the ids of tests."""
    return document.relative_to(ROOT).as_posix()


_FENCE = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\bapp\.py:\d+"), "app.py:<line>"),
    (re.compile(r'"version": ?"[\d.]+"'), '"version": "<version>"'),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        document: the file.
        line: the line of its first line of code.
        language: what the fence says.
        comment: the HTML comment right before it: `skip: why`, `output` for what the Python before it prints, `file:` with the
            path of a file of this repository that the code is the whole of; in the tutorial `write:` with the file that
            the reader makes of it, `run`, or `background:` with the port of what goes on running.
        code: the text.
    """

    document: Path
    line: int
    language: str
    comment: str
    code: str

    @property
    def is_run(self) -> bool:
        return self.language == "python" and not self.comment.startswith(("skip:", "write:"))

    def run(self, module: ModuleType) -> str:
        """Run the block in a module, and return what it prints."""
        printed = io.StringIO()
        with redirect_stdout(printed):
            try:
                exec(compile(self.code, "app.py", "exec"), vars(module))
            except Exception as error:
                raise AssertionError(f"{self.document}:{self.line}: the block raised {error!r}") from error
        return printed.getvalue()


def blocks(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(document, line, match["language"], match["comment"] or "", match["code"])


def as_module(document: Path) -> str:
    """Return every Python block of a document as one module, each line where it stands in the document."""
    lines: list[str] = []
    for block in blocks(document):
        if block.is_run:
            lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
    return "\n".join(lines) + "\n"


def unchanging(output: str) -> str:
    """Return an output without what is different each time: ids, times, line numbers, the version."""
    for pattern, replacement in _CHANGING:
        output = pattern.sub(replacement, output)
    return output.strip()
