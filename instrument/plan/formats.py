"""The formats of JSON Schema that are checked: those that pydantic writes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from jsonschema import FormatChecker
from pydantic import TypeAdapter

_TYPES = {"date-time": datetime, "date": date, "time": time, "duration": timedelta, "uuid": UUID}


def _checker() -> FormatChecker:
    checker = FormatChecker(("email", "idn-email", "ipv4", "ipv6"))
    # Not those of the package: they need others, and a time without a zone, which pydantic writes, fits none of them.
    for name, kind in _TYPES.items():
        checker.checks(name, ValueError)(partial(_is_text_of, TypeAdapter(kind)))
    return checker


def _is_text_of(adapter: TypeAdapter[Any], value: object) -> bool:
    if not isinstance(value, str):
        return True
    adapter.validate_strings(value)
    return not value.isdecimal()  # which would be seconds since 1970


FORMATS = _checker()
