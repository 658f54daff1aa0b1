"""Hypothesis strategies that several tests share, with the reasons for their bounds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
"""What JSON readers keep without loss: signed and unsigned integers of 64 bits."""

# Letters of every script, digits and underscores: what `str.isidentifier` lets pass, save for rare marks.
_IDENTIFIER_CHARACTERS = st.characters(categories=("Lu", "Ll", "Lt", "Lo", "Nd"), include_characters="_")

identifiers: SearchStrategy[str] = st.text(_IDENTIFIER_CHARACTERS, min_size=1, max_size=30).filter(str.isidentifier)

capitalised_words: SearchStrategy[str] = st.from_regex(r"[A-Z][a-z]+[0-9]{0,2}", fullmatch=True)

acronyms: SearchStrategy[str] = st.from_regex(r"[A-Z][A-Z0-9]{1,4}", fullmatch=True)

# Text of any script, but no lone surrogates: those have no UTF-8 form, and tests of their own.
texts: SearchStrategy[str] = st.text(st.characters(codec="utf-8"), max_size=20)

# In any zone, so a day away from the ends of what UTC can say.
moments: SearchStrategy[datetime] = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the zones are drawn
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)

_scalars: SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(INT_MIN, INT_MAX) | st.floats(allow_nan=False, allow_infinity=False) | texts
)

# Small, so that no example comes near Segment's limit of 32 KiB.
json_values: SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
