"""The names, parameters and defaults are those of the installed segment-analytics-python."""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import Any

import pytest
import segment.analytics as theirs

import instrument.compat.segment as ours

CALLS = ("track", "identify", "group", "alias", "page", "screen")
ENDS = ("flush", "join", "shutdown")


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Return each parameter's name, kind and default."""
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


def public(namespace: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(namespace).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }


@pytest.mark.parametrize("name", ["__init__", *CALLS, *ENDS])
def test_a_method_of_the_client_has_the_same_parameters(name: str) -> None:
    assert parameters(getattr(ours.Client, name)) == parameters(getattr(theirs.Client, name))


def test_the_client_has_every_public_member() -> None:
    assert public(theirs.Client).keys() <= public(ours.Client).keys()


def test_the_defaults_are_the_same() -> None:
    assert public(ours.Client.DefaultConfig) == public(theirs.Client.DefaultConfig)  # type: ignore[attr-defined]


def test_the_module_has_every_public_name() -> None:
    assert public(theirs).keys() <= public(ours).keys()


def test_the_settings_of_the_module_are_the_same() -> None:
    settings = {name: value for name, value in public(theirs).items() if not callable(value) and name != "VERSION"}
    assert "write_key" in settings
    assert {name: getattr(ours, name) for name in settings} == settings


@pytest.mark.parametrize("name", [*CALLS, *ENDS])
def test_a_function_of_the_module_takes_what_the_method_takes(name: str) -> None:
    taken = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    assert {kind for _, kind, _ in parameters(getattr(ours, name))} == taken
    assert getattr(ours, name).__doc__ == getattr(ours.Client, name).__doc__


def test_an_attribute_of_a_client_tells_its_argument() -> None:
    options: dict[str, Any] = {
        "write_key": "key",
        "host": "http://127.0.0.1:1",
        "debug": False,
        "send": False,
        "on_error": print,
        "gzip": True,
        "sync_mode": False,
        "timeout": 3,
        "proxies": {"http": "http://127.0.0.1:2"},
        "max_total_backoff_duration": 4,
        "max_rate_limit_duration": 5,
    }
    both = [ours.Client(**options), theirs.Client(**options)]
    assert [{name: getattr(client, name) for name in options} for client in both] == [options, options]
