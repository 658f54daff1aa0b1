"""Which format a plan is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.plan.codegen.documents import read_json
from instrument.plan.codegen.json_schemas import is_whole_plan, read_directory, read_whole_plan
from instrument.plan.codegen.planned import is_plan_file, read_plan_file
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.codegen.segment import is_segment_plan, read_segment_plan
from instrument.plan.codegen.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instrument.plan.codegen.drafts import Draft

_FORMATS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str, str], Draft]], ...] = (
    (is_plan_file, read_plan_file),
    (is_whole_plan, read_whole_plan),
    (is_segment_plan, read_segment_plan),
)


def read_plan(path: Path) -> Draft:
    """Draft the classes of a plan, whatever its format.

    Args:
        path: a plan of Segment or Typewriter, our plan file, our JSON Schema, a table in CSV, or a directory with a
            JSON Schema for each event.

    Raises:
        PlanFileError: it cannot be read, or is no plan.
    """
    if path.is_dir():
        return read_directory(path)
    if path.suffix.lower() == ".csv":
        return read_table(path)
    value = read_json(path)
    for is_one, read in _FORMATS:
        if is_one(value):
            return read(value, str(path), path.name)
    raise PlanFileError(
        str(path),
        "it is no plan: those of Segment Protocols and of Typewriter have `rules`, ours has `format`, and our JSON "
        "Schema `x-instrument-plan`. For schemas of single events give the directory that they are in.",
    )
