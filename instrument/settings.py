"""The settings of a client: arguments of `Client(...)` and `configure(...)`, or environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from platformdirs import user_state_path
from pydantic import AliasChoices, AnyHttpUrl, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic_core import from_json
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from instrument.home import from_home
from instrument.loopback import is_loopback
from instrument.privacy.marks import Policy

_SHORTEST_KEY = 16
_A_DAY = 86_400.0
"""Seconds. No system call waits for more than some weeks, and nobody means to."""
_Share = Annotated[float, Field(ge=0, le=1)]
_Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What a client can be told.

    Each is an environment variable too: its name in capitals with the prefix `INSTRUMENT_`; the write key alone
    is `SEGMENT_CLIENT_KEY`.

    Raises:
        pydantic.ValidationError: a value does not fit.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="INSTRUMENT_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    write_key: str | None = Field(
        default=None, validation_alias=AliasChoices("write_key", "SEGMENT_CLIENT_KEY"), repr=False
    )
    """Segment's write key; without one and without destinations, the client is disabled."""
    host: str | None = None
    """The base address of Segment's HTTP API; by default Segment's own."""
    enabled: bool | None = None
    """The one switch; by default on when there is a key or a destination."""
    durability: Literal["memory", "batched", "sync"] = "batched"
    """What the death of the process may lose: all that waits; what is younger than a few milliseconds; nothing."""
    fsync: bool = False
    """Whether what is committed also survives a loss of power."""
    spool_dir: Path | None = None
    """Where the spool lies; by default in the user's state directory. `~` is the user's home."""
    spool_max_bytes: int = Field(default=256 << 20, gt=0)
    """How much may wait to be delivered, in bytes."""
    flush_timeout: float = Field(default=5.0, ge=0, le=_A_DAY, allow_inf_nan=False)
    """Seconds: the deadline at exit, and of `flush` and `close`."""
    strict: bool = False
    """Raise instead of log."""
    debug: bool = False
    """Put into each envelope where its fields came from, and show it to the local debugger."""
    debug_host: str = "127.0.0.1"
    """Where the local debugger is, which is shown every message in debug mode: an address of the loopback interface."""
    debug_port: int = Field(default=8765, ge=1, le=65_535)
    """The port that it listens on."""
    late: Literal["strip", "refuse"] = "strip"
    """What becomes of a message that begins after its request ended: sent without that request's fields, or refused."""
    on_error: Callable[[BaseException, str], object] | None = None
    """Called with each error of the instrumentation, and the place."""
    on_drop: Callable[[Any, str], object] | None = None
    """Called with each envelope that will never be delivered, and the reason."""
    destinations: Annotated[Sequence[Any] | None, NoDecode] = None
    """Where envelopes go; by default to Segment."""
    gzip: bool = False
    """Whether bodies are compressed."""
    timeout: float = Field(default=15.0, gt=0, le=_A_DAY, allow_inf_nan=False)
    """Seconds to wait for Segment's answer."""
    proxies: Annotated[Mapping[str, str] | None, NoDecode] = None
    """By protocol, as for requests."""
    oauth_client_id: str | None = None
    """With the next two: authenticate by OAuth instead of the write key."""
    oauth_client_key: str | None = Field(default=None, repr=False)
    """The private key, in PEM."""
    oauth_key_id: str | None = None
    """The id of the key."""
    oauth_auth_server: str = "https://oauth2.segment.io"
    """The base address of the OAuth server."""
    oauth_scope: str = "tracking_api:write"
    """The scope of the token."""
    pii_key: str | None = Field(default=None, repr=False)
    """The key of the hashes of personal data, of 16 characters or more."""
    pii: Annotated[Mapping[str, Policy | Mapping[str, Policy]], NoDecode] = Field(default_factory=dict[str, Policy])
    """What becomes of personal data: by category; and by the name of a destination, by category for it alone."""
    consent_default: Literal["granted", "refused"] = "refused"
    """What holds for a category of which nothing is known whether the user agrees to it."""
    sample_rates: Annotated[Mapping[str, _Share], NoDecode] = Field(default_factory=dict[str, float])
    """By an event's name, the share of users for whom it is sent, in place of the class's own."""
    rate_limits: Annotated[Mapping[str, _Rate], NoDecode] = Field(default_factory=dict[str, float])
    """By an event's name, how many a second are sent at most, in place of the class's own."""
    disabled_events: Annotated[Sequence[str], NoDecode] = ()
    """Names of events that are not sent; in the environment with commas between them."""
    before_send: Annotated[Callable[[Any], Any] | Sequence[Callable[[Any], Any]] | None, NoDecode] = None
    """Called with each message, one after the other: returns it, a changed copy, or `None` to drop it."""

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look into arguments and the environment alone: to look for files that nobody named takes half of the time."""
        return init_settings, env_settings

    @field_validator("*")
    @classmethod
    def _only_text(cls, value: object) -> object:
        if isinstance(value, str) and not _is_utf8(value):
            raise ValueError("it is no text in UTF-8")
        return value

    @field_validator("proxies", "pii", "sample_rates", "rate_limits", mode="before")
    @classmethod
    def _json(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        try:
            return from_json(text)
        except (TypeError, ValueError):  # the former where it is no UTF-8
            raise ValueError('as text it is a JSON object: write for instance {"name": "value"}') from None

    @field_validator("host")
    @classmethod
    def _only_addresses(cls, host: str | None) -> str | None:
        try:
            _ADDRESS.validate_python(host or None)
        except ValidationError:
            raise ValueError("it is the base address of an HTTP API, for instance https://api.segment.io") from None
        return host

    @field_validator("spool_dir")
    @classmethod
    def _only_paths(cls, path: Path | None) -> Path | None:
        try:
            named = b"" if path is None else os.fsencode(path)
        except UnicodeError:
            named = b"\0"
        if b"\0" in named:
            raise ValueError("no directory of this system can have that name")
        return None if path is None else from_home(path)

    @field_validator("write_key")
    @classmethod
    def _no_empty_key(cls, key: str | None) -> str | None:
        return (key or "").strip() or None

    @field_validator("debug_host")
    @classmethod
    def _only_loopback(cls, host: str) -> str:
        if not is_loopback(host):
            raise ValueError("the debugger is on this machine: 127.0.0.1, ::1 or localhost")
        return host

    @field_validator("disabled_events", mode="before")
    @classmethod
    def _names_between_commas(cls, events: object) -> object:
        return [name for each in events.split(",") if (name := each.strip())] if isinstance(events, str) else events

    @field_validator("pii_key")
    @classmethod
    def _no_short_key(cls, key: str | None) -> str | None:
        key = (key or "").strip() or None
        if key is not None and len(key) < _SHORTEST_KEY:
            raise ValueError(f"a key has {_SHORTEST_KEY} characters or more")
        return key

    @field_validator("pii")
    @classmethod
    def _no_hash_without_key(
        cls, pii: Mapping[str, Policy | Mapping[str, Policy]], info: ValidationInfo
    ) -> Mapping[str, Policy | Mapping[str, Policy]]:
        used = [each for value in pii.values() for each in ([value] if isinstance(value, str) else value.values())]
        if "hash" in used and info.data.get("pii_key") is None:
            raise ValueError("the policy `hash` needs a key: set pii_key, or INSTRUMENT_PII_KEY")
        return pii

    @field_validator("destinations")
    @classmethod
    def _only_destinations(cls, destinations: Sequence[Any] | None) -> Sequence[Any] | None:
        if not all(callable(getattr(each, "send", None)) for each in destinations or ()):
            raise ValueError("a destination has a method `send`")
        names = [getattr(each, "name", None) for each in destinations or ()]
        if not all(isinstance(each, str) and _is_utf8(each) for each in names):
            raise ValueError("a destination has a `name`, which is a text")
        if len({*names}) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two destinations have the name {twice!r}, by which is known what each has: rename one")
        return destinations

    @property
    def spool_root(self) -> Path:
        """Where the spools of every source lie."""
        return self.spool_dir or user_state_path("instrument-analytics")

    @property
    def oauth(self) -> dict[str, str] | None:
        """The arguments of Segment's OAuth, or `None` where it is not used."""
        if not (self.oauth_client_id and self.oauth_client_key and self.oauth_key_id):
            return None
        return {
            "client_id": self.oauth_client_id,
            "client_key": self.oauth_client_key,
            "key_id": self.oauth_key_id,
            "auth_server": self.oauth_auth_server,
            "scope": self.oauth_scope,
        }


_ADDRESS: TypeAdapter[AnyHttpUrl | None] = TypeAdapter(AnyHttpUrl | None)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:  # a lone surrogate: of bytes in the environment that are no UTF-8
        return False
    return True
