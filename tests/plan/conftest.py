"""Projects with packages of their own, imported and forgotten."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from instrument.messages import registry
from instrument.plan.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    WriteProject = Callable[..., Project]

SCOPES = """
    from __future__ import annotations
    from instrument import Scope
    from pydantic import Field

    class UserScope(Scope):
        "Who acts."
        user_id: int

    class ShopScope(UserScope):
        "The shop that something happens in."
        shop_id: int = Field(serialization_alias="shop", ge=1)
"""


@pytest.fixture
def write_project(tmp_path: Path) -> Iterator[WriteProject]:
    """Give a function that writes the package `shop`: by file name, its source; `scopes.py` is there."""

    def write(**sources: str) -> Project:
        for name, source in {"__init__": "", "scopes": SCOPES, **sources}.items():
            file = tmp_path.joinpath("shop", *name.split("/")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(source).lstrip("\n"), encoding="utf-8")
        return Project(tmp_path, ("shop",))

    before = set(sys.modules)
    with registry.isolated():
        yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "shop":
            del sys.modules[name]
