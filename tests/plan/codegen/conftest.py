"""A directory for each test to make packages in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.plan.codegen.made import Workshop
from tests.sharing import shared_directory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workshop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.chdir(tmp_path)
    return Workshop(tmp_path, f"made_{uuid4().hex[:12]}", partial(shared_directory, tmp_path_factory, "mypy"))
