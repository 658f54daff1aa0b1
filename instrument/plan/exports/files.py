"""Files that are written only where they change, so that their times tell when they did."""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from shutil import copymode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MADE = b'"x-instrument-class"'


def write(file: Path, text: str, *, dry: bool = False) -> bool:
    """Write a file unless it has this text already; whole or not at all.

    Args:
        file: the file; directories are made. A pipe or a device gets the text each time, and stays what it is.
        text: what is to be in it.
        dry: only tell.

    Returns:
        Whether it changes.

    Raises:
        OSError: it cannot be written.
    """
    content = text.encode()
    if file.exists() and not (file.is_file() or file.is_dir()):
        # To read a device may never end, and to put a file in its place would take it from everybody.
        if not dry:
            file.write_bytes(content)
        return True
    with suppress(FileNotFoundError):
        if file.read_bytes() == content:
            return False
    if not dry:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file.resolve(), content)
    return True


def write_all(directory: Path, texts: Mapping[str, str], *, dry: bool = False) -> list[Path]:
    """Write files into a directory, and remove those that an earlier plan has left there.

    Args:
        directory: it is made where there is none.
        texts: by the names of their files.
        dry: only tell.

    Returns:
        The files that change.

    Raises:
        OSError: a file cannot be written.
    """
    changed = [directory / name for name, text in texts.items() if write(directory / name, text, dry=dry)]
    left = [each for each in sorted(directory.glob("*.json")) if each.name not in texts and _MADE in each.read_bytes()]
    for each in () if dry else left:
        each.unlink()
    return changed + left


def _replace(file: Path, content: bytes) -> None:
    # Beside it, since only within one file system a file can take the place of another at once.
    beside = file.with_name(f".{file.name}.{token_hex(4)}")
    try:
        with beside.open("xb") as stream:
            stream.write(content)
        if file.exists():
            copymode(file, beside)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
