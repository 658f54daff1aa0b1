"""The `instrument` command: what waits, what was refused, and how to get either delivered."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from instrument import Client, Envelope, MemoryDestination, Scope, Track, Unavailable, __version__
from instrument.cli.app import app
from instrument.delivery.dead_letters import DeadLetters
from instrument.routes import source_directory
from instrument.settings import Settings
from instrument.testing.collector import Collector
from tests.delivery.envelopes import envelope, envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typer.testing import Result

pytestmark = pytest.mark.instrument_delivery


class CommandScope(Scope):
    user_id: int


class CommandSent(Track, CommandScope):
    number: int


_LEAVE = """
import os, sys
from instrument import Client, MemoryDestination, Scope, Track, Unavailable

class Down(MemoryDestination):
    def send(self, batch):
        raise Unavailable("it is down")

class CommandScope(Scope):
    user_id: int

class CommandSent(Track, CommandScope):
    number: int

destinations = [Down(each) for each in sys.argv[2:]]
client = Client(durability="sync", destinations=destinations)
assert all(client.track(CommandSent(user_id=7, number=number)) for number in range(int(sys.argv[1])))
print(client.transport is not None, flush=True)
sys.stdin.read()
os._exit(0)
"""


@dataclass
class Machine:
    """A spool directory, a collector for Segment, and the command in an environment that names both."""

    spool_dir: Path
    collector: Collector
    monkeypatch: pytest.MonkeyPatch
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.use_key("key")
        self.monkeypatch.setenv("INSTRUMENT_HOST", self.collector.url)
        self.monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(self.spool_dir))

    def use_key(self, key: str) -> None:
        self.monkeypatch.setenv("SEGMENT_CLIENT_KEY", key)

    @property
    def directory(self) -> Path:
        return source_directory(Settings())

    @property
    def letters(self) -> DeadLetters:
        return DeadLetters(self.directory)

    def run(self, command: str, **options: Any) -> Result:
        return CliRunner().invoke(app, command.split(), **options)

    def json(self, command: str, code: int = 0) -> Any:
        result = self.run(f"{command} --json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def start(self, count: int, *destinations: str) -> None:
        """Start a process that has committed messages to its spool, which nobody takes, and lives until it may go."""
        command = [sys.executable, "-c", _LEAVE, str(count), *(destinations or ("segment",))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"

    def leave(self, count: int, *destinations: str) -> None:
        """Leave what a process that was killed would leave."""
        self.start(count, *destinations)
        self.kill(self.started[-1])

    def kill(self, *processes: subprocess.Popen[bytes]) -> None:
        """Kill processes that were started; all of them where none is named."""
        for each in processes or tuple(self.started):
            each.kill()
            each.communicate(timeout=20)
            self.started.remove(each)

    def received(self) -> list[int]:
        return sorted(message["properties"]["number"] for message in self.collector.messages)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with Collector() as collector:
        machine = Machine(tmp_path / "spool", collector, monkeypatch)
        yield machine
        machine.kill()


def test_the_version_is_shown(machine: Machine) -> None:
    assert machine.run("--version").stdout == f"{__version__}\n"


def test_without_a_command_it_says_which_there_are(machine: Machine) -> None:
    result = machine.run("")
    assert result.exit_code == 2
    assert all(each in result.output for each in ("spool", "dead-letters", "flush", "forward"))


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from instrument.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (
        2,
        "The `instrument` command needs typer, which is not installed: pip install 'instrument-analytics[cli]'\n",
    )


def test_the_command_is_installed_and_can_be_run_as_a_module() -> None:
    (command,) = entry_points(group="console_scripts", name="instrument")
    assert command.value == "instrument.cli:main"
    ran = subprocess.run([sys.executable, "-m", "instrument.cli", "--version"], check=True, capture_output=True)
    assert ran.stdout.decode() == f"{__version__}\n"


def test_a_wrong_setting_of_the_environment_is_a_wrong_usage(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUMENT_DURABILITY", "secret")
    result = machine.run("spool status")
    assert result.exit_code == 2
    assert "a setting does not fit" in result.stderr
    assert "secret" not in result.output


# spool status


def test_a_spool_directory_that_is_not_there_has_nothing(machine: Machine) -> None:
    assert machine.json("spool status") == {"spool_dir": str(machine.spool_dir), "sources": []}
    assert machine.run("spool status").stdout == f"{machine.spool_dir}\nNothing lies there.\n"
    assert not machine.spool_dir.exists()


def test_status_tells_what_waits_for_whom_and_whose_process_lives(machine: Machine) -> None:
    machine.use_key("another")
    machine.start(2, "first", "second")
    machine.use_key("key")
    machine.leave(3)
    (machine.directory / "1.damaged").touch()
    machine.letters.add("segment", envelope(1), "refused")
    found = machine.json("spool status")["sources"]
    shown = machine.run("spool status").stdout
    machine.kill()
    spools = [spool for each in found for spool in each["spools"]]
    (own,) = (each for each in found if each["of_this_environment"])
    assert {**own, "spools": None} == {
        "spools": None,
        "source": machine.directory.name,
        "of_this_environment": True,
        "dead_letters": {"segment": 1},
        "damaged": [str(machine.directory / "1.damaged")],
        "problem": None,
    }
    assert sorted(
        (each["owner_alive"], each["messages"], {to: about["messages"] for to, about in each["destinations"].items()})
        for each in spools
    ) == [(False, 3, {"segment": 3}), (True, 2, {"first": 2, "second": 2})]
    assert all(each["bytes"] > 100 and 0 <= each["oldest_seconds"] < 60 and not each["problem"] for each in spools)
    assert re.search(r"\.spool +dead +3 +\d+ B +\d s +3 for segment", shown)
    assert re.search(r"\.spool +alive +2 +\d+ B +\d s +2 for first, 2 for second", shown)
    assert "dead letters: 1 of segment\ndamaged, set aside: 1.damaged\n" in shown


def test_status_marks_the_source_of_this_environment_alone(machine: Machine) -> None:
    machine.leave(1)
    machine.use_key("another")
    assert [each["of_this_environment"] for each in machine.json("spool status")["sources"]] == [False]


def test_status_does_not_disturb_who_writes_and_delivers_meanwhile(machine: Machine) -> None:
    """It is asked again and again while a client makes, fills, empties and removes its spool."""
    done = threading.Event()
    asked: list[int] = []

    def ask() -> None:
        while not done.is_set() or not asked:
            asked.append(machine.run("spool status --json").exit_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for begin in range(0, 300, 100):
            client = Client(durability="sync")
            assert all(client.track(CommandSent(user_id=7, number=begin + number)) for number in range(100))
            assert client.close(timeout=20)
            assert client.stats().spooled == 100
    finally:
        done.set()
        asking.join(20)
    assert set(asked) == {0}
    assert machine.received() == list(range(300))
    assert machine.json("spool status")["sources"] == []


def test_status_says_what_cannot_be_read(machine: Machine) -> None:
    machine.leave(1)
    (spool,) = machine.directory.glob("*.spool")
    for each in machine.directory.glob("*.spool*"):
        each.write_bytes(b"no database at all" * 100)
    (found,) = machine.json("spool status")["sources"][0]["spools"]
    assert (found["file"], found["problem"]) == (str(spool), "file is not a database")


# flush


def test_flush_delivers_what_dead_processes_left(machine: Machine) -> None:
    machine.leave(2)
    machine.leave(3)
    assert machine.json("flush") == {
        "delivered": 5,
        "dead": 0,
        "left": 0,
        "lost": 0,
        "owned": 0,
        "others": {},
        "problems": {},
    }
    assert machine.received() == [0, 0, 1, 1, 2]
    assert machine.json("spool status")["sources"] == []


def test_flush_leaves_the_spools_of_living_processes_alone(machine: Machine) -> None:
    machine.start(2)
    result = machine.run("flush")
    machine.kill()
    assert (result.exit_code, result.stdout) == (
        0,
        "Delivered: 0 messages.\nLeft to processes that live, and deliver them: 1 spool.\n",
    )


def test_flush_keeps_what_is_refused_with_the_dead_letters(machine: Machine) -> None:
    machine.leave(3)
    machine.collector.behave("poison", marker="Command Sent")
    assert machine.run("flush").exit_code == 1
    assert len(machine.letters.letters()) == 3
    assert machine.json("flush")["delivered"] == 0


def test_flush_leaves_what_cannot_be_delivered_and_says_why(machine: Machine) -> None:
    machine.leave(3)
    machine.collector.behave("status", status=503)
    result = machine.run("flush --timeout 0.1")
    assert (result.exit_code, result.stdout) == (1, "Delivered: 0 messages.\nLeft: 3 messages.\n")
    assert "answered 503 Service Unavailable; nothing was taken for 0.1 seconds" in result.stderr
    machine.collector.behave("segment")
    assert machine.json("flush")["delivered"] == 3


def test_flush_gives_up_at_once_where_somebody_has_to_act(machine: Machine) -> None:
    machine.leave(1)
    machine.collector.behave("status", status=401)
    result = machine.run("flush --timeout 600")
    assert result.exit_code == 1
    assert "check the write key" in result.stderr


def test_flush_tries_other_destinations_when_one_is_down_and_removes_nothing(machine: Machine) -> None:
    machine.leave(2, "steady", "shaky")
    FLAKY.is_down = True
    assert machine.json("flush --timeout 0 --to tests.test_cli:flushed_to", code=1) == {
        "delivered": 2,
        "dead": 0,
        "left": 2,
        "lost": 0,
        "owned": 0,
        "others": {},
        "problems": {"shaky": "it is down; nothing was taken for 0 seconds"},
    }
    FLAKY.is_down = False
    assert machine.json("flush --to tests.test_cli:flushed_to")["delivered"] == 2
    assert [json.loads(each.body)["properties"]["number"] for each in FLAKY.envelopes] == [0, 1]


def test_flush_leaves_what_waits_for_another_destination(machine: Machine) -> None:
    machine.leave(2, "segment", "elsewhere")
    result = machine.run("flush")
    assert (result.exit_code, result.stdout) == (
        1,
        "Delivered: 2 messages.\nLeft for elsewhere, which is not among the destinations: 2 messages.\n",
    )
    (found,) = machine.json("spool status")["sources"][0]["spools"]
    assert {name: each["messages"] for name, each in found["destinations"].items()} == {"segment": 0, "elsewhere": 2}


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("nowhere", "it is none of segment, stdout, jsonl:PATH and package.module:name"),
        ("no_such_module:x", "it cannot be imported"),
        ("jsonl:~nobody-of-this-name/x", "~nobody-of-this-name is no home directory that is known"),
        ("tests.test_cli:no_such_name", "it cannot be imported"),
        ("tests.test_cli:CommandScope", "it is no destination"),
    ],
)
def test_a_destination_that_is_none_is_a_wrong_usage(machine: Machine, to: str, problem: str) -> None:
    result = machine.run(f"flush --to {to}")
    assert result.exit_code == 2
    assert problem in _unwrapped(result.stderr)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("~/nowhere", "there is no file {home}/nowhere"),
        ("~nobody-of-this-name/x", "~nobody-of-this-name is no home directory that is known"),
    ],
)
def test_credentials_may_lie_in_the_home_of_the_user(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, problem: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INSTRUMENT_NATS_CREDENTIALS", file)
    result = machine.run("forward --to stdout --server nats://127.0.0.1:1 --timeout 0")
    assert result.exit_code == 2
    assert problem.format(home=tmp_path).replace(" ", "") in "".join(_unwrapped(result.stderr).split())


def test_without_a_key_there_is_nothing_to_deliver_to(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGMENT_CLIENT_KEY")
    result = machine.run("flush")
    assert result.exit_code == 2
    assert "there is no write key: set SEGMENT_CLIENT_KEY, or give --write-key or --to" in _unwrapped(result.stderr)


# dead-letters


def test_dead_letters_are_listed_with_their_reasons(machine: Machine) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    machine.letters.add("segment", envelope(2, event="Parcel Lost"), "it answered 413")
    first, second = machine.json("dead-letters list")
    assert {**first, "given_up": None} == {
        "source": machine.directory.name,
        "id": 1,
        "given_up": None,
        "destination": "segment",
        "reason": "it answered 400",
        "message_id": "message-1",
        "type": "track",
        "name": "Parcel Sent",
    }
    assert (second["id"], second["name"]) == (2, "Parcel Lost")
    assert re.search(
        r" 2 +\d{4}-\d\d-\d\dT[\d:]+Z +segment +track +Parcel Lost +it answered 413\n",
        machine.run("dead-letters list").stdout,
    )


def test_without_dead_letters_there_is_nothing_to_list(machine: Machine) -> None:
    assert machine.run("dead-letters list").stdout == "There are no dead letters.\n"
    assert machine.json("dead-letters list") == []


def test_a_dead_letter_is_shown_whole(machine: Machine) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    shown = machine.json("dead-letters show 1")
    assert (shown["message_id"], shown["message"]) == ("message-1", json.loads(envelope(1).body))
    text = machine.run("dead-letters show 1").stdout
    assert "reason: it answered 400\n" in text
    assert json.loads(text[text.index("{") :]) == json.loads(envelope(1).body)


def test_what_a_terminal_would_carry_out_is_shown_as_text(machine: Machine) -> None:
    evil = "\x1b[2J\x9b2J\u202e[red]"
    body = json.dumps({"type": "track", "event": f"Parcel {evil}", "p": f"{evil}\n"}, ensure_ascii=False).encode()
    machine.letters.add(f"to {evil}", Envelope("1", body), f"because {evil}")
    printed = [machine.run(f"dead-letters {command}").output for command in ("list", "show 1", "list --json")]
    printed += [machine.run("spool status").output]
    assert all(each.isprintable() or each == "\n" for output in printed for each in output)
    assert all("[red]" in each for each in printed)


def test_a_body_that_is_no_json_is_shown_as_it_is(machine: Machine) -> None:
    machine.letters.add("segment", Envelope("", b"no \xff json"), "it is no message")
    assert machine.json("dead-letters show 1")["message"] == "no \\xff json"
    assert machine.run("dead-letters show 1").stdout.endswith("no \\xff json\n")


def test_letters_that_cannot_be_read_are_told_of(machine: Machine) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    machine.letters.path.write_bytes(b"no database at all" * 100)
    for command in ("list", "show 1", "replay --all", "purge --all --yes"):
        result = machine.run(f"dead-letters {command}")
        assert (result.exit_code, result.stderr) == (1, f"{machine.letters.path}: file is not a database\n")
    assert "dead letters: file is not a database\n" in machine.run("spool status").stdout


def test_replay_keeps_what_it_cannot_remove(machine: Machine) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    with closing(sqlite3.connect(machine.letters.path)) as connection:
        connection.execute("CREATE TRIGGER kept BEFORE DELETE ON letters BEGIN SELECT RAISE(FAIL, 'kept'); END")
    result = machine.json("dead-letters replay 1", code=1)
    assert (result["left"], result["problem"]) == ([1], "what was taken cannot be removed (IntegrityError)")


def test_replay_sends_again_with_the_same_id_and_removes_what_was_taken(machine: Machine) -> None:
    for each in envelopes([1, 2, 3]):
        machine.letters.add("segment", each, "it answered 400")
    assert machine.json("dead-letters replay 1 3")["delivered"] == [1, 3]
    assert [message["messageId"] for message in machine.collector.messages] == ["message-1", "message-3"]
    assert [each.id for each in machine.letters.letters()] == [2]
    assert machine.run("dead-letters replay --all").stdout.startswith("Delivered: 1 dead letter.\n")
    assert machine.letters.letters() == []


def test_replay_keeps_what_is_refused_again(machine: Machine) -> None:
    machine.collector.behave("poison", marker="poison")
    for each in (envelope(1), envelope(2, event="poison"), envelope(3)):
        machine.letters.add("segment", each, "it answered 400")
    result = machine.json("dead-letters replay --all", code=1)
    assert (sorted(result["delivered"]), list(result["refused"])) == ([1, 3], ["2"])
    assert "answered 400 Bad Request" in result["refused"]["2"]
    assert [each.id for each in machine.letters.letters()] == [2]


def test_replay_keeps_what_was_not_taken(machine: Machine) -> None:
    machine.collector.behave("status", status=503)
    machine.letters.add("segment", envelope(1), "it answered 400")
    result = machine.run("dead-letters replay --all --timeout 0.1")
    assert result.exit_code == 1
    assert "Not delivered: 1 dead letter." in result.stderr
    assert [each.id for each in machine.letters.letters()] == [1]


def test_replay_says_what_is_older_than_segment_remembers(machine: Machine) -> None:
    now = datetime.now(timezone.utc)
    for number, age in enumerate((timedelta(hours=23), timedelta(hours=25))):
        body = {"type": "track", "messageId": str(number), "timestamp": (now - age).isoformat()}
        machine.letters.add("segment", Envelope(str(number), json.dumps(body).encode()), "it answered 400")
    result = machine.run("dead-letters replay --all")
    assert result.stdout == (
        "Delivered: 2 dead letters.\n"
        "Older than 24 hours, so that Segment may not drop them as repeats of what it has already: 2.\n"
    )


def test_replay_sends_what_another_source_left_only_when_told_to(machine: Machine) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    source = machine.directory.name
    machine.use_key("another")
    result = machine.run("dead-letters replay --all")
    assert result.exit_code == 2
    assert f"--source {source}" in _unwrapped(result.stderr)
    assert machine.json(f"dead-letters replay --all --source {source[:6]}")["delivered"] == [1]


def test_replay_sends_elsewhere_where_it_is_told_to(machine: Machine, tmp_path: Path) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    machine.json(f"dead-letters replay 1 --to jsonl:{tmp_path}/out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == envelope(1).body + b"\n"


@pytest.mark.parametrize("answer", ["y\n", "n\n"])
def test_purge_asks_first(machine: Machine, answer: str) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    result = machine.run("dead-letters purge --all", input=answer)
    assert "Remove 1 dead letter for good? [y/N]" in result.stderr
    assert (result.exit_code, len(machine.letters.letters())) == ((0, 0) if answer == "y\n" else (1, 1))


def test_purge_removes_those_named_without_asking_where_it_is_told_to(machine: Machine) -> None:
    for each in envelopes([1, 2]):
        machine.letters.add("segment", each, "it answered 400")
    assert machine.json("dead-letters purge 2 --yes") == {"removed": 1}
    assert [each.id for each in machine.letters.letters()] == [1]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("replay", "name the letters by their numbers, or say --all"),
        ("purge --yes", "name the letters by their numbers, or say --all"),
        ("purge 1 --all", "name the letters by their numbers, or say --all"),
        ("purge 1 7 --yes", "there is no dead letter 7"),
        ("show 8", "there is no dead letter 8"),
        ("list --source zzz", "no source with dead letters begins so"),
        ("replay 1 --to tests.test_cli:flushed_to", "there are 2 destinations, and one is needed"),
    ],
)
def test_wrong_usage_of_dead_letters_removes_nothing(machine: Machine, command: str, problem: str) -> None:
    machine.letters.add("segment", envelope(1), "it answered 400")
    result = machine.run(f"dead-letters {command}")
    assert (result.exit_code, len(machine.letters.letters())) == (2, 1)
    assert problem in _unwrapped(result.stderr)


def test_letters_of_several_sources_are_listed_by_source_and_named_by_it(machine: Machine) -> None:
    sources = []
    for key in ("one", "two"):
        machine.use_key(key)
        machine.letters.add("segment", envelope(1), f"of {key}")
        sources.append(machine.directory.name)
    machine.use_key("three")
    listed = machine.run("dead-letters list").stdout
    assert all(f"source {each}\n" in listed for each in sources)
    result = machine.run("dead-letters show 1")
    assert (result.exit_code, all(each in _unwrapped(result.stderr) for each in sources)) == (2, True)
    assert machine.json(f"dead-letters show 1 --source {sources[1]}")["reason"] == "of two"


# forward; what it does is tested beside the forwarder


def test_forward_without_nats_py_says_what_to_install(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    result = machine.run("forward")
    assert result.exit_code == 2
    assert "NATS needs nats-py: pip install 'instrument-analytics[nats]'" in _unwrapped(result.stderr)


def test_forward_gives_up_where_no_server_is(machine: Machine) -> None:
    """Nothing listens on the port of a collector that is closed."""
    machine.collector.close()
    server = machine.collector.url.replace("http", "nats")
    result = machine.run(f"forward --until-empty --timeout 0.1 --server {server}")
    assert (result.exit_code, result.stdout) == (1, "Delivered: 0 messages.\n")
    assert "there is no connection (ConnectionRefusedError); nothing was taken for 0.1 seconds" in result.stderr


# docs/cli.md


def test_the_page_about_the_command_line_has_every_command_with_its_options_in_order() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "cli.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (instrument .*)\n((?:(?!^## ).*\n)*)", page, re.MULTILINE)
    documented = {
        name: re.findall(r"^\| `(--[a-z-]+)` \| (?:`([A-Z_]+)`)? ?\|", text, re.MULTILINE) for name, text in sections
    }
    assert documented == dict(_commands(get_command(app), "instrument"))


def _commands(command: Any, name: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if hasattr(command, "commands"):
        for below, each in command.commands.items():
            yield from _commands(each, f"{name} {below}")
    if getattr(command, "invoke_without_command", True):
        options = [each for each in command.params if each.param_type_name == "option"]
        yield name, [(each.opts[0], each.envvar or "") for each in options]


class _Flaky(MemoryDestination):
    is_down = False

    def send(self, batch: Sequence[Envelope]) -> None:
        if self.is_down:
            raise Unavailable("it is down")
        super().send(batch)


FLAKY = _Flaky("shaky")


def flushed_to() -> list[MemoryDestination]:
    return [MemoryDestination("steady"), FLAKY]


def _unwrapped(message: str) -> str:
    """Return an error as it was before it was put into a box."""
    return re.sub(r"[│╭╰╮╯─\s]+", " ", message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_that_is_full_is_said_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "instrument.cli", "--version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"the output cannot be written: No space left on device\n")


def test_who_reads_no_more_of_a_pipe_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "instrument.cli", "--version"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
