"""Removing a user from what lies on this machine."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from typer.testing import CliRunner

from instrument import PII, Client, MemoryDestination, Rejected, Scope, Track, Unavailable
from instrument.cli.app import app
from instrument.delivery.attempts import Patience
from instrument.delivery.dead_letters import DeadLetters
from instrument.delivery.flush import Flush

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "a key of the tests, of enough characters"


class ForgottenScope(Scope):
    user_id: int | str


class ForgottenNoted(Track, ForgottenScope):
    number: int


class ForgottenHashed(Track):
    user_id: Annotated[str, PII("user", policy="hash")]


class Down(MemoryDestination):
    def send(self, batch: Any) -> None:
        raise Unavailable("it is down")


class Refusing(MemoryDestination):
    def send(self, batch: Any) -> None:
        raise Rejected("it will never do")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("INSTRUMENT_PII_KEY", KEY)
    return monkeypatch


def forget(user: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["forget", user, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def leave(messages: list[Any], destination: MemoryDestination | None = None) -> None:
    """Leave messages in a spool that nobody owns."""
    client = Client(destinations=[destination or Down()], durability="sync")
    for each in messages:
        assert client.track(each)
    client.close(0.0)


def left(tmp_path: Path) -> list[int]:
    """Deliver what is left; return the numbers."""
    memory = MemoryDestination()
    for directory in tmp_path.glob("*/"):
        flushed = Flush(directory, [memory], DeadLetters(directory), lambda: Patience(10.0)).run()
        assert flushed.lost == 0
        assert not flushed.problems
    return [message["properties"]["number"] for message in memory.messages]


def on_disk(tmp_path: Path, text: str) -> list[str]:
    return [each.name for each in tmp_path.rglob("*") if each.is_file() and text.encode() in each.read_bytes()]


@pytest.mark.usefixtures("environment")
def test_a_user_is_removed_and_everybody_else_is_still_delivered_in_order(tmp_path: Path) -> None:
    leave([ForgottenNoted(user_id="ada" if number % 3 == 0 else "bob", number=number) for number in range(300)])

    assert forget("ada") == {"spooled": 100, "letters": 0, "living": [], "out_of_reach": {}}

    assert on_disk(tmp_path, '"ada"') == []
    assert left(tmp_path) == [number for number in range(300) if number % 3]


@pytest.mark.usefixtures("environment")
def test_a_user_who_is_all_that_waits_leaves_nothing(tmp_path: Path) -> None:
    leave([ForgottenNoted(user_id=7, number=number) for number in range(10)])

    assert forget("7")["spooled"] == 10

    assert on_disk(tmp_path, '"userId":"7"') == []
    assert left(tmp_path) == []


def test_a_user_is_found_under_the_hash_of_the_key_and_only_with_the_key(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    leave([ForgottenHashed(user_id="ada")])

    environment.setenv("INSTRUMENT_PII_KEY", "another key of the tests")
    assert forget("ada")["spooled"] == 0
    environment.setenv("INSTRUMENT_PII_KEY", KEY)
    assert forget("ada")["spooled"] == 1


@pytest.mark.usefixtures("environment")
def test_a_value_that_is_no_id_of_the_user_does_not_count(tmp_path: Path) -> None:
    leave([ForgottenNoted(user_id="bob", number=7)])

    assert forget("7")["spooled"] == 0
    assert left(tmp_path) == [7]


@pytest.mark.usefixtures("environment")
def test_a_user_is_removed_from_the_dead_letters_of_every_source(tmp_path: Path) -> None:
    for name in ("one", "two"):
        client = Client(destinations=[Refusing(name)])
        assert client.track(ForgottenNoted(user_id="ada", number=1))
        assert client.track(ForgottenNoted(user_id="bob", number=2))
        assert client.close()

    assert forget("ada") == {"spooled": 0, "letters": 2, "living": [], "out_of_reach": {}}
    assert on_disk(tmp_path, '"ada"') == []
    assert forget("bob")["letters"] == 2


_LIVES = """
import sys
from instrument import Client, MemoryDestination, Scope, Track, Unavailable

class Down(MemoryDestination):
    def send(self, batch):
        raise Unavailable("it is down")

class ForgottenScope(Scope):
    user_id: str

class ForgottenNoted(Track, ForgottenScope):
    number: int

client = Client(durability="sync", destinations=[Down()], flush_timeout=0.0)
for number in range(100):
    assert client.track(ForgottenNoted(user_id="ada" if number % 2 else "bob", number=number))
print("ready", flush=True)
sys.stdin.readline()
for number in range(100, 200):
    assert client.track(ForgottenNoted(user_id="bob", number=number))
print("done", flush=True)
sys.stdin.readline()
client.close(0.0)
"""


@pytest.fixture
def living(environment: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A process that has a spool, and goes on when it is told to."""
    process = subprocess.Popen([sys.executable, "-c", _LIVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate(timeout=20)


def test_a_process_that_lives_goes_on_and_is_told_of(tmp_path: Path, living: subprocess.Popen[str]) -> None:
    assert living.stdin is not None
    assert living.stdout is not None

    forgotten = forget("ada")
    assert (forgotten["spooled"], len(forgotten["living"])) == (50, 1)
    assert on_disk(tmp_path, '"ada"') == []

    living.stdin.write("\n")
    living.stdin.flush()
    assert living.stdout.readline() == "done\n"
    living.stdin.write("\n")
    living.stdin.flush()
    assert living.wait(20) == 0
    assert left(tmp_path) == [*range(0, 100, 2), *range(100, 200)]


@pytest.mark.usefixtures("environment")
def test_what_cannot_be_looked_through_is_named(tmp_path: Path) -> None:
    leave([ForgottenNoted(user_id="ada", number=1)])
    (spool,) = tmp_path.rglob("*.spool")
    with sqlite3.connect(spool) as connection:
        connection.execute("UPDATE envelopes SET seal = 0")
    connection.close()
    aside = spool.with_suffix(".damaged")
    aside.write_bytes(b"what was set aside")

    forgotten = forget("ada", code=1)

    assert forgotten["out_of_reach"] == {
        str(spool): "a part of it is damaged",
        str(aside): "it is damaged, and was set aside; remove it yourself",
    }


@pytest.mark.usefixtures("environment")
def test_people_are_told_what_was_done(tmp_path: Path) -> None:
    leave([ForgottenNoted(user_id="ada", number=1)])

    assert CliRunner().invoke(app, ["forget", "ada"]).stdout == (
        "Removed from spools: 1 message.\nRemoved from the dead letters: 0 messages.\n"
    )
