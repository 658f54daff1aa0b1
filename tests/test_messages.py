"""Messages: each call of the Segment spec as it is received, and every declaration that cannot work refused."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, ValidationError

from instrument import (
    Alias,
    DeclarationError,
    Group,
    Identify,
    Message,
    Page,
    Reason,
    Refusal,
    Scope,
    Screen,
    SegmentTrack,
    Spec,
    Track,
    __version__,
    declared_messages,
    emitting,
)
from instrument.messages import declaration_of, registry
from instrument.testing import FixedStamps, recording
from tests.places import here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instrument.testing import Recorder

T = TypeVar("T")


class AccountScope(Scope):
    user_id: int


class PlanScope(AccountScope):
    plan_id: int = Field(serialization_alias="plan")


class SpecInvoicePaid(Track, PlanScope):
    amount: int
    name: str = "no key of Track"


class SpecUserKnown(Identify, AccountScope):
    email: str
    seats: int = Field(serialization_alias="seatCount")


class SpecTeamJoined(Group, AccountScope):
    size: int


class SpecPricingSeen(Page, AccountScope, category="Shop"):
    tab: str
    title: str = Field(default="Pricing", serialization_alias="name")


class SpecSettingsSeen(Screen, AccountScope, name="Settings"):
    tab: str


class SpecUserMerged(Alias, AccountScope):
    pass


ENVELOPE: dict[str, Any] = {
    "messageId": "00000000-0000-7000-8000-000000000001",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "context": {"library": {"name": "instrument-analytics", "version": __version__}},
    "integrations": {},
}


@pytest.fixture
def tracked() -> Iterator[Recorder]:
    with recording(stamps=FixedStamps()) as recorder:
        yield recorder


@pytest.fixture
def isolated() -> Iterator[None]:
    with registry.isolated():
        yield


def _received(tracked: Recorder) -> dict[str, Any]:
    (envelope,) = tracked.envelopes
    received: dict[str, Any] = json.loads(envelope.body)
    return received


class TestEachSpecAsItIsReceived:
    def test_track(self, tracked: Recorder) -> None:
        receipt = tracked.client.track(SpecInvoicePaid(user_id=7, plan_id=3, amount=12))
        assert receipt.message_id == ENVELOPE["messageId"]
        assert _received(tracked) == {
            "type": "track",
            "event": "Spec Invoice Paid",
            "userId": "7",
            "properties": {"plan": 3, "amount": 12, "name": "no key of Track"},
            **ENVELOPE,
        }

    def test_identify(self, tracked: Recorder) -> None:
        assert tracked.client.identify(SpecUserKnown(user_id=7, email="a@b.example", seats=2))
        assert _received(tracked) == {
            "type": "identify",
            "userId": "7",
            "traits": {"email": "a@b.example", "seatCount": 2},
            **ENVELOPE,
        }

    def test_group(self, tracked: Recorder) -> None:
        assert tracked.client.group(SpecTeamJoined(user_id=7, group_id=5, size=2))
        assert _received(tracked) == {
            "type": "group",
            "userId": "7",
            "groupId": "5",
            "traits": {"size": 2},
            **ENVELOPE,
        }

    def test_page(self, tracked: Recorder) -> None:
        assert tracked.client.page(SpecPricingSeen(user_id=7, tab="yearly"))
        assert _received(tracked) == {
            "type": "page",
            "name": "Spec Pricing Seen",
            "category": "Shop",
            "userId": "7",
            "properties": {"tab": "yearly", "name": "Pricing"},
            **ENVELOPE,
        }

    def test_screen(self, tracked: Recorder) -> None:
        assert tracked.client.screen(SpecSettingsSeen(user_id=7, tab="privacy"))
        assert _received(tracked) == {
            "type": "screen",
            "name": "Settings",
            "userId": "7",
            "properties": {"tab": "privacy"},
            **ENVELOPE,
        }

    def test_alias(self, tracked: Recorder) -> None:
        assert tracked.client.alias(SpecUserMerged(user_id=7, previous_id="cookie-1"))
        assert _received(tracked) == {"type": "alias", "userId": "7", "previousId": "cookie-1", **ENVELOPE}

    def test_what_goes_with_a_message_is_in_its_envelope(self, tracked: Recorder) -> None:
        from datetime import datetime, timedelta, timezone

        assert tracked.client.identify(
            SpecUserKnown(user_id=7, email="a@b.example", seats=2),
            message_id="delivery-17",
            timestamp=datetime(2025, 5, 4, 3, 2, 1, 987_654, timezone(timedelta(hours=2))),
            context={"ip": "192.0.2.1", "library": {"name": "not ours"}},
            integrations={"All": False, "Amplitude": {"session_id": 3}},
        )
        assert _received(tracked) == {
            "type": "identify",
            "userId": "7",
            "traits": {"email": "a@b.example", "seatCount": 2},
            "messageId": "delivery-17",
            "timestamp": "2025-05-04T01:02:01.987Z",
            "context": {"ip": "192.0.2.1", "library": {"name": "instrument-analytics", "version": __version__}},
            "integrations": {"All": False, "Amplitude": {"session_id": 3}},
        }


class TestWhatAMessageAnswers:
    def test_a_track_knows_its_user_event_and_properties(self) -> None:
        paid = SpecInvoicePaid(user_id=7, plan_id=3, amount=12)
        assert (paid.user_id, paid.event) == (7, "Spec Invoice Paid")
        assert paid.properties == {"plan": 3, "amount": 12, "name": "no key of Track"}
        assert isinstance(paid, SegmentTrack)

    def test_traits_properties_names_and_categories(self) -> None:
        assert SpecUserKnown(user_id=7, email="a", seats=2).traits == {"email": "a", "seatCount": 2}
        assert SpecTeamJoined(user_id=7, group_id=5, size=2).traits == {"size": 2}
        page = SpecPricingSeen(user_id=7, tab="x")
        assert (page.name, page.category) == ("Spec Pricing Seen", "Shop")
        assert page.properties == {"tab": "x", "name": "Pricing"}
        screen = SpecSettingsSeen(user_id=7, tab="x")
        assert (screen.name, screen.category) == ("Settings", None)

    def test_messages_are_equal_by_class_and_value_and_hashable(self) -> None:
        paid = SpecInvoicePaid(user_id=7, plan_id=3, amount=12)
        assert {paid, SpecInvoicePaid(user_id=7, plan_id=3, amount=12)} == {paid}
        assert paid != SpecInvoicePaid(user_id=7, plan_id=3, amount=13)

    def test_a_message_is_frozen(self) -> None:
        paid = SpecInvoicePaid(user_id=7, plan_id=3, amount=12)
        with pytest.raises(ValidationError, match="frozen"):
            paid.amount = 13

    @pytest.mark.parametrize("kind", [Track, Identify, Group, Page, Screen, Alias])
    def test_a_client_method_takes_its_own_spec_only(self, kind: type[Message]) -> None:
        ours = {
            Track: SpecInvoicePaid(user_id=7, plan_id=3, amount=12),
            Identify: SpecUserKnown(user_id=7, email="a", seats=2),
            Group: SpecTeamJoined(user_id=7, group_id=5, size=2),
            Page: SpecPricingSeen(user_id=7, tab="x"),
            Screen: SpecSettingsSeen(user_id=7, tab="x"),
            Alias: SpecUserMerged(user_id=7, previous_id=8),
        }
        with recording(strict=False) as tracked:
            send = getattr(tracked.client, kind.__name__.lower())
            taken = {each for each, message in ours.items() if send(message)}
            errors = {str(send(message).error) for each, message in ours.items() if each is not kind}
        assert taken == {kind}
        assert errors == {
            f"client.{kind.__name__.lower()} takes an instance of a declared {kind.__name__}, not "
            f"{type(message).__name__}"
            for each, message in ours.items()
            if each is not kind
        }


class TestNames:
    def test_a_name_may_be_given(self, isolated: None) -> None:
        class NamedByArgument(Track, AccountScope, name='Anything goes: "quoted" \\ 50% off ✓'):
            pass

        with recording() as tracked:
            assert tracked.client.track(NamedByArgument(user_id=7))
        assert _received(tracked)["event"] == 'Anything goes: "quoted" \\ 50% off ✓'

    def test_a_given_name_is_not_inherited(self, isolated: None) -> None:
        class ParentNamedOtherwise(Track, AccountScope, name="Something Else"):
            pass

        class ChildOfNamed(ParentNamedOtherwise):
            pass

        assert ChildOfNamed(user_id=7).event == "Child Of Named"

    def test_an_abstract_base_carries_fields_and_has_no_event(self, isolated: None) -> None:
        before = declared_messages()

        class BillingBase(Track, PlanScope, abstract=True):
            currency: str = "EUR"

        assert declared_messages() == before

        class BillingInvoiceSent(BillingBase):
            amount: int

        assert declared_messages() == (*before, BillingInvoiceSent)
        sent = BillingInvoiceSent(user_id=7, plan_id=3, amount=12)
        assert (sent.event, sent.properties) == (
            "Billing Invoice Sent",
            {"plan": 3, "currency": "EUR", "amount": 12},
        )

    def test_an_abstract_message_is_not_sent(self, isolated: None) -> None:
        class NeverSentBase(Track, AccountScope, abstract=True):
            pass

        at = here(-3)
        with recording(strict=False) as tracked:
            receipt = tracked.client.track(NeverSentBase(user_id=7))
        assert str(receipt.error) == (
            f"NeverSentBase, declared at {at}, is abstract: it carries fields for other messages, and cannot be "
            "sent itself."
        )

    def test_pages_may_share_a_name(self, isolated: None) -> None:
        class HomeOfShop(Page, AccountScope, name="Home"):
            pass

        class HomeOfBlog(Page, AccountScope, name="Home"):
            pass

        assert {HomeOfShop, HomeOfBlog} <= set(declared_messages())


class TestTheIdentity:
    @pytest.mark.parametrize(
        ("kind", "value", "sent"),
        [
            (int, 0, "0"),
            (int, -1, "-1"),
            (int, 2**64 - 1, "18446744073709551615"),
            (str, "0", "0"),
            (str, 'a b\t"é\\', 'a b\t"é\\'),
            (UUID, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
            (float, 1.5, "1.5"),
            (int | str, "u-1", "u-1"),
            (int | UUID, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
            (int | None, 0, "0"),
        ],
    )
    def test_it_is_sent_as_text(self, tracked: Recorder, isolated: None, kind: type, value: object, sent: str) -> None:
        scope = type("IdKindScope", (Scope,), {"__annotations__": {"user_id": kind}, "__module__": __name__})
        visitor = type("VisitorScope", (Scope,), {"__annotations__": {"anonymous_id": str}, "__module__": __name__})
        message = type("IdKindSeen", (Track, scope, visitor), {"__module__": __name__})
        assert tracked.client.track(message(user_id=value, anonymous_id="cookie"))
        assert _received(tracked) == {
            "type": "track",
            "event": "Id Kind Seen",
            "userId": sent,
            "anonymousId": "cookie",
            "properties": {},
            **ENVELOPE,
        }

    def test_an_own_serialization_of_the_id_is_what_is_sent(self, tracked: Recorder, isolated: None) -> None:
        from typing import Annotated

        from pydantic import PlainSerializer

        class PrefixedScope(Scope):
            user_id: Annotated[int, PlainSerializer(lambda number: f"user-{number}")]

        class PrefixedSeen(Track, PrefixedScope):
            pass

        assert tracked.client.track(PrefixedSeen(user_id=7))
        assert _received(tracked)["userId"] == "user-7"

    def test_ids_are_never_properties(self, tracked: Recorder, isolated: None) -> None:
        class BothIdsScope(Scope):
            user_id: int
            anonymous_id: str

        class BothIdsSeen(Track, BothIdsScope):
            pass

        message = BothIdsSeen(user_id=7, anonymous_id="cookie")
        assert message.properties == {}
        assert tracked.client.track(message)
        assert (_received(tracked)["userId"], _received(tracked)["anonymousId"]) == ("7", "cookie")

    def test_an_alias_does_not_change_the_key_of_an_id(self, tracked: Recorder, isolated: None) -> None:
        class AliasedIdScope(Scope):
            user_id: int = Field(serialization_alias="uid")

        class AliasedIdSeen(Track, AliasedIdScope):
            pass

        assert tracked.client.track(AliasedIdSeen(user_id=7))
        assert _received(tracked)["userId"] == "7"
        assert _received(tracked)["properties"] == {}

    def test_ids_of_other_specs_are_properties_of_a_track(self, tracked: Recorder, isolated: None) -> None:
        class TeamNoted(Track, AccountScope):
            group_id: int
            previous_id: int

        assert tracked.client.track(TeamNoted(user_id=7, group_id=5, previous_id=6))
        assert _received(tracked)["properties"] == {"group_id": 5, "previous_id": 6}

    def test_one_of_two_optional_ids_is_not_enough_to_declare(self, isolated: None) -> None:
        class MaybeScope(Scope):
            user_id: int | None = None
            anonymous_id: str | None = None

        with pytest.raises(DeclarationError, match="could be sent without an identity"):

            class MaybeSeen(Track, MaybeScope):
                pass

    def test_a_default_is_an_identity(self, tracked: Recorder, isolated: None) -> None:
        class RobotScope(Scope):
            user_id: str = "robot"

        class RobotMoved(Track, RobotScope):
            pass

        assert tracked.client.track(RobotMoved())
        assert _received(tracked)["userId"] == "robot"


class TestDeclarationErrors:
    """Whole texts, since they are all that a person has."""

    def test_two_events_with_one_name(self, isolated: None) -> None:
        class FirstOfTwo(Track, AccountScope, name="Taken Name"):
            pass

        first = here(-3)
        with pytest.raises(DeclarationError) as raised:

            class SecondOfTwo(Track, AccountScope, name="Taken Name"):
                pass

        at = here(-3)
        assert str(raised.value) == (
            f"{at}: SecondOfTwo: the track 'Taken Name' is already declared, by FirstOfTwo at {first}. "
            'Give one of the two another name: `class SecondOfTwo(Track, …, name="…")`.'
        )
        assert FirstOfTwo in declared_messages()

    @pytest.mark.parametrize("spec", [Track, Identify, Group, Page, Screen])
    def test_no_identity(self, spec: type[Message]) -> None:
        with pytest.raises(DeclarationError) as raised:
            type("NobodyMeant", (spec,), {"__module__": __name__})
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: NobodyMeant could be sent without an identity: Segment requires `user_id` or "
            "`anonymous_id`. Inherit from a scope that declares one of them, without a default of None: "
            f"`class NobodyMeant({spec.__name__}, UserScope)`."
        )

    def test_an_alias_needs_a_user(self) -> None:
        class CookieScope(Scope):
            anonymous_id: str

        with pytest.raises(DeclarationError) as raised:

            class CookieMerged(Alias, CookieScope):
                pass

        at = here(-3)
        assert str(raised.value) == (
            f"{at}: CookieMerged could be sent without an identity: Segment requires `user_id`. "
            "Inherit from a scope that declares one of them, without a default of None: "
            "`class CookieMerged(Alias, UserScope)`."
        )

    @pytest.mark.parametrize(
        ("spec", "name", "owner"),
        [
            (Track, "event", "Track has it for the Segment spec"),
            (Track, "properties", "Track has it for the Segment spec"),
            (Identify, "traits", "Identify has it for the Segment spec"),
            (Group, "traits", "Group has it for the Segment spec"),
            (Page, "name", "Page has it for the Segment spec"),
            (Page, "category", "Page has it for the Segment spec"),
            (Page, "properties", "Page has it for the Segment spec"),
            (Screen, "name", "Screen has it for the Segment spec"),
            (Track, "json", "pydantic has it for itself"),
            (Track, "copy", "pydantic has it for itself"),
            (Track, "schema", "pydantic has it for itself"),
            (Track, "model_fields", "pydantic has it for itself"),
            (Identify, "from_call", "every scope and message has it"),
        ],
    )
    def test_names_that_are_needed_otherwise(self, spec: type[Message], name: str, owner: str) -> None:
        with pytest.raises(DeclarationError) as raised:
            type("NameNeeded", (spec, AccountScope), {"__annotations__": {name: int}, "__module__": __name__})
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: NameNeeded.{name}: a field cannot have this name, since {owner}. "
            f'Write `{name}_: … = Field(serialization_alias="{name}")`: the message then still has the key {name!r}.'
        )

    def test_two_fields_with_one_key(self) -> None:
        with pytest.raises(DeclarationError) as raised:

            class KeysCollided(Track, PlanScope):
                plan: str

        at = here(-3)
        assert str(raised.value) == (f"{at}: KeysCollided: the fields 'plan_id' and 'plan' have one key, 'plan'.")

    def test_a_computed_field_with_the_key_of_another(self) -> None:
        from pydantic import computed_field

        with pytest.raises(DeclarationError) as raised:

            class ComputedCollided(Track, PlanScope):
                @computed_field  # type: ignore[prop-decorator]
                @property
                def plan(self) -> str:
                    return ""

        at = here(-6)
        assert str(raised.value) == (f"{at}: ComputedCollided: the fields 'plan_id' and 'plan' have one key, 'plan'.")

    def test_an_alias_with_another_field(self) -> None:
        with pytest.raises(DeclarationError) as raised:

            class MergedWithReason(Alias, AccountScope):
                reason: str

        at = here(-3)
        assert str(raised.value) == (
            f"{at}: MergedWithReason.reason: a call of alias has only ids: user_id, previous_id."
        )

    def test_an_alias_with_a_computed_field(self) -> None:
        from pydantic import computed_field

        with pytest.raises(DeclarationError) as raised:

            class MergedWithComputed(Alias, AccountScope):
                @computed_field  # type: ignore[prop-decorator]
                @property
                def reason(self) -> str:
                    return ""

        at = here(-6)
        assert str(raised.value) == (
            f"{at}: MergedWithComputed.reason: a call of alias has only ids: user_id, previous_id."
        )

    @pytest.mark.parametrize("name", ["", " ", "\t\n"])
    def test_an_empty_name(self, name: str) -> None:
        with pytest.raises(DeclarationError) as raised:

            class NamedByNothing(Track, AccountScope, name=name):
                pass

        at = here(-3)
        assert str(raised.value) == f"{at}: NamedByNothing: the name of the track is empty."

    def test_a_class_name_without_letters(self) -> None:
        with pytest.raises(DeclarationError, match=r"_: the name of the track is empty\.$"):

            class _(Track, AccountScope):
                pass

    def test_a_name_that_utf_8_cannot_say(self) -> None:
        with pytest.raises(DeclarationError) as raised:

            class NamedByHalf(Track, AccountScope, name="Half \ud800"):
                pass

        at = here(-3)
        assert str(raised.value) == f"{at}: NamedByHalf: the name of the track has a lone surrogate."

    def test_a_name_for_a_call_that_has_none(self) -> None:
        with pytest.raises(DeclarationError) as raised:

            class NamedUser(Identify, AccountScope, name="User"):
                pass

        at = here(-3)
        assert str(raised.value) == f"{at}: NamedUser: a call of identify has no name."

    def test_a_misspelt_class_argument(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'nmae'"):

            class Misspelt(Track, AccountScope, nmae="Spelt"):
                pass

    def test_a_category_for_a_call_that_has_none(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'category'"):

            class Categorised(Track, AccountScope, category="Shop"):
                pass

    def test_a_class_that_was_refused_is_not_declared(self, isolated: None) -> None:
        before = declared_messages()
        with pytest.raises(DeclarationError):
            type("RefusedAtOnce", (Track,), {"__module__": __name__})
        assert declared_messages() == before


class TestDeclaredAgain:
    @pytest.fixture
    def write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: None) -> Iterator[Callable[[str], None]]:
        monkeypatch.syspath_prepend(tmp_path)
        # So that a module that changes twice in one second is compiled twice.
        monkeypatch.setattr(sys, "dont_write_bytecode", True)

        def write(body: str) -> None:
            (tmp_path / "declared_again.py").write_text(
                "from instrument import Scope, Track\nclass S(Scope):\n    user_id: int\n" + dedent(body)
            )

        yield write
        sys.modules.pop("declared_again", None)

    @staticmethod
    def _declared() -> list[type[Message]]:
        return [each for each in declared_messages() if each.__module__ == "declared_again"]

    def test_a_reloaded_module_replaces_its_classes(self, write: Callable[[str], None]) -> None:
        write("class ReloadedOnce(Track, S):\n    a: int\n")
        module = importlib.import_module("declared_again")
        assert self._declared() == [module.ReloadedOnce]
        before = module.ReloadedOnce
        write("# a line more\n\nclass ReloadedOnce(Track, S):\n    a: int\n    b: int\n")
        importlib.reload(module)
        assert self._declared() == [module.ReloadedOnce]
        assert module.ReloadedOnce is not before
        assert set(module.ReloadedOnce.model_fields) == {"user_id", "a", "b"}

    def test_a_module_imported_anew_replaces_its_classes(self, write: Callable[[str], None]) -> None:
        write("class ImportedTwice(Track, S):\n    a: int\n")
        importlib.import_module("declared_again")
        del sys.modules["declared_again"]
        module = importlib.import_module("declared_again")
        assert self._declared() == [module.ImportedTwice]

    def test_a_second_class_of_the_name_in_one_module_is_an_error(
        self, write: Callable[[str], None], tmp_path: Path
    ) -> None:
        write("class CopyPasted(Track, S):\n    a: int\nclass CopyPasted(Track, S):\n    b: int\n")
        with pytest.raises(DeclarationError) as raised:
            importlib.import_module("declared_again")
        file = tmp_path / "declared_again.py"
        assert str(raised.value) == (
            f"{file}:6: CopyPasted: the track 'Copy Pasted' is already declared, by CopyPasted at {file}:4. "
            'Give one of the two another name: `class CopyPasted(Track, …, name="…")`.'
        )

    def test_the_name_in_two_modules_is_an_error(self, write: Callable[[str], None], tmp_path: Path) -> None:
        write("class InTwoModules(Track, S):\n    a: int\n")
        importlib.import_module("declared_again")
        other = tmp_path / "declared_elsewhere.py"
        other.write_text((tmp_path / "declared_again.py").read_text())
        with pytest.raises(DeclarationError) as raised:
            importlib.import_module("declared_elsewhere")
        assert str(raised.value).startswith(f"{other}:4: InTwoModules: the track 'In Two Modules' is already declared")

    def test_a_notebook_cell_run_again_replaces_its_class(self, isolated: None) -> None:
        notebook: dict[str, Any] = {"__name__": "__main__", "AccountScope": AccountScope, "Track": Track}
        cell = "class CellRunAgain(Track, AccountScope):\n    {}: int\n"
        exec(compile(cell.format("a"), "<ipython-input-1>", "exec"), notebook)
        exec(compile("\n\n" + cell.format("b"), "<ipython-input-2>", "exec"), notebook)
        declared = [each for each in declared_messages() if each.__name__ == "CellRunAgain"]
        assert declared == [notebook["CellRunAgain"]]
        assert set(declared[0].model_fields) == {"user_id", "b"}

    def test_a_function_that_declares_may_be_called_again(self, isolated: None) -> None:
        def declare() -> type[Track]:
            class DeclaredInside(Track, AccountScope):
                pass

            return DeclaredInside

        first, second = declare(), declare()
        assert first is not second
        assert [each for each in declared_messages() if each.__name__ == "DeclaredInside"] == [second]


class TestTheRegistry:
    def test_messages_are_in_the_order_of_their_declaration(self, isolated: None) -> None:
        before = declared_messages()

        class OrderFirst(Track, AccountScope):
            pass

        class OrderSecond(Identify, AccountScope):
            pass

        class OrderThird(Alias, AccountScope):
            pass

        assert declared_messages() == (*before, OrderFirst, OrderSecond, OrderThird)

    def test_it_forgets_what_was_declared_in_isolation(self) -> None:
        before = declared_messages()
        with registry.isolated():

            class ForgottenSoon(Track, AccountScope):
                pass

            assert ForgottenSoon in declared_messages()
        assert declared_messages() == before

    def test_in_isolation_nothing_is_declared_yet(self) -> None:
        assert SpecInvoicePaid in declared_messages()
        with registry.isolated():
            assert declared_messages() == ()
        assert SpecInvoicePaid in declared_messages()

    def test_it_forgets_also_when_the_block_raises(self) -> None:
        before = declared_messages()
        with pytest.raises(DeclarationError), registry.isolated():

            class ForgottenInError(Track, AccountScope):
                pass

            class ForgottenOther(Track, AccountScope, name="Forgotten In Error"):
                pass

        assert declared_messages() == before

    def test_a_declaration_tells_all_about_a_class(self) -> None:
        declaration = declaration_of(SpecPricingSeen)
        assert (declaration.name, declaration.category) == ("Spec Pricing Seen", "Shop")
        assert dict(declaration.ids) == {"user_id": "userId"}
        assert declaration.scope_fields == {"user_id"}
        assert declaration.spec.type == "page"
        assert declaration.at.file == __file__


class TestGenericMessages:
    def test_a_parametrised_class_is_sent_under_the_name_of_the_generic_one(self, isolated: None) -> None:
        before = declared_messages()

        class GenericMoved(Track, AccountScope, Generic[T]):
            distance: T

        with recording(stamps=FixedStamps()) as tracked:
            assert tracked.client.track(GenericMoved[float](user_id=7, distance=1))
        assert _received(tracked)["event"] == "Generic Moved"
        assert _received(tracked)["properties"] == {"distance": 1.0}
        assert declared_messages() == (*before, GenericMoved)

    def test_its_type_argument_is_validated(self, isolated: None) -> None:
        class GenericLifted(Track, AccountScope, Generic[T]):
            height: T

        with pytest.raises(ValidationError, match="valid number"):
            GenericLifted[float](user_id=7, height="canary")  # type: ignore[arg-type]


class _Parent(BaseModel):
    child: LaterNode | None = None


class ForwardReferred(Track, AccountScope):
    node: LaterNode
    parent: _Parent | None = None


class LaterNode(BaseModel):
    label: str
    children: list[LaterNode] = []


def test_a_class_that_is_defined_later_can_be_the_type_of_a_property(tracked: Recorder) -> None:
    node = LaterNode(label="root", children=[LaterNode(label="leaf")])
    assert tracked.client.track(ForwardReferred(user_id=7, node=node))
    leaf = {"label": "leaf", "children": []}
    assert _received(tracked)["properties"] == {"node": {"label": "root", "children": [leaf]}, "parent": None}


def test_a_class_of_a_function_can_be_the_type_of_a_property_of_another_one() -> None:
    with registry.isolated():

        class Part(BaseModel):
            label: str

        class PartSeen(Track, AccountScope):
            part: Part

        class PartNamed(Track, AccountScope, name="Part Named"):
            part: Part

    assert PartSeen.__pydantic_complete__
    assert PartNamed.__pydantic_complete__


@dataclass
class Raw:
    """Some other library's event: all that `client.track` asks for are the three attributes."""

    user_id: Any = 7
    event: Any = "Raw Event"
    properties: Any = field(default_factory=lambda: {"a": 1})


