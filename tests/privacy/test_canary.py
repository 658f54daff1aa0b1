"""A canary in every marked field, and every way that goes wrong: it is found on no disk, in no log, in no error."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import traceback
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from instrument import PII, Client, MemoryDestination, Rejected, Scope, Track, Unavailable, tracks
from instrument.delivery.destinations.segment import SegmentDestination
from instrument.testing import recording
from tests.docs.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instrument import Envelope

CANARY = "canary-5a1c"
NUMBER = 771_155_993
"""A canary for fields that hold numbers."""


class CanaryScope(Scope):
    watched_owner: Annotated[str, PII("owner", policy="mask")]


class CanaryPerson(BaseModel):
    email: Annotated[str, PII("email", policy="hash")]
    age: Annotated[int, PII("age", policy="mask")]


class CanarySighted(Track, CanaryScope):
    user_id: Annotated[str, PII("user", policy="hash")]
    name: Annotated[str, PII("name")]
    born: Annotated[int, PII("birth")]
    person: CanaryPerson
    people: list[CanaryPerson] = []
    by_name: dict[str, CanaryPerson] = {}
    notes: Annotated[dict[str, Any], PII("notes")] = {}
    number: int = 0

    @field_validator("name")
    @classmethod
    def _no_bad_names(cls, name: str) -> str:
        if "bad" in name:
            raise ValueError(f"{name} is a bad name")
        return name


PERSON: dict[str, Any] = {"email": f"{CANARY}@example.com", "age": NUMBER}
GOOD: dict[str, Any] = {
    "watched_owner": CANARY,
    "user_id": CANARY,
    "name": CANARY,
    "born": NUMBER,
    "person": PERSON,
    "people": [PERSON, PERSON],
    "by_name": {"somebody": PERSON},
    "notes": {CANARY: [CANARY, NUMBER]},
}


def sighted(**changed: Any) -> CanarySighted:
    return CanarySighted(**{**GOOD, **changed})


@dataclass
class Heard:
    """Everything that anybody was told."""

    texts: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def on_error(self, error: BaseException, where: str) -> None:
        self.errors.append(error)
        self.texts.append(where)

    def on_drop(self, envelope: Envelope, reason: str) -> None:
        self.texts += [envelope.body.decode(), reason]

    @property
    def everything(self) -> str:
        told = ["".join(traceback.format_exception(each)) for each in self.errors]
        return "\n".join([*self.texts, *told, *map(repr, self.errors)])


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(autouse=True)
def _nothing_is_found(tmp_path: Path, heard: Heard, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    files = {str(each): each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    logged = [f"{each.getMessage()} {each.exc_text} {each.__dict__}" for each in caplog.records]
    for canary in (CANARY, str(NUMBER)):
        assert [name for name, content in files.items() if canary.encode() in content] == []
        assert canary not in "\n".join(logged)
        assert canary not in heard.everything


@pytest.fixture
def make(tmp_path: Path, heard: Heard) -> Iterator[Any]:
    made: list[Client] = []

    def client(*destinations: Any, **options: Any) -> Client:
        given = {
            "destinations": destinations or (MemoryDestination(),),
            "spool_dir": tmp_path,
            "durability": "sync",
            "pii_key": "a key of the tests, of enough characters",
            "on_error": heard.on_error,
            "on_drop": heard.on_drop,
            "flush_timeout": 0.2,
            **options,
        }
        made.append(Client(**given))
        return made[-1]

    yield client
    for each in made:
        each.close()


class Down(MemoryDestination):
    """Takes nothing, and says what it was given."""

    def send(self, batch: Sequence[Envelope]) -> None:
        raise Unavailable(f"cannot take {batch[0].body.decode()}")


class Raising(MemoryDestination):
    def send(self, batch: Sequence[Envelope]) -> None:
        raise RuntimeError(batch[0].body)


class Echoing(MemoryDestination):
    """Refuses everything, and says what it was given."""

    def send(self, batch: Sequence[Envelope]) -> None:
        raise Rejected(f"will never take {batch[0].body.decode()}")


def hear(heard: Heard, receipt: Any) -> None:
    assert not receipt
    heard.errors.append(receipt.error)
    heard.texts.append(repr(receipt))


def test_a_message_that_waits_in_the_spool(make: Any, heard: Heard) -> None:
    client = make(Down())
    receipt = client.track(sighted())
    assert receipt
    heard.texts += [repr(receipt), repr(sighted()), str(sighted()), repr(client.stats())]


def test_a_destination_that_raises_what_it_was_given(make: Any) -> None:
    client = make(Raising())
    assert client.track(sighted())
    assert not client.flush(0.3)


def test_a_poison_message_goes_to_the_dead_letters(make: Any) -> None:
    client = make(Echoing())
    for number in range(5):
        assert client.track(sighted(number=number))
    assert client.flush(10)
    assert sum(client.stats().dead.values()) == 5


def test_what_waits_in_memory_is_dropped(make: Any, heard: Heard) -> None:
    client = make(Down(), durability="memory")
    assert client.track(sighted())
    assert not client.close(0.1)
    assert heard.texts


@pytest.mark.instrument_delivery
@pytest.mark.parametrize("status", [400, 500])
def test_a_server_that_answers_with_what_it_got(make: Any, status: int) -> None:
    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status, body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = make(SegmentDestination("key", host=f"http://127.0.0.1:{server.server_port}"))
        assert client.track(sighted())
        client.flush(1.0)
        client.close(0.0)
        server.shutdown()


@pytest.mark.parametrize(
    "wrong",
    [
        {"born": CANARY},
        {"name": f"bad {CANARY}"},
        {"name": {CANARY: NUMBER}},
        {"person": {"email": [CANARY], "age": CANARY}},
        {"people": [{"email": CANARY, "age": [NUMBER]}]},
        {"by_name": {"somebody": {"email": CANARY, "age": 1.5, CANARY: 1}}},
        {"unknown": CANARY},
    ],
)
def test_values_that_do_not_fit(make: Any, heard: Heard, wrong: dict[str, Any]) -> None:
    client = make()

    @tracks(
        CanarySighted.from_call(**{name: (lambda call, name=name: call.kwargs[name]) for name in GOOD}), client=client
    )
    def handler(**given: Any) -> None: ...

    handler(**{**GOOD, **wrong})
    if not str(wrong.get("name")).startswith("bad"):  # else the error has the text of the application's validator
        with pytest.raises(ValidationError) as raised:
            sighted(**wrong)
        heard.errors.append(raised.value)
    assert "unknown" in wrong or client.stats().refused == {"invalid": 1}


def test_values_that_have_no_json_form(make: Any, heard: Heard) -> None:
    client = make(pii={"notes": "keep"})
    circle: dict[str, Any] = {CANARY: NUMBER}
    circle["again"] = circle
    surrogate, bare = f"{CANARY}\ud800", object()
    for wrong in ({"notes": circle}, {"notes": {"a": bare}}, {"notes": {"a": surrogate}}, {"user_id": surrogate}):
        hear(heard, client.track(sighted(**wrong)))


def test_a_source_that_raises_what_it_read(make: Any, heard: Heard) -> None:
    client = make()

    def read(call: Any) -> Any:
        raise KeyError(call.kwargs["name"])

    @tracks(CanarySighted.from_call(name=read, number=lambda call: call.kwargs[CANARY]), client=client)
    def handler(**given: Any) -> None: ...

    handler(**GOOD)
    assert client.stats().refused == {"source_failed": 1}
    assert heard.errors


def test_a_hook_that_raises_what_it_was_given(make: Any, heard: Heard) -> None:
    def hook(message: CanarySighted) -> CanarySighted:
        if message.number == 0:
            raise ValueError(message.name, message.model_dump())
        return message.model_copy(update={"born": CANARY, CANARY: CANARY})

    client = make(before_send=hook)
    hear(heard, client.track(sighted(number=0)))
    hear(heard, client.track(sighted(number=1)))
    assert client.stats().refused == {"hook_failed": 1, "invalid": 1}


def test_a_key_that_is_missing(make: Any, heard: Heard) -> None:
    hear(heard, make(pii_key=None).track(sighted()))


def test_a_message_that_is_too_large(make: Any, heard: Heard) -> None:
    client = make(pii={"notes": "keep"})
    hear(heard, client.track(sighted(notes={CANARY: CANARY * 4_000})))


def test_a_client_that_is_closed_or_full(make: Any, heard: Heard) -> None:
    hear(heard, make(Down(), spool_max_bytes=10).track(sighted()))
    client = make()
    client.close()
    hear(heard, client.track(sighted()))


_ON_A_FULL_DISK = """
import resource, sys
from instrument import Client
from tests.privacy.test_canary import Down, sighted

