"""Every call of the Segment spec has its decorator; decorators stack; the client and the message id can be chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instrument import (
    Alias,
    Group,
    Identify,
    Message,
    Page,
    Refusal,
    Scope,
    Screen,
    Track,
    aliases,
    groups,
    identifies,
    pages,
    request_scope,
    screens,
    tracks,
)
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instrument.testing import Recorder


class SpecScope(Scope):
    user_id: int


class SpecProfile(Identify, SpecScope):
    plan: str


class SpecTeam(Group, SpecScope):
    plan: str


class SpecPage(Page, SpecScope, name="Pricing", category="Shop"):
    plan: str


class SpecScreen(Screen, SpecScope, name="Pricing"):
    plan: str


class SpecMerge(Alias, SpecScope):
    pass


class SpecPlanChosen(Track, SpecScope):
    plan: str


class SpecPlanBilled(Track, SpecScope):
    plan: str


class SpecPlanRefused(Track, SpecScope):
    plan: str


def choose(user_id: int, plan: str, group_id: str, previous_id: str) -> str:
    return f"{plan} for {user_id}"


DECORATED: dict[str, tuple[Callable[..., str], Message, dict[str, Any]]] = {
    "track": (
        tracks(SpecPlanChosen)(choose),
        SpecPlanChosen(user_id=7, plan="pro"),
        {"type": "track", "event": "Spec Plan Chosen", "properties": {"plan": "pro"}},
    ),
    "identify": (
        identifies(SpecProfile)(choose),
        SpecProfile(user_id=7, plan="pro"),
        {"type": "identify", "traits": {"plan": "pro"}},
    ),
    "group": (
        groups(SpecTeam)(choose),
        SpecTeam(user_id=7, group_id="g-1", plan="pro"),
        {"type": "group", "groupId": "g-1", "traits": {"plan": "pro"}},
    ),
    "page": (
        pages(SpecPage)(choose),
        SpecPage(user_id=7, plan="pro"),
        {"type": "page", "name": "Pricing", "category": "Shop", "properties": {"plan": "pro"}},
    ),
    "screen": (
        screens(SpecScreen)(choose),
        SpecScreen(user_id=7, plan="pro"),
        {"type": "screen", "name": "Pricing", "properties": {"plan": "pro"}},
    ),
    "alias": (
        aliases(SpecMerge)(choose),
        SpecMerge(user_id=7, previous_id="anonymous-1"),
        {"type": "alias", "previousId": "anonymous-1"},
    ),
}


@pytest.mark.parametrize(("handler", "message", "body"), DECORATED.values(), ids=DECORATED)
def test_each_decorator_emits_its_call_of_the_spec(
    tracked: Recorder, handler: Callable[..., str], message: Message, body: dict[str, Any]
) -> None:
    assert handler(7, "pro", "g-1", "anonymous-1") == "pro for 7"
    assert tracked.messages == [message]
    sent = json.loads(tracked.envelopes[0].body)
    del sent["messageId"], sent["timestamp"], sent["context"], sent["integrations"]
    assert sent == {**body, "userId": "7"}


def test_each_decorator_has_start_and_failure_as_tracks_has(tracked: Recorder) -> None:
    @groups(start=SpecTeam, failure=SpecTeam.from_call(plan=lambda _: "none"))
    def join(user_id: int, group_id: str, plan: str) -> None:
        raise ValueError("full")

    with pytest.raises(ValueError, match=r"^full$"):
        join(7, "g-1", "pro")
    assert tracked.messages == [
        SpecTeam(user_id=7, group_id="g-1", plan="pro"),
        SpecTeam(user_id=7, group_id="g-1", plan="none"),
    ]


def test_stacked_decorators_emit_each_its_own_the_inner_first(tracked: Recorder) -> None:
    @tracks(SpecPlanBilled)
    @tracks(SpecPlanChosen)
    def order(user_id: int, plan: str) -> str:
        return "ordered"

    assert order(7, "pro") == "ordered"
    assert tracked.messages == [SpecPlanChosen(user_id=7, plan="pro"), SpecPlanBilled(user_id=7, plan="pro")]


def test_decorators_of_different_specs_stack(tracked: Recorder) -> None:
    @identifies(SpecProfile)
    @tracks(SpecPlanChosen)
    def order(user_id: int, plan: str) -> str:
        return "ordered"

    assert order(7, "pro") == "ordered"
    assert tracked.messages == [SpecPlanChosen(user_id=7, plan="pro"), SpecProfile(user_id=7, plan="pro")]


async def test_decorators_stack_over_coroutines_and_their_failures(tracked: Recorder) -> None:
    @tracks(failure=SpecPlanRefused)
    @identifies(failure=SpecProfile)
    async def order(user_id: int, plan: str) -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match=r"^refused$"):
        await order(7, "pro")
    assert tracked.messages == [SpecProfile(user_id=7, plan="pro"), SpecPlanRefused(user_id=7, plan="pro")]


def test_decorators_stack_over_generators(tracked: Recorder) -> None:
    @identifies(SpecProfile)
    @tracks(SpecPlanChosen)
    def order(user_id: int, plan: str) -> Iterator[str]:
        yield "ordered"

    assert list(order(7, "pro")) == ["ordered"]
    assert tracked.messages == [SpecPlanChosen(user_id=7, plan="pro"), SpecProfile(user_id=7, plan="pro")]


def test_decorators_stack_above_and_below_classmethod(tracked: Recorder) -> None:
    class Shop:
        @identifies(SpecProfile)
        @classmethod
        @tracks(SpecPlanChosen)
        def order(cls, user_id: int, plan: str) -> str:
            return cls.__name__

    assert [Shop.order(7, "pro"), Shop().order(7, "pro")] == ["Shop", "Shop"]
    assert tracked.messages == [SpecPlanChosen(user_id=7, plan="pro"), SpecProfile(user_id=7, plan="pro")] * 2


def test_the_messages_go_to_the_client_that_was_given() -> None:
    with recording() as other, recording() as default:

        @tracks(SpecPlanBilled)
        @tracks(SpecPlanChosen, client=other.client)
        def order(user_id: int, plan: str) -> str:
            return "ordered"

        assert order(7, "pro") == "ordered"
        assert default.messages == [SpecPlanBilled(user_id=7, plan="pro")]
    assert other.messages == [SpecPlanChosen(user_id=7, plan="pro")]


def test_the_default_client_is_looked_up_at_each_call() -> None:
    handler = tracks(SpecPlanChosen)(choose)
    with recording() as first:
        handler(1, "pro", "", "")
    with recording() as second:
        handler(2, "pro", "", "")
    assert [message.user_id for message in first.messages + second.messages] == [1, 2]


@dataclass
class Webhook:
    id: str
    user_id: int


def ids(recorder: Recorder) -> list[str]:
    return [envelope.message_id for envelope in recorder.envelopes]


def test_a_repeated_delivery_keeps_the_message_id_that_its_source_gives(tracked: Recorder) -> None:
    @tracks(SpecPlanBilled.from_call(user_id="hook.user_id"), message_id="hook.id")
    def receive(hook: Webhook, plan: str) -> None: ...

    receive(Webhook("delivery-1", 7), "pro")
    receive(hook=Webhook("delivery-1", 7), plan="pro")
    assert ids(tracked) == ["delivery-1", "delivery-1"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [("result.id", "delivery-1"), (lambda call: call.result.user_id, "7"), ("plan", "pro")],
    ids=["result", "callable giving a number", "parameter"],
)
def test_the_message_id_comes_from_a_source_of_any_kind(tracked: Recorder, source: Any, expected: str) -> None:
    @tracks(SpecPlanBilled, message_id=source)
    def bill(user_id: int, plan: str) -> Webhook:
        return Webhook("delivery-1", user_id)

    bill(7, "pro")
    assert ids(tracked) == [expected]


def test_the_messages_of_one_call_have_different_ids_of_one_source(tracked: Recorder) -> None:
    billed = SpecPlanBilled.from_call(user_id="hook.user_id")

    @tracks(billed, start=billed, failure=billed, message_id="hook.id")
    def receive(hook: Webhook, plan: str) -> None:
        if plan == "none":
            raise LookupError

    with pytest.raises(LookupError):
        receive(Webhook("delivery-1", 7), "none")
    receive(Webhook("delivery-1", 7), "pro")
    assert ids(tracked) == ["delivery-1-start", "delivery-1-failure", "delivery-1-start", "delivery-1"]


def test_a_message_id_that_is_none_gets_one_made(tracked: Recorder) -> None:
    @tracks(SpecPlanBilled, message_id="delivery")
    def bill(user_id: int, plan: str, delivery: str | None = None) -> None: ...

    bill(7, "pro")
    bill(7, "pro")
    assert len(set(ids(tracked))) == 2
    assert all(len(each) == 36 for each in ids(tracked))


def test_a_scope_binding_serves_every_message_that_has_its_fields(tracked: Recorder) -> None:
    class PlanScope(SpecScope):
        plan: str

    @tracks(SpecPlanBilled, start=SpecPlanChosen, scope=PlanScope.from_call(user_id="owner.id", plan="name"))
    def bill(owner: dict[str, int], name: str) -> None: ...

    bill({"id": 7}, "pro")
    assert tracked.messages == [SpecPlanChosen(user_id=7, plan="pro"), SpecPlanBilled(user_id=7, plan="pro")]


def test_a_field_of_a_scope_binding_that_the_message_does_not_have_is_ignored(tracked: Recorder) -> None:
    class RegionScope(SpecScope):
        region: str

    @tracks(SpecPlanBilled, start=SpecPlanChosen, scope=RegionScope.from_call(region="result.region"))
    def bill(user_id: int, plan: str) -> None: ...

    bill(7, "pro")
    assert len(tracked.messages) == 2


def test_the_binding_of_a_message_wins_over_that_of_the_scope(tracked: Recorder) -> None:
    @tracks(SpecPlanBilled.from_call(user_id="payer"), scope=SpecScope.from_call(user_id="owner"))
    def bill(owner: int, payer: int, plan: str) -> None: ...

    bill(7, 8, "pro")
    assert tracked.messages == [SpecPlanBilled(user_id=8, plan="pro")]


def test_the_user_is_taken_from_the_request_scope_before_a_parameter_of_that_name() -> None:
    with recording(strict=False) as recorder, request_scope(user_id=1):
        tracks(SpecPlanChosen)(choose)(7, "pro", "", "")
    assert recorder.messages == [SpecPlanChosen(user_id=1, plan="pro")]


def test_strict_mode_asks_which_user_is_meant_when_the_request_scope_and_a_parameter_differ(tracked: Recorder) -> None:
    handler = tracks(SpecPlanChosen)(choose)
    with request_scope(user_id=1), pytest.raises(Refusal) as raised:
        handler(7, "pro", "", "")
    assert str(raised.value) == (
        f"field 'user_id': the request scope and the parameter 'user_id' of {__name__}:choose differ. "
        "A parameter is often the user acted upon: say which is meant, with "
        '`from_call(user_id="user_id")` for the parameter.'
    )


def test_the_repr_of_a_decorator_tells_its_messages() -> None:
    assert repr(identifies) == "<decorator for Identify messages>"
