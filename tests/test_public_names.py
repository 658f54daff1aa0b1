"""What users may build on is written down, so that a change of it is seen by whoever reads the change."""

from __future__ import annotations

import ast
from importlib import import_module
from inspect import isroutine
from typing import TYPE_CHECKING

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, blocks
from tools.public_names import WRITTEN, is_class, public_modules, public_names

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_TESTS_OF_EXAMPLES = {"instrument.cli.app", "instrument.client"}
"""Where the tests of the examples reach inside, as no user should."""

_HOW_TO_GO_ON = (
    "A line with - breaks programs that use it: keep the old name or parameter beside the new one, or say in "
    "CHANGELOG.md what to write instead. Then run `make public-names`, and commit the file with the change."
)


@pytest.fixture(scope="module")
def names() -> list[str]:
    return public_names()


def test_the_public_names_are_those_that_are_written_down(names: list[str]) -> None:
    written = WRITTEN.read_text(encoding="utf-8").splitlines()
    gone = [f"- {line}" for line in written if line not in set(names)]
    new = [f"+ {line}" for line in names if line not in set(written)]
    assert not gone + new, "\n".join(
        [
            "The public names are not those of tests/public_names.txt:",
            *gone,
            *new,
            _HOW_TO_GO_ON,
        ]
    )
    assert written == names, "tests/public_names.txt is out of order: run `make public-names`"


def _shown() -> Iterator[tuple[str, str, str]]:
    """Yield what documents and examples import of the package: where, the module, the name."""
    sources = [(each.document, each.code) for document in DOCUMENTS for each in blocks(document) if each.is_run]
    sources += [(path, path.read_text(encoding="utf-8")) for path in (ROOT / "examples").rglob("*.py")]
    for path, code in sources:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "instrument":
                for each in node.names if node.module not in OF_TESTS_OF_EXAMPLES else ():
                    yield path.relative_to(ROOT).as_posix(), str(node.module), each.name


SHOWN = sorted({(module, name): place for place, module, name in _shown()}.items())


@pytest.mark.parametrize(("shown", "place"), SHOWN, ids=[".".join(shown) for shown, _ in SHOWN])
def test_what_users_are_shown_to_import_is_public(shown: tuple[str, str], place: str, names: list[str]) -> None:
    module, name = shown
    is_module = f"{module}.{name}" in public_modules()
    is_written = any(
        line.startswith((f"{module}.{name}:", f"{module}.{name}(", f"{module}.{name} =")) for line in names
    )
    assert is_module or is_written, f"{place} imports {name} from {module}, which is not in tests/public_names.txt"


@pytest.mark.parametrize("module", public_modules())
def test_what_a_public_module_defines_is_explained(module: str, names: list[str]) -> None:
    prefix = f"{module}."
    own = {
        line.removeprefix(prefix).partition("(")[0].partition(":")[0].partition(" ")[0]
        for line in names
        if line.startswith(prefix)
    }
    values = {name: getattr(import_module(module), name, None) for name in own if "." not in name}
    assert [name for name, value in values.items() if (is_class(value) or isroutine(value)) and not value.__doc__] == []
