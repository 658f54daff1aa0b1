r"""Reading JSON that a stranger sent: bounded, and made such that it can be written as JSON again.

What JSON allows and UTF-8 or a double cannot say, such as `"\ud800"`, and what it does not allow and Python's writers
send all the same, such as `NaN`, is shown and called a violation, instead of being refused.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from instrument.debugger.records import Violation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from typing_extensions import TypeIs

MOST_DEPTH = 100
"""How deep a message may be nested to be shown whole."""
_MOST_VIOLATIONS = 20


def is_object(value: object) -> TypeIs[dict[str, Any]]:
    """Whether parsed JSON is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeIs[list[Any]]:
    """Whether parsed JSON is an array."""
    return isinstance(value, list)


class Unreadable(ValueError):
    """A body that cannot be read.

    Attributes:
        status: the status of HTTP to answer with.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


async def body(chunks: AsyncIterator[bytes], encoding: str, most: int) -> bytes:
    """Read a body, and unpack it; neither it nor what it unpacks to may be larger than told.

    Args:
        chunks: the body as it comes.
        encoding: the header Content-Encoding.
        most: how many bytes at most.

    Raises:
        Unreadable: it is larger, or not packed as the header says.
    """
    kind = encoding.strip().lower()
    if kind not in ("", "identity", "gzip"):
        raise Unreadable("the Content-Encoding is neither gzip nor identity", 415)
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if kind == "gzip" else None
    whole, read = bytearray(), 0
    async for chunk in chunks:
        read += len(chunk)
        try:
            # One byte more than may come, by which it is known that more would.
            whole += chunk if unpacking is None else unpacking.decompress(chunk, most + 1 - len(whole))
        except zlib.error:
            raise Unreadable("the body is no gzip") from None
        if read > most or len(whole) > most:
            raise Unreadable(f"the body takes more than {most:,} bytes", 413)
    if unpacking is not None and not unpacking.eof:
        raise Unreadable("the body is no whole gzip")
    return bytes(whole)


@dataclass(frozen=True, slots=True)
class Document:
    """Parsed JSON.

    Attributes:
        value: what it says.
        strict: whether it is JSON as the standard has it (RFC 8259), and can be written again as it is.
    """

    value: Any
    strict: bool

    def as_object(self) -> dict[str, Any]:
        """Return the value where it is an object.

        Raises:
            Unreadable: it is none.
        """
        if not is_object(self.value):
            raise Unreadable("it is no object")
        return self.value

    def clean(self, part: dict[str, Any]) -> tuple[dict[str, Any], tuple[Violation, ...]]:
        """Return a part of the value that can be written as JSON, and what had to be changed for it."""
        return (part, ()) if self.strict else cleaned(part)


def parse(document: bytes) -> Document:
    """Parse JSON, and what is nearly JSON.

    Raises:
        Unreadable: it is neither, or nested too deep.
    """
    try:
        return Document(from_json(document, allow_inf_nan=False, cache_strings="keys"), strict=True)
    except ValueError:
        pass
    try:
        return Document(json.loads(document.decode("utf-8-sig", "replace")), strict=False)
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except ValueError as error:  # the text of Python's own shows a part of the document
        place = f" at character {error.pos:,}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable(f"malformed JSON{place}") from None


@dataclass(slots=True)
class _Cleaning:
    violations: list[Violation] = field(default_factory=list[Violation])

    def found(self, path: tuple[str, ...], reason: str) -> None:
        if len(self.violations) < _MOST_VIOLATIONS:
            self.violations.append(Violation(path=".".join(path), reason=reason))

    def clean(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, float) and not math.isfinite(value):
            self.found(path, "a number is not finite, which JSON cannot say")
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if not (is_object(value) or is_array(value)):
            return value
        if len(path) >= MOST_DEPTH:
            self.found(path[:3], f"it is nested more than {MOST_DEPTH} deep")
            return "…"
        if is_array(value):
            return [self.clean(each, (*path, str(index))) for index, each in enumerate(value)]
        keyed = [(self._text(key, path), each) for key, each in value.items()]
        return {key: self.clean(each, (*path, key)) for key, each in keyed}

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.found(path, "a text has a lone surrogate, which UTF-8 cannot say")
            return text.encode(errors="backslashreplace").decode()
        return text


def cleaned(value: Any) -> tuple[Any, tuple[Violation, ...]]:
    r"""Return a value that can be written as JSON, and what had to be changed for it.

    >>> cleaned({"properties": {"note": "\ud800", "ratio": float("nan")}})[0]
    {'properties': {'note': '\\ud800', 'ratio': 'NaN'}}
    """
    cleaning = _Cleaning()
    return cleaning.clean(value), tuple(cleaning.violations)
