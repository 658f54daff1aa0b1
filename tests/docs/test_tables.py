"""The tables of the documentation name everything that there is, with what holds for it."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import instrument
from instrument import Reason, aliases, groups, identifies, pages, screens, tracks
from instrument.client import Client
from instrument.metrics import METRICS
from instrument.settings import Settings
from tests.docs.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENT_ONLY = {"on_error", "on_drop", "destinations", "before_send"}
_COUNTED = re.compile(r"(\S.*?) {2,}(ours|segment) +(\w+|-) +([\d,]+) +[\d,]+ +[\d,]+ +([\d,]+)\b")
SHARED = {("HttpDestination", "http"), ("DebuggerDestination", "debugger")}
"""What destinations are made of, and the one that a debugging client has by itself."""


def rows(document: str, heading: str) -> Iterator[list[str]]:
    """Yield the rows of the table whose first column has a heading."""
    lines = iter((ROOT / document).read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an environment that says nothing."""
    for name in list(os.environ):
        if name.startswith("INSTRUMENT_") or name == "SEGMENT_CLIENT_KEY":
            monkeypatch.delenv(name)
    return Settings()


def test_the_settings_table_has_every_setting_in_order_with_its_default(settings: Settings) -> None:
    documented = [(setting.strip("`"), default.split("` ")[0].strip("`")) for setting, _, default, _ in _settings()]
    assert documented == [(name, repr(getattr(settings, name))) for name in Settings.model_fields]


def test_the_settings_table_has_the_environment_variables_that_are_read(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    for name, variable, _, _ in _settings():
        if name.strip("`") in ARGUMENT_ONLY:
            assert variable == "argument only"
            continue
        field = name.strip("`")
        given = _another(getattr(settings, field), field)
        with monkeypatch.context() as patch:
            patch.setenv(variable.strip("`"), given)
            assert getattr(Settings(), field) != getattr(settings, field), f"{variable} has no effect"


def test_the_reasons_table_has_every_reason() -> None:
    assert [reason.strip("`") for reason, *_ in rows("docs/errors.md", "reason")] == [each.value for each in Reason]


def test_the_specs_table_has_every_spec_with_its_base_class_and_decorator() -> None:
    documented = [(base.strip("`"), decorator.strip("`")) for _, base, decorator, _ in _specs()]
    decorators = {"tracks": tracks, "identifies": identifies, "groups": groups}
    decorators |= {"pages": pages, "screens": screens, "aliases": aliases}
    assert [(base, repr(decorators[name])) for base, name in documented] == [
        (base, f"<decorator for {base} messages>") for base, _ in documented
    ]
    assert {name for _, name in documented} == set(decorators)
    assert all(hasattr(Client, base.lower()) for base, _ in documented)


def test_a_wrong_variable_in_the_environment_is_logged_and_handlers_run_as_ever() -> None:
    code = """if True:
        from instrument import Scope, Track, tracks
        class WrongEnvironmentScope(Scope):
            user_id: int
        class WrongEnvironmentSurvived(Track, WrongEnvironmentScope): ...
        @tracks(WrongEnvironmentSurvived)
        def handler(user_id: int) -> str:
            return "result"
        print(handler(7))
    """
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "INSTRUMENT_TIMEOUT": "soon", "INSTRUMENT_PROXIES": "{"},
    )
    assert ran.stdout == "result\n"
    assert "No events are sent: a setting in the environment does not fit" in ran.stderr


def _settings() -> Iterator[list[str]]:
    return rows("docs/settings.md", "setting")


def _specs() -> Iterator[list[str]]:
    return rows("docs/adding-analytics.md", "spec")


def _another(value: object, field: str) -> str:
    """Return the text of a value that a setting does not have by default."""
    special = {
        "proxies": '{"https": "http://127.0.0.1:9"}',
        "late": "refuse",
        "debug_host": "::1",
        "host": "https://events.eu1.segmentapis.com",
        "enabled": "true",
        "durability": "memory",
        "pii_key": "another key of the tests",
        "pii": '{"email": "mask"}',
        "consent_default": "granted",
        "sample_rates": '{"Page Scrolled": 0.1}',
        "rate_limits": '{"Page Scrolled": 10}',
    }
    if field in special:
        return special[field]
    if isinstance(value, bool):
        return str(not value)
    return "17" if isinstance(value, (int, float)) else "another"


def test_the_metrics_table_has_every_metric_with_its_kind_unit_and_attribute() -> None:
    documented = [[cell.strip("`") for cell in row] for row in rows("docs/observability.md", "metric")]
    assert documented == [
        [f"instrument.{each.name}", "counter" if each.rises else "gauge", each.unit, each.label or ""]
        for each in METRICS
    ]


def test_the_table_of_destinations_has_each_with_its_module() -> None:
    documented = {
        (re.search(r"`(\w+)`", row[0])[1], row[3].strip("`"))  # type: ignore[index]
        for row in rows("docs/destinations.md", "destination")
    }
    package = "instrument.delivery.destinations"
    found = {
        (name, module.name)
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
        for name, value in vars(importlib.import_module(f"{package}.{module.name}")).items()
        if name.endswith("Destination") and value.__module__ == f"{package}.{module.name}"
    }
    assert documented == found - SHARED


def test_the_faults_of_the_readme_are_those_that_were_counted() -> None:
    counted = {}
    for line in (ROOT / "docs/faults.md").read_text(encoding="utf-8").splitlines():
        found = _COUNTED.match(line)
        if found:
            fault, client, durability, sent, lost = found.groups()
            counted[fault, durability if client == "ours" else client] = f"{lost} of {sent}"
    shown = list(rows("README.md", "fault"))
    assert shown
    for fault, *cells in shown:
        assert cells == [counted[fault, each] for each in ("segment", "batched", "sync")], fault


def test_the_layers_name_every_module() -> None:
    named = {name for _, modules in rows("CONTRIBUTING.md", "layer") for name in re.findall(r"`(\w+)`", modules)}
    assert {module.name for module in pkgutil.iter_modules(instrument.__path__)} <= named
