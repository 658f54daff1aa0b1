"""The fixtures of the tests of packages that are made."""

from __future__ import annotations

from tests.plan.codegen.conftest import workshop

__all__ = ["workshop"]
