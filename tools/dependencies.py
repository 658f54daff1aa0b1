"""Which packages the core and each extra need, and their licences: `make dependencies` writes docs/dependencies.md.

Versions are left out, so that the page is as old as the choice of packages and no older.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message

PAGE = Path(__file__).parents[1] / "docs" / "dependencies.md"
PACKAGE = "instrument-analytics"

_IDENTIFIERS = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "BSD": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Dual License": "",  # says nothing by itself
}
"""By what older metadata say, the identifier of SPDX."""

_COPYLEFT = re.compile("GPL|MPL|EPL|EUPL|CDDL")


@dataclass(frozen=True, slots=True)
class Needed:
    """A package that is needed.

    Attributes:
        name: its name in the index.
        licence: an expression of SPDX, as far as its metadata give one.
    """

    name: str
    licence: str


def licence_of(metadata: Message) -> str:
    """Return the licence that a package's metadata tell: the expression, else the classifiers, else the free text."""
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [each for each in metadata.get_all("Classifier", []) if each.startswith("License :: ")]
    told = [
        _identifier(each.rpartition(" :: ")[2]) for each in classifiers if each.count(" :: ") > 1 or "OSI" not in each
    ]
    if any(told):
        return " OR ".join(sorted({each for each in told if each}))
    return _identifier(str(metadata.get("License") or "").strip().partition("\n")[0]) or "unknown"


def same_licence(one: str, other: str) -> bool:
    """Whether two texts tell of the same kinds of licences, where one may say more exactly which of a kind."""
    return _kinds(one) == _kinds(other)


def direct(extra: str | None) -> list[Requirement]:
    """Return what the core needs itself, or what an extra adds to it, whatever Python this is."""
    found = [Requirement(each) for each in requires(PACKAGE) or ()]
    return [each for each in found if _extra_of(each) == extra]


def extras() -> list[str]:
    """Return the names of the extras."""
    return sorted(distribution(PACKAGE).metadata.get_all("Provides-Extra", []))


def brought_along(roots: Iterable[str]) -> dict[str, set[str]]:
    """Return the packages that others need in turn in this environment: by name, who needs them."""
    waiting, seen = [canonicalize_name(each) for each in roots], set[str]()
    found: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for requirement in _needs(name):
            needed = canonicalize_name(requirement.name)
            found.setdefault(needed, set()).add(name)
            waiting.append(needed)
    return found


def needed(name: str) -> Needed | None:
    """Return a package with its licence; `None` where it is not installed, since this Python does not need it."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return None
    return Needed(canonicalize_name(name), licence_of(metadata))  # type: ignore[arg-type]  # it is a Message


def rows() -> Iterator[tuple[str, Needed]]:
    """Yield what is needed directly: by whom, and what; of packages that are not installed, the licence is unknown."""
    for extra in (None, *extras()):
        for name in sorted({canonicalize_name(each.name) for each in direct(extra)}):
            yield extra or "core", needed(name) or Needed(name, "unknown")


def page() -> str:
    """Return the page of the documentation."""
    of_core = [each for by, each in rows() if by == "core"]
    of_extras = [(by, each) for by, each in rows() if by != "core"]
    known = {each.name for _, each in rows()}
    others = {name: by for name, by in brought_along(known).items() if name not in known}
    in_turn = [each for name in sorted(others) if (each := needed(name)) is not None]
    everything = [*of_core, *(each for _, each in of_extras), *in_turn]
    copyleft = sorted({f"{each.name} ({each.licence})" for each in everything if _COPYLEFT.search(each.licence)})
    return "\n".join(
        [
            *_HEAD,
            f"Under a licence that asks for something in return: {', '.join(copyleft)}.",
            "None of it is copied into the package: each is installed by itself, from its own distribution.",
            "",
            "## The core",
            "",
            "| package | licence |",
            "| --- | --- |",
            *(f"| {each.name} | {each.licence} |" for each in of_core),
            "",
            "## The extras",
            "",
            "| extra | package | licence |",
            "| --- | --- | --- |",
            *(f"| {by} | {each.name} | {each.licence} |" for by, each in of_extras),
            "",
            "## What these need in turn",
            "",
            "As it was when this page was made; newer versions of the packages above may need others.",
            "",
            "| package | licence | needed by |",
            "| --- | --- | --- |",
            *(f"| {each.name} | {each.licence} | {', '.join(sorted(others[each.name]))} |" for each in in_turn),
            "",
        ]
    )


_HEAD = (
    "# Dependencies and their licences",
    "",
    "What `pip install instrument-analytics` brings along, what each extra adds, and under which licences, as the",
    "packages say it themselves. `make dependencies` makes this page; a test tells when `pyproject.toml` says else.",
    "`make audit` asks for known vulnerabilities.",
    "",
)


def _needs(name: str) -> list[Requirement]:
    """Return what an installed package needs here without any extra of its own."""
    try:
        found = [Requirement(each) for each in requires(name) or ()]
    except PackageNotFoundError:
        return []
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def _extra_of(requirement: Requirement) -> str | None:
    found = re.search(r"""extra == ['"]([\w-]+)['"]""", str(requirement.marker or ""))
    return found[1] if found else None


def _identifier(told: str) -> str:
    return _IDENTIFIERS.get(told, told)


def _kinds(expression: str) -> set[str]:
    return {part.partition("-")[0].lower() for part in re.findall(r"[\w.+-]+", expression) if part not in {"OR", "AND"}}


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Make the page with Python 3.11 or newer: older ones need packages of their own besides.")
    PAGE.write_text(page(), encoding="utf-8")
