"""A destination that keeps what it gets, and clients that send to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instrument import Client, MemoryDestination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instrument.client import Options


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


@pytest.fixture
def make(tmp_path: Path, memory: MemoryDestination) -> Iterator[Any]:
    """Make clients that are closed at the end."""
    made: list[Client] = []

    def client(**options: Any) -> Client:
        given: Options = {"destinations": [memory], "spool_dir": tmp_path, **options}  # type: ignore[typeddict-item]
        made.append(Client(**given))
        return made[-1]

    yield client
    for each in made:
        each.close()
