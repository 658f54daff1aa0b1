"""The settings: arguments, or environment variables of the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instrument import MemoryDestination
from instrument.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing."""
    import os

    for name in list(os.environ):
        if name.startswith("INSTRUMENT_") or name == "SEGMENT_CLIENT_KEY":
            monkeypatch.delenv(name)
    return monkeypatch


class Unnamed:
    """A destination that forgot what it is called."""

    def send(self, batch: object) -> None: ...


DEFAULTS: dict[str, Any] = {
    "write_key": None,
    "host": None,
    "enabled": None,
    "durability": "batched",
    "fsync": False,
    "spool_dir": None,
    "spool_max_bytes": 256 * 1024 * 1024,
    "flush_timeout": 5.0,
    "strict": False,
    "debug": False,
    "debug_host": "127.0.0.1",
    "debug_port": 8765,
    "late": "strip",
    "on_error": None,
    "on_drop": None,
    "destinations": None,
    "gzip": False,
    "timeout": 15.0,
    "proxies": None,
    "oauth_client_id": None,
    "oauth_client_key": None,
    "oauth_key_id": None,
    "oauth_auth_server": "https://oauth2.segment.io",
    "oauth_scope": "tracking_api:write",
    "pii_key": None,
    "pii": {},
    "consent_default": "refused",
    "sample_rates": {},
    "rate_limits": {},
    "disabled_events": (),
    "before_send": None,
}


def test_every_setting_has_its_default() -> None:
    assert Settings().model_dump() == DEFAULTS


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("SEGMENT_CLIENT_KEY", "key", "write_key", "key"),
        ("INSTRUMENT_HOST", "https://events.eu1.segmentapis.com", "host", "https://events.eu1.segmentapis.com"),
        ("INSTRUMENT_ENABLED", "0", "enabled", False),
        ("INSTRUMENT_ENABLED", "true", "enabled", True),
        ("INSTRUMENT_DURABILITY", "sync", "durability", "sync"),
        ("INSTRUMENT_FSYNC", "yes", "fsync", True),
        ("INSTRUMENT_SPOOL_DIR", "/var/spool/events", "spool_dir", Path("/var/spool/events")),
        ("INSTRUMENT_SPOOL_MAX_BYTES", "1024", "spool_max_bytes", 1024),
        ("INSTRUMENT_FLUSH_TIMEOUT", "0.5", "flush_timeout", 0.5),
        ("INSTRUMENT_STRICT", "1", "strict", True),
        ("INSTRUMENT_DEBUG", "on", "debug", True),
        ("INSTRUMENT_DEBUG_HOST", "::1", "debug_host", "::1"),
        ("INSTRUMENT_DEBUG_PORT", "8766", "debug_port", 8766),
        ("INSTRUMENT_LATE", "refuse", "late", "refuse"),
        ("INSTRUMENT_GZIP", "1", "gzip", True),
        ("INSTRUMENT_TIMEOUT", "3", "timeout", 3.0),
        ("INSTRUMENT_PROXIES", '{"https": "http://proxy:3128"}', "proxies", {"https": "http://proxy:3128"}),
        ("INSTRUMENT_OAUTH_CLIENT_ID", "id", "oauth_client_id", "id"),
        ("INSTRUMENT_OAUTH_CLIENT_KEY", "pem", "oauth_client_key", "pem"),
        ("INSTRUMENT_OAUTH_KEY_ID", "kid", "oauth_key_id", "kid"),
        ("INSTRUMENT_OAUTH_AUTH_SERVER", "https://oauth2.eu", "oauth_auth_server", "https://oauth2.eu"),
        ("INSTRUMENT_OAUTH_SCOPE", "all", "oauth_scope", "all"),
        ("INSTRUMENT_CONSENT_DEFAULT", "granted", "consent_default", "granted"),
        ("INSTRUMENT_SAMPLE_RATES", '{"Page Scrolled": 0.1}', "sample_rates", {"Page Scrolled": 0.1}),
        ("INSTRUMENT_RATE_LIMITS", '{"Page Scrolled": 10}', "rate_limits", {"Page Scrolled": 10.0}),
        (
            "INSTRUMENT_DISABLED_EVENTS",
            "Page Scrolled, Key Pressed",
            "disabled_events",
            ["Page Scrolled", "Key Pressed"],
        ),
        ("INSTRUMENT_PII_KEY", "sixteen or more characters", "pii_key", "sixteen or more characters"),
        (
            "INSTRUMENT_PII",
            '{"email": "mask", "audit": {"*": "keep"}}',
            "pii",
            {"email": "mask", "audit": {"*": "keep"}},
        ),
    ],
)
def test_each_is_an_environment_variable(
    environment: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object
) -> None:
    environment.setenv(variable, text)
    assert Settings().model_dump() == {**DEFAULTS, name: value}


