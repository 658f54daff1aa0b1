"""The page about the command shows what it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs.documents import ROOT, blocks

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop


def test_the_package_that_is_shown_is_made_of_the_plan_that_is_shown(workshop: Workshop) -> None:
    shown = list(blocks(ROOT / "docs" / "plan-codegen.md"))
    plan, module = (next(each.code for each in shown if each.language == language) for language in ("json", "python"))
    assert workshop.made(plan) == module
