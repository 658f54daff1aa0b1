"""What becomes of personal data on its way into envelopes, the spool and destinations."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    SerializeAsAny,
    ValidationError,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typer.testing import CliRunner

from instrument import PII, Client, DeclarationError, Identify, MemoryDestination, Reason, Scope, Track, tracks
from instrument.cli.app import app
from instrument.messages import registry

if TYPE_CHECKING:
    from pathlib import Path

    from instrument import Envelope
    from instrument.privacy.marks import Policy

KEY = "a key of the tests, of enough characters"


class RedactedUser(Scope):
    user_id: int


class RedactedPerson(BaseModel):
    email: Annotated[str, PII("email")]
    age: int


class RedactedDropped(Identify, RedactedUser):
    email: Annotated[str, PII("email")]
    plan: str


class RedactedMasked(Identify, RedactedUser):
    email: Annotated[str | None, PII("email", policy="mask")]


class RedactedHashed(Identify, RedactedUser):
    email: Annotated[str, PII("email", policy="hash")] = Field(serialization_alias="mail")


class RedactedKept(Identify, RedactedUser):
    email: Annotated[str, PII("email", policy="keep")]


class RedactedNested(Track, RedactedUser):
    one: RedactedPerson
    several: list[RedactedPerson]
    named: dict[str, RedactedPerson]
    texts: list[Annotated[str, PII("email")]]
    either: RedactedPerson | int


class RedactedIdentity(Track):
    user_id: Annotated[int, PII("user", policy="hash")]
    count: int


class Unexpected(Track, RedactedUser):
    anything: Any


def digest(text: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def sent(client: Client, memory: MemoryDestination, message: Any) -> dict[str, Any]:
    receipt = client.track(message) if isinstance(message, Track) else client.identify(message)
    assert receipt, receipt.error
    assert client.flush()
    return memory.messages[-1]


def test_a_dropped_value_leaves_nothing_behind(make: Any, memory: MemoryDestination) -> None:
    message = sent(make(), memory, RedactedDropped(user_id=7, email="ada@example.com", plan="free"))

    assert message["traits"] == {"plan": "free"}


def test_a_masked_value_tells_only_that_there_is_one(make: Any, memory: MemoryDestination) -> None:
    client = make()

    assert sent(client, memory, RedactedMasked(user_id=7, email="ada@example.com"))["traits"] == {"email": "***"}
    assert sent(client, memory, RedactedMasked(user_id=7, email=None))["traits"] == {"email": None}


def test_a_hashed_value_is_an_hmac_of_its_text_under_its_key_in_the_message(
    make: Any, memory: MemoryDestination
) -> None:
    client = make(pii_key=KEY)

    message = sent(client, memory, RedactedHashed(user_id=7, email="ada@example.com"))

    assert message["traits"] == {"mail": digest("ada@example.com")}


def test_a_kept_value_is_sent(make: Any, memory: MemoryDestination) -> None:
    assert sent(make(), memory, RedactedKept(user_id=7, email="a@b.c"))["traits"] == {"email": "a@b.c"}


def test_a_policy_holds_in_nested_models_lists_mappings_and_unions(make: Any, memory: MemoryDestination) -> None:
    person = RedactedPerson(email="ada@example.com", age=36)
    nested = RedactedNested(
        user_id=7, one=person, several=[person, person], named={"ada": person}, texts=["a@b.c"], either=person
    )
    dropped, masked, hashed = {"age": 36}, {"email": "***", "age": 36}, {"email": digest("ada@example.com"), "age": 36}

    assert sent(make(), memory, nested)["properties"] == {
        "one": dropped,
        "several": [dropped, dropped],
        "named": {"ada": dropped},
        "texts": [],
        "either": dropped,
    }
    assert sent(make(pii={"email": "mask"}), memory, nested)["properties"] == {
        "one": masked,
        "several": [masked, masked],
        "named": {"ada": masked},
        "texts": ["***"],
        "either": masked,
    }
    assert sent(make(pii={"email": "hash"}, pii_key=KEY), memory, nested)["properties"] == {
        "one": hashed,
        "several": [hashed, hashed],
        "named": {"ada": hashed},
        "texts": [digest("a@b.c")],
        "either": hashed,
    }


def test_a_hash_of_what_is_no_text_is_that_of_its_json_with_sorted_keys(make: Any, memory: MemoryDestination) -> None:
    with registry.isolated():

        class AddressGiven(Track, RedactedUser):
            address: Annotated[dict[str, int | str], PII("address", policy="hash")]
            born: Annotated[int, PII("birth", policy="hash")]

    message = sent(make(pii_key=KEY), memory, AddressGiven(user_id=7, address={"street": "A", "number": 1}, born=1815))

    assert message["properties"] == {
        "address": digest('{"number":1,"street":"A"}'),
        "born": digest("1815"),
    }


def test_the_identity_can_be_hashed(make: Any, memory: MemoryDestination) -> None:
    message = sent(make(pii_key=KEY), memory, RedactedIdentity(user_id=7, count=1))

    assert message["userId"] == digest("7")


@pytest.mark.parametrize("policy", ["drop", "mask"])
def test_an_identity_that_a_policy_would_take_away_is_hashed(
    make: Any, memory: MemoryDestination, policy: Policy
) -> None:
    client = make(pii_key=KEY, pii={"user": policy})

    assert sent(client, memory, RedactedIdentity(user_id=7, count=1))["userId"] == digest("7")


def test_without_a_key_what_would_be_hashed_is_left_out_and_said_once(
    make: Any, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    with caplog.at_level(logging.WARNING, "instrument"):
        for _ in range(3):
            assert sent(client, memory, RedactedHashed(user_id=7, email="ada@example.com"))["traits"] == {}

    assert caplog.messages == [
        "Values of PII('email') are to be hashed, and there is no key: they are left out. Set INSTRUMENT_PII_KEY."
    ]


def test_without_a_key_a_message_with_a_hashed_identity_is_refused(make: Any) -> None:
    receipt = make().track(RedactedIdentity(user_id=7, count=1))

    assert str(receipt.error) == "Redacted Identity: its user_id is to be hashed, and there is no pii_key"


@pytest.mark.parametrize("pii", [{"email": "hash"}, {"segment": {"*": "hash"}}])
def test_a_setting_that_asks_for_hashes_without_a_key_is_refused(pii: Any) -> None:
    with pytest.raises(ValidationError, match="the policy `hash` needs a key: set pii_key, or INSTRUMENT_PII_KEY"):
        Client(pii=pii)


def test_a_key_that_can_be_guessed_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError, match="a key has 16 characters or more") as raised:
        Client(pii_key="hunter2")

    assert "hunter2" not in str(raised.value)


def test_the_key_is_shown_nowhere() -> None:
    assert KEY not in repr(Client(pii_key=KEY, enabled=False).settings)


def test_policies_for_a_destination_that_does_not_exist_are_refused(memory: MemoryDestination, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="setting `pii`: there is no destination 'werehouse', only 'memory'"):
        Client(destinations=[memory], spool_dir=tmp_path, pii={"werehouse": {"email": "keep"}})


def test_each_destination_gets_what_its_own_policy_leaves(tmp_path: Path) -> None:
    names = ("segment", "warehouse", "audit", "board")
    destinations = {name: MemoryDestination(name=name) for name in names}
    client = Client(
        destinations=list(destinations.values()),
        spool_dir=tmp_path,
        pii={"email": "mask", "warehouse": {"email": "hash"}, "audit": {"*": "keep"}},
        pii_key=KEY,
    )

    receipt = client.identify(RedactedDropped(user_id=7, email="ada@example.com", plan="free"))
    assert receipt
    assert client.close()

    messages = {name: each.messages for name, each in destinations.items()}
    assert {name: found["traits"].get("email") for name, (found,) in messages.items()} == {
        "segment": "***",
        "warehouse": digest("ada@example.com"),
        "audit": "ada@example.com",
        "board": "***",
    }
    assert {found["messageId"] for (found,) in messages.values()} == {receipt.message_id}
    stats = client.stats()
    assert (stats.accepted, stats.spooled, stats.queued) == (1, 1, 0)
    assert stats.delivered == dict.fromkeys(names, 1)


def test_where_destinations_differ_nobody_else_sees_more_than_all_of_them_may(tmp_path: Path) -> None:
    seen: list[bytes] = []
    client = Client(
        destinations=[MemoryDestination("audit"), MemoryDestination("board")],
        spool_dir=tmp_path,
        pii={"audit": {"*": "keep"}},
    )
    inner: Any = client.direct

    class Watching:
        def put(self, envelope: Envelope, message: Any) -> None:
            seen.append(envelope.body)
            inner.put(envelope, message)

    client.transport = Watching()
    assert client.identify(RedactedMasked(user_id=7, email="ada@example.com"))
    assert client.close()

    assert [json.loads(body)["traits"] for body in seen] == [{"email": "***"}]


def test_messages_without_personal_data_go_to_destinations_of_every_policy(tmp_path: Path) -> None:
    audit, board = MemoryDestination(name="audit"), MemoryDestination(name="board")
    client = Client(destinations=[audit, board], spool_dir=tmp_path, pii={"audit": {"*": "keep"}})

    assert client.track(Unexpected(user_id=7, anything=1))
    assert client.close()

    assert audit.messages == board.messages
    assert len(audit.messages) == 1


def test_a_model_that_an_annotation_hides_is_refused_and_not_sent_raw(make: Any) -> None:
    client = make()
    person = RedactedPerson(email="ada@example.com", age=36)

    errors = [str(client.track(Unexpected(user_id=7, anything=value)).error) for value in (person, [{"a": person}])]

    refused = (
        "field 'anything': it holds a mark of personal data in a field that is not annotated with it; "
        "name the model in the annotation"
    )
    assert errors == [refused, refused]


@dataclass
class RedactedNote:
    email: Annotated[str, PII("email")]


@pydantic_dataclass
class RedactedRecord:
    email: Annotated[str, PII("email")]


class UnexpectedBeside(Track, RedactedUser):
    anything: Any
    phone: Annotated[str, PII("phone")] = "1"


class Expected(Track, RedactedUser):
    note: RedactedNote
    anything: Any = None


def test_a_dataclass_that_an_annotation_hides_is_not_sent_raw(make: Any, memory: MemoryDestination) -> None:
    client = make()
    for value in (RedactedNote("ada@example.com"), [RedactedNote("ada@example.com")]):
        for event in (Unexpected(user_id=7, anything=value), UnexpectedBeside(user_id=7, anything=value)):
            assert client.track(event).error.reason is Reason.NOT_SERIALIZABLE
    assert client.track(Unexpected(user_id=7, anything=RedactedRecord("ada@example.com"))).error is not None
    client.track(UnexpectedBeside(user_id=7, anything=RedactedRecord("ada@example.com")))
    assert client.track(Expected(user_id=7, note=RedactedNote("ada@example.com")))
    client.close()
    assert "ada@example.com" not in str(memory.messages)
    assert len(memory.messages) == 2


def test_a_mark_on_a_computed_field_holds(make: Any, memory: MemoryDestination) -> None:
    with registry.isolated():

        class SignedUp(Identify, RedactedUser):
            email: Annotated[str, PII("email")]

            @computed_field  # type: ignore[prop-decorator]
            @property
            def domain(self) -> Annotated[str, PII("email")]:
                return self.email.partition("@")[2]

    assert sent(make(), memory, SignedUp(user_id=7, email="ada@example.com"))["traits"] == {}


def test_a_serializer_that_would_pass_over_a_mark_is_refused_where_a_handler_is_decorated() -> None:
    with registry.isolated():

        class Signed(Identify, RedactedUser):
            email: Annotated[str, PII("email")]

            @field_serializer("email")
            def _upper(self, value: str) -> str:
                return value.upper()

        class Whole(BaseModel):
            email: Annotated[str, PII("email")]

            @model_serializer
            def _all(self) -> dict[str, str]:
                return {"email": self.email}

        class Told(Track, RedactedUser):
            whole: Whole

    with pytest.raises(DeclarationError, match=r"Signed\.email: its field_serializer passes over the mark"):
        Client(enabled=False, strict=True).identify(Signed(user_id=7, email="a@b.c"))
    with pytest.raises(DeclarationError, match=r"Whole: its model_serializer passes over the marks"):
        tracks(Told)(lambda whole: None)


class RedactedOutside(BaseModel):
    """Not complete where the message that holds it is declared."""

    email: Annotated[RedactedLater, PII("email")]

    @model_serializer
    def _all(self) -> dict[str, str]:
        return {"email": self.email}


class RedactedOutsideField(BaseModel):
    email: Annotated[RedactedLater, PII("email")]

    @field_serializer("email")
    def _upper(self, value: str) -> str:
        return value.upper()


RedactedLater = str


class RedactedEarlyModel(Track, RedactedUser):
    person: RedactedOutside


class RedactedEarlyField(Track, RedactedUser):
    person: RedactedOutsideField


class RedactedSerializedList(Track, RedactedUser):
    emails: list[Annotated[str, PII("email")]]

    @field_serializer("emails")
    def _all(self, values: list[str]) -> list[str]:
        return values


class RedactedSerializedModel(Track, RedactedUser):
    person: RedactedPerson
    other: RedactedPerson

    @field_serializer("person")
    def _email(self, person: RedactedPerson) -> str:
        return person.email


class RedactedSerializedPlainly(Track, RedactedUser):
    person: Annotated[RedactedPerson, PlainSerializer(lambda person: person.email)]


@pytest.mark.parametrize(
    ("message", "hidden"),
    [
        (RedactedEarlyModel, "RedactedOutside: its model_serializer passes over the marks of personal data in it."),
        (RedactedEarlyField, "RedactedOutsideField.email: its field_serializer passes over the mark"),
        (RedactedSerializedList, "RedactedSerializedList.emails: its field_serializer passes over the mark"),
        (RedactedSerializedModel, "RedactedSerializedModel.person: its field_serializer passes over the mark"),
        (RedactedSerializedPlainly, "RedactedSerializedPlainly.person: its field_serializer passes over the mark"),
    ],
)
def test_a_serializer_above_a_mark_is_refused_wherever_the_mark_is(message: type[Track], hidden: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(hidden)):
        tracks(message)(lambda **_: None)


def test_a_serializer_whose_result_is_marked_itself_is_none_above_a_mark(make: Any, memory: MemoryDestination) -> None:
    with registry.isolated():

        class Domain(Track, RedactedUser):
            email: Annotated[str, PII("email", policy="mask")]

            @field_serializer("email")
            def _domain(self, value: str) -> Annotated[str, PII("email", policy="mask")]:
                return value.partition("@")[2]

    assert sent(make(), memory, Domain(user_id=7, email="ada@example.com"))["properties"] == {"email": "***"}


class RedactedByItself(RedactedPerson):
    @model_serializer
    def _all(self) -> dict[str, Any]:
        return {"email": self.email}


class RedactedAsAny(Track, RedactedUser):
    person: SerializeAsAny[RedactedPerson]


class RedactedUnmarked(BaseModel):
    pass


class RedactedUnmarkedAsAny(Track, RedactedUser):
    person: SerializeAsAny[RedactedUnmarked]


def test_a_value_that_is_serialized_as_what_it_is_keeps_its_marks(make: Any, memory: MemoryDestination) -> None:
    class Person(RedactedUnmarked):
        email: Annotated[str, PII("email")]

    client, person = make(), RedactedPerson(email="ada@example.com", age=36)
    by_itself = RedactedByItself(email="ada@example.com", age=36)

    assert sent(client, memory, RedactedAsAny(user_id=7, person=person))["properties"] == {"person": {"age": 36}}
    passed_over = "RedactedByItself: its model_serializer passes over the marks of personal data in it. Leave it out."
    hidden = (
        "it holds a mark of personal data in a field that is not annotated with it; name the model in the annotation"
    )
    assert [
        str(client.track(message).error)
        for message in (
            RedactedAsAny(user_id=7, person=by_itself),
            Unexpected(user_id=7, anything=by_itself),
            RedactedUnmarkedAsAny(user_id=7, person=Person(email="ada@example.com")),
        )
    ] == [f"field 'person': {passed_over}", f"field 'anything': {passed_over}", f"field 'person': {hidden}"]


def test_a_mark_holds_whatever_the_name_of_its_field(make: Any, memory: MemoryDestination) -> None:
    with registry.isolated():

        class Named(Track, RedactedUser):
            metadata: Annotated[str, PII("email")]
            default: Annotated[str, PII("email")]
            serialization: Annotated[str, PII("email")]
            ref: str
            type: str

    message = Named(user_id=7, metadata="a@b.c", default="a@b.c", serialization="a@b.c", ref="A", type="model")

    assert sent(make(), memory, message)["properties"] == {"ref": "A", "type": "model"}


def test_a_constraint_beside_a_mark_holds() -> None:
    with registry.isolated():

        class Limited(Track, RedactedUser):
            email: Annotated[str, PII("email"), Field(max_length=5)]

    with pytest.raises(ValidationError, match="at most 5 characters"):
        Limited(user_id=7, email="ada@example.com")


def test_a_handler_emits_what_the_policy_leaves(make: Any, memory: MemoryDestination) -> None:
    client = make(pii={"email": "mask"})

    @tracks(RedactedNested, client=client)
    def handler(user_id: int, one: Any, *, several: Any, named: Any, texts: Any, either: Any) -> None: ...

    ada = {"email": "ada@example.com", "age": 1}
    handler(7, ada, several=[], named={}, texts=["ada@example.com"], either=3)
    client.flush()

    (message,) = memory.messages
    assert message["properties"]["one"] == {"email": "***", "age": 1}
    assert message["properties"]["texts"] == ["***"]


def test_what_waits_for_a_policy_is_flushed_by_the_command_to_those_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down(MemoryDestination):
        def send(self, batch: Any) -> None:
            raise OSError

    pii: Any = {"audit": {"*": "keep"}}
    client = Client(
        destinations=[Down("board"), Down("audit")], spool_dir=tmp_path, pii=pii, durability="sync", flush_timeout=0.0
    )
    assert client.identify(RedactedDropped(user_id=7, email="ada@example.com", plan="free"))
    client.close(0.0)
    board, audit = MemoryDestination("board"), MemoryDestination("audit")
    module = ModuleType("destinations_of_the_test")
    module.every = [board, audit]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("INSTRUMENT_PII", json.dumps(pii))

    flushed = CliRunner().invoke(app, ["flush", "--to", f"{module.__name__}:every"])

    assert flushed.output == "Delivered: 2 messages.\n"
    assert [each["traits"] for each in board.messages] == [{"plan": "free"}]
    assert [each["traits"] for each in audit.messages] == [{"email": "ada@example.com", "plan": "free"}]


def test_a_raw_value_reaches_the_disk_only_where_a_destination_keeps_it(tmp_path: Path) -> None:
    class Down(MemoryDestination):
        def send(self, batch: Any) -> None:
            raise OSError

    client = Client(
        destinations=[Down(name="segment"), Down(name="audit")],
        spool_dir=tmp_path,
        pii={"audit": {"*": "keep"}},
        flush_timeout=0.0,
        durability="sync",
    )
    assert client.identify(RedactedDropped(user_id=7, email="ada@example.com", plan="free"))

    with_value = {each.parent for each in tmp_path.rglob("*") if each.is_file() and b"ada@" in each.read_bytes()}
    client.close(0.0)

    assert len(with_value) == 1
    assert len([each for each in tmp_path.iterdir() if each.is_dir()]) == 2