def test_an_argument_wins_over_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SEGMENT_CLIENT_KEY", "of the environment")
    environment.setenv("INSTRUMENT_TIMEOUT", "3")
    settings = Settings(write_key="of the argument", timeout=4)
    assert (settings.write_key, settings.timeout) == ("of the argument", 4.0)


def test_none_as_the_key_wins_too(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SEGMENT_CLIENT_KEY", "of the environment")
    assert Settings(write_key=None).write_key is None


@pytest.mark.parametrize(("given", "kept"), [("", None), (" \n", None), (" key\n", "key")])
def test_space_around_the_key_is_no_part_of_it(given: str, kept: str | None) -> None:
    assert Settings(write_key=given).write_key == kept


def test_an_empty_variable_is_one_that_is_not_set(environment: pytest.MonkeyPatch) -> None:
    for name in DEFAULTS:
        environment.setenv(f"INSTRUMENT_{name.upper()}", "")
    environment.setenv("SEGMENT_CLIENT_KEY", "")
    assert Settings().model_dump() == DEFAULTS


def test_other_variables_of_the_prefix_are_left_alone(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INSTRUMENT_NO_NETWORK", "pytest")
    environment.setenv("INSTRUMENT_WHATEVER", "x")
    assert Settings().model_dump() == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flush_timeout", -0.1),
        ("flush_timeout", float("nan")),
        ("flush_timeout", float("inf")),
        ("flush_timeout", 1e300),
        ("timeout", 1e300),
        ("timeout", 0),
        ("timeout", float("nan")),
        ("spool_max_bytes", 0),
        ("durability", "eventually"),
        ("late", "drop"),
        ("strict", "canary"),
        ("on_error", 3),
        ("on_drop", "canary"),
        ("destinations", 3),
        ("destinations", ["canary"]),
        ("destinations", [Unnamed()]),
        ("destinations", [MemoryDestination(name="canary\udcff")]),
        ("host", "canary"),
        ("host", "http://[canary"),
        ("host", "file:///canary"),
        ("spool_dir", "canary\0"),
        ("spool_dir", "canary\ud800"),
        ("write_key", "canary\udcff"),
        ("pii_key", "canary of sixteen\udcff"),
        ("proxies", "canary"),
        ("pii", "[canary"),
        ("sample_rates", "{canary"),
        ("rate_limits", "\udcff"),
    ],
)
def test_what_does_not_fit_is_told_by_name_and_without_the_value(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**{name: value})
    assert [error["loc"][0] for error in raised.value.errors()] == [name]
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("name", ["destinations", "before_send", "pii", "proxies", "sample_rates"])
def test_a_variable_that_is_nested_too_deep_is_told_as_any_other(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(f"INSTRUMENT_{name.upper()}", "[" * 5_000)
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert {error["loc"][0] for error in raised.value.errors()} == {name}


def test_they_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().strict = True


def test_no_secret_is_shown() -> None:
    assert "canary" not in repr(Settings(write_key="canary", oauth_client_key="canary"))


class TestOAuth:
    WHOLE: dict[str, Any] = {"oauth_client_id": "id", "oauth_client_key": "pem", "oauth_key_id": "kid"}

    def test_is_used_when_its_three_parts_are_there(self) -> None:
        assert Settings(**self.WHOLE).oauth == {
            "client_id": "id",
            "client_key": "pem",
            "key_id": "kid",
            "auth_server": "https://oauth2.segment.io",
            "scope": "tracking_api:write",
        }

    @pytest.mark.parametrize("missing", WHOLE)
    def test_is_not_used_without_one_of_them(self, missing: str) -> None:
        assert Settings(**{**self.WHOLE, missing: None}).oauth is None


def test_the_spool_directory_may_begin_at_the_home_of_the_user(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("INSTRUMENT_SPOOL_DIR", "~/spools")
    assert Settings().spool_dir == Settings().spool_root == tmp_path / "spools"
    assert Settings(spool_dir=Path("~/other")).spool_dir == tmp_path / "other"
    assert Settings(spool_dir=Path("/var/~")).spool_dir == Path("/var/~")


def test_a_home_that_is_not_known_is_no_place_for_a_spool() -> None:
    with pytest.raises(ValidationError, match=r"~nobody-of-this-name is no home directory that is known: write the"):
        Settings(spool_dir=Path("~nobody-of-this-name/spools"))
