"""The request scope between services: fields go along in the W3C header `baggage`, https://www.w3.org/TR/baggage/.

Only fields that a scope marks as `Propagated` are sent or taken, and none is taken that was not said to be trusted:
anyone who can send a request can write the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, unquote_to_bytes

from pydantic import TypeAdapter

from instrument.context import request_scope
from instrument.errors import ScopeError
from instrument.faults import ambient
from instrument.places import caller
from instrument.scopes import Propagated, propagated_fields

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, MutableMapping

    from pydantic.fields import FieldInfo

__all__ = ["Propagated", "extract", "inject"]

HEADER: Final = "baggage"
MOST_BYTES: Final = 8_192
"""How long a header may be, as the specification bounds it."""
MOST_MEMBERS: Final = 64
"""How many members a header may have, as the specification bounds it."""

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_KEY = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!#$&-+\--:<-\[\]-~]|%[0-9A-Fa-f]{2})*")
_WRITTEN_AS_IT_IS = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def inject(headers: MutableMapping[str, str]) -> None:
    """Put the propagated fields of the request scope into the headers of a request that goes out.

    What is in the header already stays there, but for members of these names. What has no room is left out.

    Args:
        headers: changed in place; the headers of `requests`, `httpx` and the like.
    """
    values = request_scope.values()
    ours = {name: _encoded(name, values[name], info) for name, info in propagated_fields().items() if name in values}
    members = [f"{name}={value}" for name, value in ours.items() if value is not None]
    if not members:
        return
    key = next((each for each in headers if each.lower() == HEADER), HEADER)
    kept = [each.strip() for each in headers.get(key, "").split(",") if each.strip() and _name(each) not in ours]
    whole = ",".join([*kept, *members])
    if len(whole) > MOST_BYTES or len(kept) + len(members) > MOST_MEMBERS:
        _report(f"the header would be above the limit of {MOST_MEMBERS} members or {MOST_BYTES:,} bytes")
        return
    headers[key] = whole


def extract(headers: Headers, *, trust: bool | Collection[str] = False) -> dict[str, Any]:
    """Return the propagated fields out of the headers of a request that came in. It never raises.

    Members that are malformed or repeated with different values, and values that do not fit their field, are left
    out; a header above the limits is left out as a whole.

    Args:
        headers: by name, or as pairs; the names in any case.
        trust: whether the sender may say who acts: only where nobody outside can send. A collection of names
            trusts these fields alone.

    >>> extract({"baggage": "user_id=7"})
    {}
    """
    fields = {name: info for name, info in propagated_fields().items() if trust is True or (trust and name in trust)}
    if not fields:
        return {}
    try:
        header = ",".join(_header_values(headers))
    except Exception:  # noqa: BLE001 - whatever the headers are
        return {}
    if len(header) > MOST_BYTES:
        return {}
    found: dict[str, Any] = {}
    for name, text in _members(header):
        if name in fields:
            value = None if text is None else _decoded(text, fields[name])
            found[name] = value if name not in found or found[name] == value else None
    return {name: value for name, value in found.items() if value is not None}


def _header_values(headers: Headers) -> Iterator[str]:
    pairs: Any = headers.items() if isinstance(headers, Mapping) else headers  # pyright: ignore[reportUnknownVariableType]
    for name, value in pairs:
        if _as_text(name).lower() == HEADER:
            yield _as_text(value)


def _as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _members(header: str) -> Iterator[tuple[str, str | None]]:
    """Yield names and values as text, `None` for a value that is malformed."""
    for member in header.split(",", MOST_MEMBERS)[:MOST_MEMBERS]:
        name, equals, rest = member.partition("=")
        if equals and _KEY.fullmatch(name.strip()):
            yield name.strip(), _unquoted(rest.partition(";")[0].strip())


def _unquoted(value: str) -> str | None:
    if not _VALUE.fullmatch(value):
        return None
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return None


def _name(member: str) -> str:
    return member.partition("=")[0].strip()


def _encoded(name: str, value: object, info: FieldInfo) -> str | None:
    try:
        simple = _adapter(info).dump_python(value, mode="json", warnings=False)
    except Exception:  # noqa: BLE001 - a value that a scope does not expect
        simple = value
    if not isinstance(simple, (str, int, float)):
        _report(
            f"field {name!r} is {type(value).__name__}, which has no place in a header: text, numbers and UUIDs have"
        )
        return None
    return quote(str(simple), safe=_WRITTEN_AS_IT_IS, errors="replace")


def _decoded(text: str, info: FieldInfo) -> Any:
    try:
        return _adapter(info).validate_python(text)
    except Exception:  # noqa: BLE001 - a validator of the user's own may raise anything
        return None


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    adapter = _adapters.get(id(info))
    if adapter is None:
        # Made at run time, which no type checker can follow.
        make: Any = Annotated
        adapter = _adapters[id(info)] = TypeAdapter[Any](make[(info.annotation, *info.metadata)])
    return adapter


_adapters: dict[int, TypeAdapter[Any]] = {}
"""By the identity of a field, which lives as long as the program: that of an annotation may have no hash."""


def _report(text: str) -> None:
    ambient.faults.report(ScopeError(f"baggage: {text}"), f"inject at {caller()}")
