"""The page about the command shows what it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs.documents import ROOT, blocks
from tests.plan.adopt.shop import write

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop


def test_the_class_that_is_shown_is_made_of_the_calls_that_are_shown(workshop: Workshop) -> None:
    shown = list(blocks(ROOT / "docs" / "plan-codegen.md"))
    calls = next(each.code for each in shown if "analytics.track(" in each.code)
    made = next(each.code for each in shown if "class OrderCompleted" in each.code and each.language == "text")
    code = write(workshop.root, {"orders.py": f"{calls.rstrip()}\nimport segment.analytics as analytics\n"})
    workshop.run("plan", "adopt", str(code), "-o", str(workshop.package))
    source = (workshop.package / "events.py").read_text(encoding="utf-8")
    assert source.endswith(made)
