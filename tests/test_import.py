"""What an import of the package brings with it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_LISTING = "import json, sys, instrument; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Name every module that `import instrument` leaves behind in a fresh process."""
    listed = subprocess.run([sys.executable, "-c", _LISTING], check=True, capture_output=True, text=True)
    return set(json.loads(listed.stdout))


@pytest.mark.parametrize("module", ["requests", "segment.analytics", "sqlite3", "pydantic_settings"])
def test_what_sending_needs_is_not_imported(imported: set[str], module: str) -> None:
    assert "instrument.client" in imported
    assert module not in imported


def test_what_decorating_needs_is_not_imported(imported: set[str]) -> None:
    assert "instrument.decorators" in imported
    assert "wrapt" not in imported


def test_no_model_is_built(imported: set[str]) -> None:
    # With the first one pydantic looks through every installed package for plugins.
    assert "pydantic.main" in imported
    assert "importlib.metadata" not in imported