client = Client(
    destinations=[Down()], spool_dir=sys.argv[1], durability="sync", pii_key="of enough characters", flush_timeout=0.0
)
assert client.track(sighted())
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
while receipt := client.track(sighted()):
    pass
print(receipt, client.stats())
"""


def test_a_full_disk(tmp_path: Path, heard: Heard) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "spool_failed" in ran.stdout
    heard.texts += [ran.stdout, ran.stderr]


def test_a_spool_that_is_overwritten(make: Any, heard: Heard, tmp_path: Path) -> None:
    client = make(Down())
    assert client.track(sighted())
    (spool,) = tmp_path.rglob("*.spool")
    for each in spool.parent.iterdir():
        if each.name.startswith(spool.name):
            each.write_bytes(b"\0" * each.stat().st_size)
    for _ in range(3):
        client.track(sighted())


def test_a_spool_that_is_damaged_and_salvaged(make: Any, tmp_path: Path) -> None:
    client = make(Down())
    for number in range(50):
        assert client.track(sighted(number=number))
    client.close(0.0)
    (spool,) = tmp_path.rglob("*.spool")
    content = bytearray(spool.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = b"\xff" * 64
    spool.write_bytes(content)

    heir = make(Echoing(), flush_timeout=5.0)
    assert heir.track(sighted())
    heir.flush()


def test_debug_mode_tells_where_and_not_what(make: Any, heard: Heard) -> None:
    memory = MemoryDestination()
    client = make(memory, debug=True, debug_port=9)

    @tracks(CanarySighted, client=client)
    def handler(**given: Any) -> None: ...

    handler(**GOOD)
    handler(**{**GOOD, "born": CANARY})
    assert client.flush(10)
    (message,) = memory.messages
    assert "name" in message["context"]["instrument"]["provenance"]
    heard.texts.append(str(message))


def test_strict_mode_raises_without_a_value(heard: Heard) -> None:
    @tracks(CanarySighted)
    def handler(**given: Any) -> None: ...

    with recording(pii_key="a key of the tests, of enough characters") as tracked:
        handler(**GOOD)
        with pytest.raises(Exception, match="born") as raised:
            handler(**{**GOOD, "born": CANARY})
        heard.errors.append(raised.value.with_traceback(None))
        heard.texts += [repr(tracked), *(each.body.decode() for each in tracked.envelopes)]


def test_what_is_kept_for_one_destination_reaches_no_other(tmp_path: Path, heard: Heard) -> None:
    audit, board = MemoryDestination("audit"), MemoryDestination("board")
    client = Client(
        destinations=[audit, board],
        durability="memory",
        spool_dir=tmp_path,
        pii={"audit": {"*": "keep"}},
        pii_key="a key of the tests, of enough characters",
    )
    assert client.track(sighted())
    assert client.close(10)
    assert CANARY in str(audit.messages)
    heard.texts.append(str(board.messages))
