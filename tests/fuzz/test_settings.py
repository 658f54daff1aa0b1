"""Any text in any setting gives a clear error or a working client, and never reaches the handler."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from instrument import Client, Scope, Track, request_scope, tracks
from instrument.client import default_client, swap_default_client
from instrument.settings import Settings
from tests.fuzz.fuzzing import any_text, examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.instrument_lenient

CANARY = "canary-3f0c"
VARIABLES = [
    "SEGMENT_CLIENT_KEY",
    *(f"INSTRUMENT_{name.upper()}" for name in Settings.model_fields if name != "write_key"),
]
OPTIONS = [name for name in Settings.model_fields if name not in ("spool_dir", "debug", "strict")]

_numbers = st.integers() | st.floats()
_telling = st.sampled_from(
    [
        *("", " ", "0", "1", "-1", "true", "no", "nan", "inf", "1e300", "1e-300", "9" * 400, "[", "{}", "[]", "null"),
        *('{"a": 1}', '{"a": "mask"}', '{"a": {"b": "hash"}}', "[" * 5_000, "memory", "sync", "localhost", "::1"),
        *(
            "http://",
            "http://[",
            "https://a b",
            "http://127.0.0.1:99999",
            "file:///etc/passwd",
            "//x",
            "http://a@b/c?d#e",
        ),
        *("/dev/null", "/proc/1", "a" * 300, "\x7f", CANARY, f"[{CANARY}", f"http://{CANARY}:x"),
    ]
)
# What the environment can hold: no zero bytes, and what is no UTF-8 as the surrogates that Python makes of it.
_environment_texts = _telling | st.binary(max_size=40).map(lambda each: os.fsdecode(each.replace(b"\0", b"")))
_arguments: st.SearchStrategy[Any] = (
    _telling | any_text | _numbers | st.none() | st.booleans() | st.lists(_numbers, max_size=2)
)
_arguments |= st.dictionaries(any_text, any_text | _numbers, max_size=2)


class FuzzScope(Scope):
    user_id: int


class SettingsFuzzed(Track, FuzzScope):
    number: int


@tracks(SettingsFuzzed)
def handled(number: int) -> int:
    return number


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these settings in the environment, and no other ones, and no default client yet."""
    before = dict(os.environ)
    ours = swap_default_client(None)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        made = swap_default_client(ours)
        if made is not None:
            made.close(0.2)
        os.environ.clear()
        os.environ.update(before)


def use(client: Client) -> None:
    """Use a client: whatever its settings are, nothing of this raises."""
    receipt = client.track(SettingsFuzzed(user_id=7, number=1))
    assert bool(receipt) or receipt.error is not None
    client.flush(0.0)
    client.stats()


@examples(40)
@given(variables=st.dictionaries(st.sampled_from(VARIABLES), _environment_texts, min_size=1, max_size=3))
@example(variables={"INSTRUMENT_TIMEOUT": "1e300"})
@example(variables={"SEGMENT_CLIENT_KEY": "k", "INSTRUMENT_FLUSH_TIMEOUT": "1e300"})
def test_no_environment_reaches_a_handler(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> None:
    variables.setdefault("INSTRUMENT_SPOOL_DIR", str(tmp_path_factory.mktemp("spool")))
    with environment(variables), request_scope(user_id=7):
        strict = variables.get("INSTRUMENT_STRICT", "").lower() in ("1", "true", "t", "yes", "y", "on")
        with contextlib.suppress(Exception) if strict else contextlib.nullcontext():
            assert handled(3) == 3
            use(default_client())


@examples(60)
@given(variables=st.dictionaries(st.sampled_from(VARIABLES), _environment_texts, min_size=1, max_size=2))
def test_an_environment_that_does_not_fit_is_told_by_name_and_without_its_values(variables: dict[str, str]) -> None:
    with environment(variables):
        try:
            Settings()
        except ValidationError as error:
            names = {each["loc"][0] for each in error.errors()}
            given = {name.removeprefix("INSTRUMENT_").lower() for name in variables} | {"write_key"}
            assert names <= given | {"pii"}
            assert CANARY not in str(error)


@examples(60)
@given(options=st.dictionaries(st.sampled_from(OPTIONS), _arguments, min_size=1, max_size=2))
def test_any_argument_gives_a_clear_error_or_a_working_client(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any]
) -> None:
    with environment({}):
        try:
            client = Client(**{"spool_dir": tmp_path_factory.mktemp("spool"), **options})
        except ValidationError as error:
            assert {each["loc"][0] for each in error.errors()} <= {*options}
            assert CANARY not in str(error)
            return
        use(client)
        client.close(0.2)


@examples(30)
@given(directory=any_text | _telling)
def test_any_directory_is_refused_or_gives_a_working_client(
    tmp_path_factory: pytest.TempPathFactory, directory: str
) -> None:
    here = tmp_path_factory.mktemp("here")
    with environment({}):
        try:
            client = Client(write_key="fuzz", spool_dir=f"{here}/{directory}")
        except ValidationError as error:
            assert [each["loc"] for each in error.errors()] == [("spool_dir",)]
            return
        use(client)
        client.close(0.2)


@examples(30)
@given(timeout=st.floats() | st.integers())
def test_any_time_can_be_waited(tmp_path_factory: pytest.TempPathFactory, timeout: float) -> None:
    client = Client(write_key="fuzz", spool_dir=tmp_path_factory.mktemp("spool"))
    assert client.flush(timeout)
    assert client.close(timeout)
