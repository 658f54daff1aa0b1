"""Files that somebody else wrote: read within bounds, and told apart where they are wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.jsons import is_list

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 64 << 20
MAX_DEPTH = 100

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        PlanFileError: it cannot be read, has more than 64 MiB, or is no UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanFileError(str(path), f"it cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise PlanFileError(str(path), f"it has more than {MAX_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanFileError(str(path), f"it is no UTF-8: byte {error.start}") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        PlanFileError: it cannot be read, is no JSON, is nested deeper than 100 levels, has a key twice in one object,
            or a text that is no Unicode.
    """
    text = read_text(path)
    try:
        value = json.loads(text, object_pairs_hook=_Object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise PlanFileError(f"{path}:{error.lineno}:{error.colno}", f"it is no JSON: {error.msg}") from None
    except RecursionError:
        raise PlanFileError(str(path), f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise PlanFileError(str(path), f"it is no JSON: {error}") from None
    return _checked(value, str(path), (), 0)


def validated(model: type[ModelT], value: Any, where: str) -> ModelT:
    """Return a value as a model.

    Args:
        model: the class.
        value: what JSON says.
        where: the place in the file, for errors.

    Raises:
        PlanFileError: the value is of another shape; names the place of the first fault.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise PlanFileError(f"{where}: {place(first['loc'])}", first["msg"]) from None


def place(location: Iterable[str | int]) -> str:
    """Return a place in a document as text.

    >>> place(["rules", 3, "jsonSchema", "properties", "first name"])
    "rules[3].jsonSchema.properties['first name']"
    """
    parts = ""
    for part in location:
        if isinstance(part, int):
            parts += f"[{part}]"
        elif part.replace("$", "_").isidentifier():
            parts += f".{part}" if parts else part
        else:
            parts += f"[{part!a}]"
    return parts or "the whole file"


class _Object(dict[str, Any]):
    """An object of JSON, and the key that it has twice, if any."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.twice = next((key for key, count in counts.items() if count > 1), None)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is none of its numbers")


def _checked(value: Any, file: str, path: tuple[str | int, ...], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise PlanFileError(f"{file}: {place(path[:4])}", f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return _unicode(value, file, path)
    if is_list(value):
        return [_checked(each, file, (*path, index), depth + 1) for index, each in enumerate(value)]
    if isinstance(value, _Object):
        if value.twice is not None:
            raise PlanFileError(f"{file}: {place(path)}", f"it has the key {value.twice!a} twice")
        return {
            _unicode(key, file, (*path, key)): _checked(each, file, (*path, key), depth + 1)
            for key, each in value.items()
        }
    return value


def _unicode(text: str, file: str, path: tuple[str | int, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PlanFileError(f"{file}: {place(path)}", "the text has a lone surrogate") from None
    return text
