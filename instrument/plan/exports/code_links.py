"""Links from a page to the code."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from instrument.plan.model import CodePlace

_SCHEMES = ("http", "https", "file", "vscode", "idea", "pycharm")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")


@dataclass(frozen=True, slots=True)
class CodeLinks:
    """Where the code of a plan can be read.

    Attributes:
        template: an address with `{file}`, and `{line}` if there is one.

    Raises:
        ValueError: the address has no `{file}`, or a scheme that is none of a place.

    >>> from instrument.plan.model import CodePlace
    >>> CodeLinks("https://git.example/shop/blob/main/{file}#L{line}").to(CodePlace(file="shop/a b.py", line=3))
    'https://git.example/shop/blob/main/shop/a%20b.py#L3'
    """

    template: str = "{file}#L{line}"

    def __post_init__(self) -> None:
        scheme = _SCHEME.match(self.template)
        if "{file}" not in self.template or (scheme and scheme[1].lower() not in _SCHEMES):
            raise ValueError(f"an address with {{file}} is expected, and one of the schemes {', '.join(_SCHEMES)}")

    @classmethod
    def beside(cls, page: Path | None, root: Path) -> CodeLinks:
        """Return links from a page to the files of a project, relative to the page."""
        if page is None:
            return cls()
        way = Path(os.path.relpath(root.resolve(), page.resolve().parent)).as_posix()
        return cls(f"{quote(way)}/{{file}}#L{{line}}")

    def to(self, place: CodePlace) -> str:
        """Return the address of a place; of one without a line, that of the file."""
        address = self.template.replace("{file}", quote(place.file))
        if place.line is None:
            return re.split(r"[#?&:][^/]*\{line\}", address)[0]
        return address.replace("{line}", str(place.line))
