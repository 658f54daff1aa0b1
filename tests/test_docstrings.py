"""Every example in a docstring of the package runs, and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest

import instrument
from instrument.messages import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

# Running these is what they are for.
_PROGRAMS = ("__main__",)

MODULES = [
    "instrument_pytest",
    "instrument",
    *(
        each.name
        for each in pkgutil.walk_packages(instrument.__path__, "instrument.")
        if each.name.rpartition(".")[2] not in _PROGRAMS
    ),
]


@pytest.fixture(autouse=True)
def _nothing_is_left(unconfigured: None) -> Iterator[None]:
    """Forget the messages and the default client that examples make."""
    with registry.isolated():
        yield


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module(module: str) -> None:
    imported = importlib.import_module(module)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    output: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(imported, module):
        # Each example stands for itself, as a user would paste it.
        test.globs = {"__name__": f"{module}.{test.name}", **vars(imported)}
        runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


@pytest.mark.parametrize(
    "name",
    ["Track", "Scope", "Client", "tracks", "emitting", "explain", "request_scope", "configure", "MemoryDestination"],
)
def test_what_users_begin_with_has_an_example(name: str) -> None:
    value = getattr(instrument, name)
    documented = value if isinstance(value, type) or callable(getattr(value, "__name__", None)) else type(value)
    texts = [value.__doc__ or "", documented.__doc__ or "", getattr(type(value).__call__, "__doc__", "") or ""]
    assert any(">>> " in text for text in texts)
