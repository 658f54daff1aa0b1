"""What users may import: these names and no others, each of them explained."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest

import instrument
import instrument.testing

PUBLIC = [
    "Alias",
    "Binding",
    "BindingError",
    "Call",
    "Client",
    "Consent",
    "DeclarationError",
    "Destination",
    "Envelope",
    "Group",
    "Held",
    "Identify",
    "InstrumentError",
    "InstrumentWarning",
    "JsonLinesDestination",
    "Limits",
    "MemoryDestination",
    "Message",
    "Outcome",
    "PII",
    "Page",
    "Reason",
    "Receipt",
    "Refusal",
    "Rejected",
    "RequestScope",
    "Scope",
    "ScopeError",
    "Screen",
    "SegmentTrack",
    "Source",
    "Spec",
    "SpecDecorator",
    "Stats",
    "Track",
    "Unavailable",
    "__version__",
    "aliases",
    "configure",
    "declared_messages",
    "default_client",
    "emitting",
    "explain",
    "groups",
    "identifies",
    "pages",
    "request_scope",
    "screens",
    "tracks",
]

PUBLIC_FOR_TESTS = ["Collector", "FixedStamps", "Recorded", "Recorder", "recording"]


def test_the_public_names_are_these() -> None:
    assert sorted(instrument.__all__) == PUBLIC


def test_the_public_names_for_tests_are_these() -> None:
    assert sorted(instrument.testing.__all__) == PUBLIC_FOR_TESTS


def test_nothing_else_lies_about_in_the_package() -> None:
    others = {
        name
        for name, value in vars(instrument).items()
        if not name.startswith("_") and name not in instrument.__all__ and not inspect.ismodule(value)
    }
    assert others <= {"annotations", "TYPE_CHECKING"}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported_and_is_explained(name: str) -> None:
    value = getattr(instrument, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert inspect.getdoc(value), f"{name} has no docstring"


@pytest.mark.parametrize("name", PUBLIC_FOR_TESTS)
def test_so_can_a_name_for_tests(name: str) -> None:
    assert inspect.getdoc(getattr(instrument.testing, name))


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isclass(getattr(instrument, name))])
def test_every_public_method_of_a_public_class_is_explained(name: str) -> None:
    undocumented = [
        member
        for member, value in vars(getattr(instrument, name)).items()
        if not member.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, (property, classmethod, staticmethod)))
        and not inspect.getdoc(value)
    ]
    assert undocumented == []


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ImportError, match="trakcs"):
        from instrument import trakcs  # type: ignore[attr-defined]  # noqa: F401


def test_the_version_is_that_of_the_distribution() -> None:
    assert instrument.__version__ == version("instrument-analytics")
