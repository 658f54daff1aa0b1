"""Which format a plan is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.plan.codegen.documents import read_json
from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.codegen.segment import is_segment_plan, read_segment_plan

if TYPE_CHECKING:
    from pathlib import Path

    from instrument.plan.codegen.drafts import Draft


def read_plan(path: Path) -> Draft:
    """Draft the classes of a plan, whatever its format.

    Args:
        path: a plan of Segment or Typewriter.

    Raises:
        PlanFileError: it cannot be read, or is no plan.
    """
    value = read_json(path)
    if is_segment_plan(value):
        return read_segment_plan(value, str(path), path.name)
    raise PlanFileError(str(path), "it is no plan: those of Segment Protocols and of Typewriter have `rules`")
