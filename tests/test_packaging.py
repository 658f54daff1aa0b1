"""What is published: complete, importable, and with no more dependencies than it says."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from email import message_from_bytes
from functools import cache
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

from tests.docs.documents import DOCUMENTS, ROOT
from tests.packages.one_extra import LOADED_BY_INSTRUMENT, NEEDS, modules, needs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from email.message import Message
    from pathlib import Path

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = frozenset(Requirement(each).name for each in PROJECT["dependencies"])
EXTRAS: dict[str, frozenset[str]] = {
    extra: frozenset(Requirement(each).name for each in requirements)
    for extra, requirements in PROJECT["optional-dependencies"].items()
}
PLUGIN = "instrument_pytest"
MODULES: Mapping[str, Path] = {**modules(ROOT / "instrument"), PLUGIN: ROOT / f"{PLUGIN}.py"}

IMPORTED_AS = {
    "grpcio": "grpc",
    "nats-py": "nats",
    "opentelemetry-api": "opentelemetry",
    "segment-analytics-python": "segment",
}
"""By distribution, the package that is imported, where that is not the same name with underscores."""

BRINGS = {
    "pydantic": {"pydantic_core"},
    "segment-analytics-python": {"requests"},
    "django": {"asgiref"},
    "fastapi": {"starlette"},
    "flask": {"werkzeug"},
    "quart": {"werkzeug"},
}
"""By distribution, the packages of others that it cannot be without, and that its users meet."""

_EXTRA = re.compile(r"instrument-analytics\[([\w, -]+)\]")


class Built:
    """A wheel, and what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with ZipFile(path) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}

    def info(self, name: str) -> bytes:
        (found,) = (content for path, content in self.files.items() if path.endswith(f".dist-info/{name}"))
        return found

    @property
    def metadata(self) -> Message:
        return message_from_bytes(self.info("METADATA"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of what the sdist unpacks to."""
    directory = tmp_path_factory.mktemp("sdist")
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(directory))
    with tarfile.open(path) as archive:
        archive.extractall(directory / "unpacked", filter="data")
    (root,) = (directory / "unpacked").iterdir()
    return root


def test_the_wheel_has_every_file_of_the_package_and_the_plugin_and_no_other(wheel: Built) -> None:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "instrument").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel.files if ".dist-info/" not in name} == {*package, f"{PLUGIN}.py"}


def test_the_wheel_says_that_it_is_typed(wheel: Built) -> None:
    assert wheel.files["instrument/py.typed"] == b""
    assert "Typing :: Typed" in wheel.metadata.get_all("Classifier", [])


def test_the_wheel_fits_every_python_and_platform(wheel: Built) -> None:
    assert wheel.path.name.endswith("-py3-none-any.whl")


def test_the_metadata_names_what_is_needed_and_what_may_be_added(wheel: Built) -> None:
    metadata = wheel.metadata
    assert metadata["Name"] == "instrument-analytics"
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra", [])) == set(EXTRAS)
    required = [Requirement(each) for each in metadata.get_all("Requires-Dist", [])]
    assert {each.name for each in required if each.marker is None} == CORE
    assert wheel.info("licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_every_python_that_is_promised_is_a_classifier(wheel: Built) -> None:
    classifiers = wheel.metadata.get_all("Classifier", [])
    minors = sorted(int(each.rpartition(".")[2]) for each in classifiers if re.search(r":: 3\.\d+$", each))
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert wheel.metadata["Requires-Python"] == f">=3.{minors[0]}"


def test_the_entry_points_lead_to_something(wheel: Built) -> None:
    groups = ConfigParser()
    groups.read_string(wheel.info("entry_points.txt").decode())
    found = {(group, name): value for group in groups.sections() for name, value in groups[group].items()}
    assert found == {("console_scripts", "instrument"): "instrument.cli:main", ("pytest11", "instrument"): PLUGIN}
    for (group, name), value in found.items():
        assert EntryPoint(name, value, group).load()


def test_the_sdist_has_every_file_of_the_repository(sdist: Path) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    kept = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    assert kept - {path.relative_to(sdist).as_posix() for path in sdist.rglob("*")} == set()


def test_the_sdist_has_nothing_that_was_made_here(sdist: Path) -> None:
    made = {
        ".git",
        ".hypothesis",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        "__pycache__",
        "dist",
    }
    assert {path.name for path in sdist.rglob("*") if path.is_dir()} & made == set()


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Built, tmp_path: Path) -> None:
    assert _wheel_of(sdist, tmp_path).files == wheel.files


def test_every_extra_that_is_named_somewhere_exists() -> None:
    files = [*DOCUMENTS, *MODULES.values(), ROOT / "CHANGELOG.md"]
    named = {
        (extra.strip(), path.relative_to(ROOT).as_posix())
        for path in files
        for found in _EXTRA.findall(path.read_text(encoding="utf-8"))
        for extra in found.split(",")
    }
    assert named
    assert {each for each in named if each[0] not in EXTRAS} == set()


def test_every_extra_is_needed_by_a_module_that_exists() -> None:
    assert set(NEEDS) <= set(MODULES)
    assert {extra for extras in NEEDS.values() for extra in extras} == {*EXTRAS, "pytest"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_the_core_has_or_the_extras_that_it_needs(module: str) -> None:
    assert _foreign(_imported(MODULES[module])) <= _allowed(module)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_more_is_needed_by_what_a_module_imports_at_once(module: str) -> None:
    loaded, waiting = {module}, [module]
    while waiting:
        imported = _imported(MODULES[waiting.pop()], functions=False)
        found = {part for name in imported for part in _with_parents(name)} & set(MODULES) - loaded
        loaded |= found
        waiting += found
    foreign = _foreign(name for each in loaded for name in _imported(MODULES[each], functions=False))
    assert foreign <= _allowed(module)


def test_importing_the_package_loads_the_core_alone() -> None:
    code = "from tests.packages.one_extra import loaded_by; print(*loaded_by('instrument'))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert set(ran.stdout.split()) <= LOADED_BY_INSTRUMENT


def _wheel_of(root: Path, directory: Path) -> Built:
    (path,) = WheelBuilder(str(root)).build(directory=str(directory), versions=["standard"])
    return Built(directory / path.rpartition("/")[2])


def _allowed(module: str) -> set[str]:
    """Return the packages that a module may import."""
    return _packages(CORE.union(*(EXTRAS.get(extra, {extra}) for extra in needs(module))))


def _packages(distributions: Iterable[str]) -> set[str]:
    """Return what can be imported where some distributions are installed."""
    own = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in distributions}
    return own.union(*(BRINGS.get(name, set()) for name in distributions))


def _foreign(imported: Iterable[str]) -> set[str]:
    newer = {"tomllib"}  # of the standard library from Python 3.11 on
    return {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - newer - {"instrument"}


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@cache
def _imported(path: Path, *, functions: bool = True) -> frozenset[str]:
    """Return what a module imports, in its functions too or at once alone; and of packages, what is taken from them."""
    names: set[str] = set()
    for node in _run(ast.parse(path.read_text(encoding="utf-8")), functions=functions):
        if isinstance(node, ast.Import):
            names.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{each.name}" for each in node.names)
    return frozenset(names)


def _run(tree: ast.AST, *, functions: bool) -> Iterator[ast.AST]:
    """Yield what is run of a module, and not only seen by checkers of types."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from _run(node, functions=functions)
