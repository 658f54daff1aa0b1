"""The page of dependencies names what is needed, under the licences that it has; the audit says what it does not know."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.docs.test_tables import rows
from tests.test_packaging import CORE, EXTRAS
from tools.audit import Verdict, verdict
from tools.dependencies import licence_of, same_licence

PAGE = "docs/dependencies.md"
HOW = "docs/dependencies.md is not what pyproject.toml says: run `make dependencies`"


def _documented() -> set[tuple[str, str]]:
    of_core = {("core", package) for package, _ in rows(PAGE, "package")}
    return of_core | {(extra, package) for extra, package, _ in rows(PAGE, "extra")}


def _licences() -> dict[str, str]:
    return dict(rows(PAGE, "package")) | {package: licence for _, package, licence in rows(PAGE, "extra")}


def test_the_page_has_what_the_core_and_each_extra_need() -> None:
    needed = {("core", canonicalize_name(name)) for name in CORE}
    needed |= {(extra, canonicalize_name(name)) for extra, names in EXTRAS.items() for name in names}
    assert _documented() == needed, HOW


@pytest.mark.parametrize("package", _licences())
def test_a_package_has_the_licence_that_the_page_says(package: str) -> None:
    try:
        metadata: Any = distribution(package).metadata
    except PackageNotFoundError:
        pytest.skip("not needed on this Python")
    written, told = _licences()[package], licence_of(metadata)
    assert same_licence(written, told), f"{package}: {written!r} is written down, it says {told!r}. {HOW}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("BSD", "BSD-3-Clause", True),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT", True),
        ("MIT", "Apache-2.0", False),
        ("MIT", "MIT AND MPL-2.0", False),
        ("MIT", "unknown", False),
    ],
)
def test_licences_are_the_same_where_one_is_only_told_more_exactly(one: str, other: str, same: bool) -> None:
    assert same_licence(one, other) is same


CLEAR = {"name": "pydantic", "version": "2.14.4", "vulns": []}
WRONG = {"name": "wrapt", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "rich", "skip_reason": "not found"}
OURS = {"name": "instrument-analytics", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "status", "text"),
    [
        ([CLEAR, OURS], 0, "1 packages without a known vulnerability, 0 with one"),
        ([CLEAR, WRONG, SKIPPED], 1, "VULNERABLE wrapt 1.0: PYSEC-1 (fixed in 1.1)"),
        ([CLEAR, SKIPPED], 2, "NOT AUDITED, since the service does not know them: rich"),
        ([SKIPPED, OURS], 2, "NOT AUDITED: the service of vulnerabilities cannot be reached from here."),
        ([], 2, "NOT AUDITED: the service of vulnerabilities cannot be reached from here."),
    ],
)
def test_an_audit_says_what_it_found_and_what_it_could_not_ask(
    dependencies: list[dict[str, Any]], status: int, text: str
) -> None:
    found = verdict({"dependencies": dependencies})
    assert found.status == status
    assert text in str(found).splitlines()


def test_an_audit_without_an_answer_says_why() -> None:
    assert str(Verdict(why="No route to host")).startswith(
        "NOT AUDITED: the service of vulnerabilities cannot be reached from here. No route to host\n"
    )
