"""How many examples a fuzz test has: few in a run of the tests, twenty times as many by `make fuzz`."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

_USUAL = 100
"""Examples of a test that says nothing, in the profile of the tests: see `tests/conftest.py`."""

any_text = st.text(max_size=40)
"""With lone surrogates, controls and zero bytes."""


def examples(number: int) -> settings:
    """Return the settings of a test that has so many examples in a run of the tests."""
    assert settings.default is not None
    return settings(max_examples=max(1, number * settings.default.max_examples // _USUAL))
