"""What is kept back on purpose: sampling, hooks, rate limits, events that are switched off."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from instrument import Client, DeclarationError, MemoryDestination, Refusal, Scope, Track, tracks
from instrument.messages import registry
from instrument.rates import Bucket
from instrument.sampling import is_sampled
from instrument.testing import recording


class GateScope(Scope):
    user_id: int | str


class GateEverything(Track, GateScope):
    number: int


class GateSampled(Track, GateScope, sample=0.25):
    number: int


class GateLimited(Track, GateScope, rate_limit=2): ...


@dataclass
class Loose:
    """An object that has what a track has."""

    user_id: int
    event: str = "Loose Event"
    properties: dict[str, Any] = field(default_factory=dict)


users = st.one_of(st.integers(0).map(str), st.uuids().map(str), st.text(max_size=50))
rates = st.floats(0, 1)


class TestSampling:
    @settings(deadline=None)
    @given(users, st.text(max_size=50), rates, rates)
    def test_who_is_among_a_share_is_among_every_larger_one(
        self, user: str, event: str, one: float, two: float
    ) -> None:
        smaller, larger = sorted((one, two))
        assert is_sampled(event, user, smaller) <= is_sampled(event, user, larger)

    @settings(deadline=None)
    @given(users, st.text(max_size=50), rates)
    def test_the_answer_is_the_same_every_time(self, user: str, event: str, rate: float) -> None:
        assert is_sampled(event, user, rate) == is_sampled(event, user, rate)

    @settings(deadline=None)
    @given(users, st.text(max_size=50))
    def test_nobody_and_everybody_are_exact(self, user: str, event: str) -> None:
        assert not is_sampled(event, user, 0)
        assert is_sampled(event, user, 1)

    @settings(deadline=None, max_examples=25)
    @given(st.text(min_size=1, max_size=20), st.floats(0.05, 0.95))
    def test_the_share_of_many_users_is_the_rate(self, event: str, rate: float) -> None:
        count, expected = 2_000, 2_000 * rate
        found = sum(is_sampled(event, str(user), rate) for user in range(count))
        assert abs(found - expected) < 7 * (count * rate * (1 - rate)) ** 0.5

    def test_each_event_has_users_of_its_own(self) -> None:
        both = sum(is_sampled("A", str(user), 0.5) and is_sampled("B", str(user), 0.5) for user in range(4_000))
        assert 800 < both < 1_200

    def test_the_algorithm_is_the_documented_one(self) -> None:
        import hashlib

        for user in ("ada", "bob"):
            share = int(hashlib.sha256(f"Cart Viewed\0{user}".encode()).hexdigest()[:16], 16) / 2**64
            assert is_sampled("Cart Viewed", user, share + 1e-9)
            assert not is_sampled("Cart Viewed", user, share - 1e-9)

    def test_a_user_sees_all_of_an_event_or_none_of_it(self, make: Any, memory: MemoryDestination) -> None:
        client = make()
        for number in range(3):
            for user in range(200):
                client.track(GateSampled(user_id=user, number=number))
        client.flush()

        sent = [(message["userId"], message["properties"]["number"]) for message in memory.messages]
        expected = [str(user) for user in range(200) if is_sampled("Gate Sampled", str(user), 0.25)]
        assert sent == [(user, number) for number in range(3) for user in expected]
        assert {message["context"]["instrument"]["sampleRate"] for message in memory.messages} == {0.25}
        assert client.stats().refused == {"sampled": 600 - len(sent)}

    def test_a_setting_overrides_the_class(self, make: Any) -> None:
        client = make(sample_rates={"Gate Sampled": 1, "Gate Everything": 0, "Loose Event": 0})

        assert all(client.track(GateSampled(user_id=user, number=1)) for user in range(20))
        assert not client.track(GateEverything(user_id=1, number=1))
        assert not client.track(Loose(1))
        assert client.stats().refused == {"sampled": 2}

    @pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
    def test_a_share_is_between_0_and_1(self, share: float) -> None:
        with pytest.raises(DeclarationError, match="is no share from 0 to 1"), registry.isolated():

            class _(Track, GateScope, sample=share): ...

        with pytest.raises(ValidationError):
            Client(sample_rates={"Gate Sampled": share})


class TestHooks:
    def test_a_hook_changes_drops_or_passes_a_typed_message(self, make: Any, memory: MemoryDestination) -> None:
        def hook(message: object) -> object:
            if isinstance(message, GateEverything):
                return None if message.number == 0 else message.model_copy(update={"number": message.number * 10})
            return message

        client = make(before_send=hook)
        receipts = [client.track(GateEverything(user_id=7, number=number)) for number in range(3)]
        assert client.track(Loose(7))
        client.flush()

        assert [bool(each) for each in receipts] == [False, True, True]
        assert str(receipts[0].error).endswith("hook dropped it")
        assert [message["properties"] for message in memory.messages] == [{"number": 10}, {"number": 20}, {}]
        assert client.stats().refused == {"dropped": 1}

    def test_several_run_one_after_the_other(self, make: Any, memory: MemoryDestination) -> None:
        def plus_one(message: GateEverything) -> GateEverything:
            return message.model_copy(update={"number": message.number + 1})

        def doubled(message: GateEverything) -> GateEverything:
            return message.model_copy(update={"number": message.number * 2})

        client = make(before_send=[plus_one, doubled])
        assert client.track(GateEverything(user_id=7, number=1))
        client.flush()

        assert memory.messages[0]["properties"] == {"number": 4}

    def test_what_a_hook_raises_is_a_fault_and_the_message_is_not_sent(
        self, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        errors: list[BaseException] = []

        def hook(message: GateEverything) -> GateEverything:
            raise KeyError(f"the number is {message.number}")

        client = make(before_send=hook, on_error=lambda error, where: errors.append(error))
        with caplog.at_level(logging.ERROR, "instrument"):
            receipt = client.track(GateEverything(user_id=7, number=815))

        assert str(receipt.error).endswith("hook raised KeyError")
        assert errors == [receipt.error]
        assert client.stats().refused == {"hook_failed": 1}
        assert "815" not in caplog.text

    def test_in_strict_mode_it_raises(self) -> None:
        def hook(message: object) -> object:
            raise RuntimeError

        with pytest.raises(Refusal, match="hook raised RuntimeError"), recording(before_send=hook) as tracked:
            tracked.client.track(GateEverything(user_id=7, number=1))

    @pytest.mark.parametrize(
        ("update", "problem"),
        [
            (
                {"number": "many"},
                "field 'number': Input should be a valid integer, unable to parse string as an integer",
            ),
            ({"colour": "red"}, "field '?': Extra inputs are not permitted"),
        ],
    )
    def test_a_changed_message_is_checked_again(self, make: Any, update: dict[str, Any], problem: str) -> None:
        client = make(before_send=lambda message: message.model_copy(update=update))

        assert str(client.track(GateEverything(user_id=7, number=1)).error).endswith(problem)

    def test_another_kind_of_message_is_refused(self, make: Any) -> None:
        client = make(before_send=lambda message: True)

        assert "returned no GateEverything, but bool" in str(client.track(GateEverything(user_id=7, number=1)).error)

    def test_it_runs_for_handlers_too_and_once_for_each_message(self) -> None:
        seen: list[object] = []

        def hook(message: object) -> object:
            seen.append(message)
            return message

        @tracks(GateEverything)
        def handler(user_id: int, number: int) -> None: ...

        with recording(before_send=hook) as tracked:
            handler(7, 1)

        assert seen == tracked.messages == [GateEverything(user_id=7, number=1)]


class TestRateLimits:
    @settings(deadline=None)
    @given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 20))
    def test_never_more_pass_than_one_second_at_once_and_the_rate_from_then_on(
        self, pauses: list[float], rate: float
    ) -> None:
        now = [0.0]
        bucket = Bucket(rate, clock=lambda: now[0])
        passed = 0
        for pause in pauses:
            now[0] += pause
            passed += bucket.take()
            assert passed <= max(1.0, rate) + rate * now[0] + 1e-6

    def test_who_waits_long_enough_always_passes(self) -> None:
        now = [0.0]
        bucket = Bucket(0.5, clock=lambda: now[0])
        for _ in range(10):
            assert bucket.take()
            assert not bucket.take()
            now[0] += 2.0

    def test_what_is_above_the_limit_is_counted(self, make: Any) -> None:
        client = make(rate_limits={"Gate Everything": 0.001})

        limited = [bool(client.track(GateLimited(user_id=7))) for _ in range(50)]
        assert limited[:2] == [True, True]
        assert not all(limited)
        assert [bool(client.track(GateEverything(user_id=7, number=1))) for _ in range(3)] == [True, False, False]
        assert client.stats().refused == {"rate_limited": limited.count(False) + 2}

    @pytest.mark.parametrize("limit", [0, -1, float("inf")])
    def test_a_limit_is_above_nothing(self, limit: float) -> None:
        with pytest.raises(DeclarationError, match="is no number a second"), registry.isolated():

            class _(Track, GateScope, rate_limit=limit): ...

        with pytest.raises(ValidationError):
            Client(rate_limits={"Gate Limited": limit})


class TestSwitchedOff:
    def test_an_event_is_switched_off_and_on_while_the_process_runs(self, make: Any, memory: MemoryDestination) -> None:
        client = make()

        @tracks(GateEverything, client=client)
        def handler(user_id: int, number: int) -> None: ...

        handler(7, 1)
        client.disable_event(GateEverything)
        handler(7, 2)
        assert not client.track(GateEverything(user_id=7, number=3))
        assert client.track(GateLimited(user_id=7))
        client.enable_event(GateEverything)
        handler(7, 4)
        client.flush()

        assert [message["properties"].get("number") for message in memory.messages] == [1, None, 4]
        assert client.stats().refused == {"event_disabled": 2}

    def test_by_name_untyped_events_too(self, make: Any) -> None:
        client = make()
        client.disable_event("Loose Event")

        assert str(client.track(Loose(7)).error) == "Loose Event: it is switched off"

    def test_in_the_environment_names_stand_between_commas(self, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INSTRUMENT_DISABLED_EVENTS", "Gate Everything, Loose Event")
        client = make()

        assert not client.track(GateEverything(user_id=7, number=1))
        assert not client.track(Loose(7))
        assert client.track(GateLimited(user_id=7))


def test_a_message_that_is_kept_back_is_no_fault(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[BaseException] = []
    client = make(disabled_events=["Gate Everything"], on_error=lambda error, where: errors.append(error))

    with caplog.at_level(logging.INFO, "instrument"):
        assert not client.track(GateEverything(user_id=7, number=1))

    assert (errors, caplog.messages) == ([], [])
