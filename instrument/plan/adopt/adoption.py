"""Adopting a code base: from its calls of Segment's client to a draft of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instrument.plan.adopt.calls import find_calls
from instrument.plan.adopt.clients import find_names
from instrument.plan.adopt.merging import draft_of_calls
from instrument.plan.adopt.sources import read_sources

if TYPE_CHECKING:
    from pathlib import Path

    from instrument.plan.adopt.calls import FoundCall
    from instrument.plan.adopt.sources import Unread
    from instrument.plan.codegen.drafts import Draft


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found in a code base.

    Attributes:
        calls: the calls that could be read.
        unread: what could not be read, or not as a whole.
        draft: the classes that are made of the calls.
    """

    calls: tuple[FoundCall, ...]
    unread: tuple[Unread, ...]
    draft: Draft


def adopt(root: Path) -> Adoption:
    """Find the calls of Segment's client in a code base, without running any of it.

    Args:
        root: the directory or file.

    Raises:
        PlanFileError: there is no such directory or file.
    """
    sources, unread = read_sources(root)
    names = find_names(sources)
    calls: list[FoundCall] = []
    for source in sources:
        found, faults = find_calls(source, names[source.name])
        calls += found
        unread += faults
    return Adoption(tuple(calls), tuple(unread), draft_of_calls(calls, root.resolve().name))
