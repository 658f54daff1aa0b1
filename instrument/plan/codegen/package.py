"""The package on disk: its modules written as a whole or not at all, and what is written by hand left alone."""

from __future__ import annotations

import keyword
import os
import shutil
import subprocess
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from instrument.plan.codegen.fingerprints import is_made, is_unchanged, with_header
from instrument.plan.codegen.problems import MissingExtra, PackageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

_INIT = "__init__.py"
_INIT_TEXT = '"""The messages that the application sends."""\n'


def check_directory(directory: Path) -> None:
    """Check that a directory can be a package.

    Raises:
        PackageError: it is something else, or its name is none of a package.
    """
    above = next(each for each in (directory, *directory.parents) if each.exists())
    if not above.is_dir():
        raise PackageError(f"{above}: it is no directory")
    name = directory.resolve().name
    if not name.isidentifier() or keyword.iskeyword(name):
        raise PackageError(f"{directory}: {name!a} cannot be the name of a package: Python could not import it")


def read_modules(directory: Path, *, force: bool) -> dict[str, str]:
    """Return the modules that an earlier run made, by file name.

    Args:
        directory: the package.
        force: whether modules that were changed by hand are replaced.

    Raises:
        PackageError: a module was changed by hand.
    """
    found: dict[str, str] = {}
    for path in sorted(directory.glob("*.py")):
        source = _read(path)
        if source is None or not is_made(source):
            continue
        if not force and not is_unchanged(source):
            raise PackageError(
                f"{path}: it was changed by hand since it was made, which would be lost. Move the change to another "
                "module of the package, or to the plan; or give --force."
            )
        found[path.name] = source
    return found


def check_modules(directory: Path, names: Iterable[str]) -> None:
    """Check that no module that is to be written is one that somebody else wrote.

    Raises:
        PackageError: there is one.
    """
    for name in names:
        source = _read(directory / name)
        if source is not None and not is_made(source):
            raise PackageError(
                f"{directory / name}: it was not made by this command. Make the package elsewhere, or give --force."
            )


def write_modules(
    directory: Path, modules: Mapping[str, str], former: Iterable[str], command: str, origin: str
) -> list[str]:
    """Write the modules of a package; a new package appears whole.

    Args:
        directory: the package.
        modules: by file name, their source code.
        former: the names of those that an earlier run made.
        command: the command that makes them.
        origin: what they are made from.

    Returns:
        The names of the files that were written or deleted; those that were right already are not touched.

    Raises:
        PackageError: it cannot be written.
        MissingExtra: `ruff`, which formats the source code, is not installed.
    """
    try:
        with _nearby(directory) as temporary:
            formatted = _formatted(modules, temporary)
            wanted = {name: with_header(source, command, origin) for name, source in formatted.items()}
            if _read(directory / _INIT) is None:
                wanted[_INIT] = _INIT_TEXT
            changed = {name: source for name, source in wanted.items() if _read(directory / name) != source}
            stale = [name for name in former if name not in wanted]
            _put(directory, changed, stale, temporary)
    except OSError as error:
        raise PackageError(f"{directory}: it cannot be written: {error.strerror}") from None
    return sorted([*changed, *stale])


def _put(directory: Path, changed: Mapping[str, str], stale: Sequence[str], temporary: Path) -> None:
    for name, source in changed.items():
        (temporary / name).write_text(source, encoding="utf-8", newline="\n")
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o777 & ~_umask())
        temporary.rename(directory)
        return
    for name in changed:
        (temporary / name).replace(directory / name)
    for name in stale:
        (directory / name).unlink()


@contextmanager
def _nearby(directory: Path) -> Generator[Path]:
    """Give a directory on the same file system and in the same project, which is gone afterwards."""
    above = next(each for each in directory.resolve().parents if each.is_dir())
    temporary = Path(mkdtemp(prefix=f".{directory.resolve().name}.", dir=above))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise PackageError(f"{path}: it cannot be read: {error.strerror}") from None


def _ruff() -> str:
    try:
        program: str = import_module("ruff.__main__").find_ruff_bin()
    except (ModuleNotFoundError, FileNotFoundError):
        raise MissingExtra("ruff") from None
    return program


def _formatted(modules: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Sort the imports and format, as the project in which the directory lies has it.

    Raises:
        PackageError: ruff takes exception to them.
    """
    program = _ruff()
    paths = {name: directory / name for name in modules}
    for name, path in paths.items():
        path.write_text(modules[name], encoding="utf-8", newline="\n")
    for step in (["check", "--select=I", "--fix"], ["format"]):
        ran = subprocess.run(  # noqa: S603 - the program is our own dependency
            [program, *step, "--quiet", "--no-cache", *map(str, paths.values())],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if ran.returncode:
            raise PackageError(f"{directory.parent}: ruff cannot format the modules:\n{ran.stderr or ran.stdout}")
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
