"""The page about the command shows what it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs.documents import ROOT, blocks

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop


def test_the_package_that_is_shown_is_made_of_the_plan_that_is_shown(workshop: Workshop) -> None:
    shown = {block.language: block.code for block in blocks(ROOT / "docs" / "plan-codegen.md")}
    assert workshop.made(shown["json"]) == shown["python"]
