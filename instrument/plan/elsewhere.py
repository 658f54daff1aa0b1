"""Making the plan of a project in a process of its own, which imports it from its directory and from nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import BaseModel

from instrument.errors import InstrumentError
from instrument.plan.collect import collect
from instrument.plan.model import Plan
from instrument.plan.project import ProjectError, find_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class NotPlannedError(InstrumentError):
    """The other process could not make the plan."""


class _Asked(BaseModel):
    root: Path
    packages: tuple[str, ...]
    exclude: tuple[str, ...]
    out: Path


def plan_of(root: Path, packages: Sequence[str], exclude: Sequence[str], *, env: Mapping[str, str]) -> Plan:
    """Return the plan of the project in a directory.

    Args:
        root: the directory.
        packages: instead of those that its pyproject.toml names.
        exclude: besides those.
        env: the environment of the process.

    Raises:
        NotPlannedError: it has no plan; with what the process said.
    """
    with TemporaryDirectory(prefix="instrument-plan-") as directory:
        asked = _Asked(root=root, packages=tuple(packages), exclude=tuple(exclude), out=Path(directory, "plan.json"))
        done = subprocess.run(  # noqa: S603 - this Python, with this module
            [sys.executable, "-m", __name__],
            input=asked.model_dump_json().encode(),
            capture_output=True,
            check=False,
            cwd=directory,  # which Python looks into for modules: there are none
            env=env,
        )
        if done.returncode or not asked.out.exists():
            said = done.stderr.decode(errors="backslashreplace").strip()
            raise NotPlannedError(said or f"the process ended with {done.returncode}, and said nothing")
        return Plan.read(asked.out)


def main() -> None:
    """Answer one question, which comes by standard input.

    Raises:
        ProjectError: what was imported is not the package that was asked for.
    """
    asked = _Asked.model_validate_json(sys.stdin.buffer.read())
    os.chdir(asked.root)
    try:
        project = find_project(asked.root, packages=asked.packages, exclude=asked.exclude)
        plan = collect(project)
        for package, place in _strangers(project.packages, asked.root):
            raise ProjectError(f"the package {package} is not there: what was imported is {place}")
    except InstrumentError as error:
        sys.exit(str(error))
    asked.out.write_text(plan.to_json(), encoding="utf-8")


def _strangers(packages: Sequence[str], root: Path) -> Iterator[tuple[str, Path]]:
    for package in packages:
        spec = sys.modules[package].__spec__
        places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin]
        place = next((Path(each) for each in places if each is not None), None)
        if place is not None and not place.resolve().is_relative_to(root.resolve()):
            yield package, place


if __name__ == "__main__":
    main()
