"""What the linter found: as lines, as JSON, and as annotations of a run of GitHub's Actions."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from instrument.printable import counted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from instrument.plan.lint import Problem

FORMAT = 1
"""The version of the JSON: raised when a key changes its meaning or goes."""


def to_text(problems: Sequence[Problem], root: Path) -> str:
    """Return a line for each problem, and one with their number.

    Args:
        problems: what was found.
        root: what their files are relative to; shown they are relative to the current directory, as of other linters.
    """
    lines = [f"{_seen_from_here(each, root)}:{each.line}: {each.code} {each.text}" for each in problems]
    lines.append(counted(len(problems), "problem") if problems else "no problem")
    return "\n".join(map(printable, lines)) + "\n"


def to_json(problems: Sequence[Problem], root: Path) -> str:
    """Return the problems for programs; their files are relative to the root of the project.

    Args:
        problems: what was found.
        root: not needed.
    """
    del root
    found = [
        {
            "code": each.code,
            "file": each.file,
            "line": each.line,
            "text": each.text,
            "messages": list(each.messages),
        }
        for each in problems
    ]
    return json.dumps({"format": FORMAT, "problems": found}, indent=2) + "\n"


def to_github(problems: Sequence[Problem], root: Path) -> str:
    """Return a workflow command for each problem, by which it is shown where it stands in a pull request.

    https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions

    Args:
        problems: what was found.
        root: what their files are relative to.
    """
    return "".join(
        f"::error file={_property(_seen_from_here(each, root))},line={each.line},title={_property(each.code)}"
        f"::{_data(printable(each.text))}\n"
        for each in problems
    )


def _seen_from_here(problem: Problem, root: Path) -> str:
    try:
        return os.path.relpath(root / problem.file).replace(os.sep, "/")
    except ValueError:  # on another drive
        return problem.file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