@dataclass
class RawVisitor(Raw):
    user_id: Any = None
    anonymous_id: Any = "cookie"


class TestSegmentTrackObjects:
    def test_an_object_with_the_three_attributes_is_a_segment_track(self) -> None:
        assert isinstance(Raw(), SegmentTrack)
        assert not isinstance(object(), SegmentTrack)

    def test_it_is_sent_and_counted_as_undeclared(self, tracked: Recorder) -> None:
        assert tracked.client.track(Raw())
        assert _received(tracked) == {
            "type": "track",
            "event": "Raw Event",
            "userId": "7",
            "properties": {"a": 1},
            **ENVELOPE,
        }
        stats = tracked.client.stats()
        assert (stats.accepted, stats.undeclared) == (1, 1)

    def test_it_may_have_an_anonymous_id(self, tracked: Recorder) -> None:
        assert tracked.client.track(RawVisitor())
        assert _received(tracked)["anonymousId"] == "cookie"
        assert "userId" not in _received(tracked)

    @pytest.mark.parametrize(("user_id", "sent"), [(0, "0"), ("u", "u"), (1.5, "1.5"), (UUID(int=5), str(UUID(int=5)))])
    def test_its_id_is_sent_as_text(self, tracked: Recorder, user_id: object, sent: str) -> None:
        assert tracked.client.track(Raw(user_id=user_id))
        assert _received(tracked)["userId"] == sent

    @pytest.mark.parametrize(
        ("raw", "reason", "text"),
        [
            (Raw(event=""), Reason.INVALID, "Raw: its event name is empty, or no text"),
            (Raw(event=" "), Reason.INVALID, "Raw: its event name is empty, or no text"),
            (Raw(event=None), Reason.INVALID, "Raw: its event name is empty, or no text"),
            (Raw(event=b"Raw"), Reason.INVALID, "Raw: its event name is empty, or no text"),
            (
                Raw(event="\ud800"),
                Reason.NOT_SERIALIZABLE,
                "field 'event': a text has a lone surrogate, which UTF-8 cannot say",
            ),
            (
                Raw(user_id=None),
                Reason.NO_IDENTITY,
                "Raw Event: it has neither a user_id nor an anonymous_id",
            ),
            (Raw(user_id=""), Reason.NO_IDENTITY, "field 'user_id': an id is empty"),
            (Raw(user_id=True), Reason.INVALID, "field 'user_id': an id is text or a number, not bool"),
            (Raw(user_id=b"7"), Reason.INVALID, "field 'user_id': an id is text or a number, not bytes"),
            (Raw(user_id=float("nan")), Reason.INVALID, "field 'user_id': a number is not finite, and no id"),
            (Raw(properties=None), Reason.INVALID, "Raw Event: its properties are no mapping, but NoneType"),
            (Raw(properties=[1]), Reason.INVALID, "Raw Event: its properties are no mapping, but list"),
        ],
    )
    def test_it_is_held_to_the_same_rules(self, raw: Raw, reason: Reason, text: str) -> None:
        with recording(strict=False) as tracked:
            receipt = tracked.client.track(raw)
        assert not receipt
        assert isinstance(receipt.error, Refusal)
        assert (receipt.error.reason, str(receipt.error)) == (reason, text)
        assert tracked.envelopes == []

    def test_only_track_takes_it(self) -> None:
        with recording(strict=False) as tracked:
            receipt = tracked.client.page(Raw())  # type: ignore[arg-type]
        assert str(receipt.error) == "client.page takes an instance of a declared Page, not Raw"


class TestSpecsOfOnesOwn:
    """A new spec is a message class with the shape of its call."""

    def test_ids_of_its_own_have_the_keys_that_it_gives(self, tracked: Recorder, isolated: None) -> None:
        class Survey(Message, abstract=True):
            __segment_spec__ = Spec("survey", "properties", own_ids={"survey_id": "surveyId"})

            survey_id: int

        class Answered(Survey, AccountScope):
            score: int

        with emitting(Answered, user_id=7, survey_id=3, score=5):
            pass
        assert json.loads(tracked.envelopes[0].body)["surveyId"] == "3"
        assert json.loads(tracked.envelopes[0].body)["properties"] == {"score": 5}

    def test_a_message_without_a_shape_is_an_error(self, isolated: None) -> None:
        with pytest.raises(DeclarationError, match=r": Shapeless: a message is one of Track, Identify, Group, Page"):

            class Shapeless(Message, AccountScope):
                pass
