"""The request scope: what is set at the entry point is found by every message of the request, and by no other."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from instrument import InstrumentWarning, Reason, Refusal, Scope, ScopeError, Track, request_scope, tracks
from instrument.scopes import scope_names
from instrument.testing import recording
from tests.places import here

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

    from instrument.context import Entry
    from instrument.testing import Recorder


class ContextScope(Scope):
    user_id: int | None = None
    anonymous_id: str = "nobody"


class ContextProject(ContextScope):
    project_id: int | None = None


class ContextCluster(ContextProject):
    cluster_id: int | None = None


class ContextSeen(Track, ContextCluster):
    step: str = ""


class ContextOwned(Track, ContextCluster):
    """Needs a project, that only a request scope can give."""

    project_id: int


@tracks(ContextSeen)
def see(step: str = "") -> None:
    """Emit one message with whatever the request scope gives."""


@tracks(ContextOwned)
def own() -> str:
    return "owned"


@pytest.fixture
def production() -> Iterator[Recorder]:
    with recording(strict=False) as recorder:
        yield recorder


def _seen(tracked: Recorder) -> list[dict[str, Any]]:
    """Return what each message got from the request scope."""
    return [each.model_dump(exclude_defaults=True) for each in tracked.events]


def _marks(tracked: Recorder) -> list[dict[str, Any]]:
    return [json.loads(each.body)["context"].get("instrument", {}) for each in tracked.envelopes]


class TestNesting:
    def test_the_innermost_value_wins_and_the_outer_ones_are_read_through(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, project_id=1):
            see("outer")
            with request_scope(project_id=2, cluster_id=3):
                see("inner")
            see("outer again")
        see("outside")
        assert _seen(tracked) == [
            {"user_id": 7, "project_id": 1, "step": "outer"},
            {"user_id": 7, "project_id": 2, "cluster_id": 3, "step": "inner"},
            {"user_id": 7, "project_id": 1, "step": "outer again"},
            {"step": "outside"},
        ]

    def test_the_typed_form_and_names_go_together(self, tracked: Recorder) -> None:
        with request_scope(ContextProject(user_id=7, project_id=1), cluster_id=3):
            assert request_scope.values() == {
                "user_id": 7,
                "anonymous_id": "nobody",
                "project_id": 1,
                "cluster_id": 3,
            }

    def test_names_win_over_the_typed_form(self, tracked: Recorder) -> None:
        with request_scope(ContextScope(user_id=7), user_id=8):
            assert request_scope.user_id == 8

    def test_a_fresh_scope_inherits_nothing(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, project_id=1):
            with request_scope.fresh(cluster_id=3):
                see("fresh")
                assert request_scope.user_id is None
            see("after")
        assert _seen(tracked) == [
            {"cluster_id": 3, "step": "fresh"},
            {"user_id": 7, "project_id": 1, "step": "after"},
        ]

    def test_an_exception_leaves_the_scope_too(self, tracked: Recorder) -> None:
        with pytest.raises(KeyError, match="gone"), request_scope(user_id=7):
            raise KeyError("gone")
        assert request_scope.user_id is None

    def test_one_entry_can_be_entered_again_also_inside_itself(self, tracked: Recorder) -> None:
        entry = request_scope(user_id=7)
        for _ in range(2):
            with entry:
                request_scope.project_id = 1
                with entry:
                    assert request_scope.values() == {"user_id": 7, "project_id": 1}
                assert request_scope.values() == {"user_id": 7, "project_id": 1}
            assert request_scope.values() == {}


class TestReading:
    def test_outside_of_every_scope_there_is_nothing(self, tracked: Recorder) -> None:
        assert request_scope.user_id is None
        assert request_scope.get("user_id") is None
        assert request_scope.get("user_id", 5) == 5
        assert request_scope.values() == {}
        assert repr(request_scope) == "<request_scope with no fields>"

    def test_inside_there_is_what_was_set(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, project_id=1):
            assert request_scope.user_id == 7
            assert request_scope.get("project_id", 5) == 1
            assert repr(request_scope) == "<request_scope with project_id, user_id>"

    def test_none_means_unset(self, tracked: Recorder) -> None:
        with request_scope(user_id=7, project_id=None), request_scope(user_id=None):
            assert request_scope.values() == {"user_id": 7}
            request_scope.user_id = None
            assert request_scope.user_id == 7
            see()
        assert _seen(tracked) == [{"user_id": 7}]

    def test_none_of_the_typed_form_is_unset_too(self, tracked: Recorder) -> None:
        with request_scope(user_id=7), request_scope(ContextProject(project_id=1)):
            assert request_scope.user_id == 7

    @pytest.mark.parametrize("value", [0, "", False])
    def test_a_false_value_is_a_value(self, tracked: Recorder, value: object) -> None:
        with request_scope(user_id=7), request_scope(user_id=value):
            assert request_scope.user_id == value

    def test_what_is_read_is_a_copy(self, tracked: Recorder) -> None:
        with request_scope(user_id=7) as _:
            request_scope.values().clear()
            assert request_scope.user_id == 7


class TestAssignment:
    def test_it_writes_the_innermost_scope(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            with request_scope():
                request_scope.project_id = 1
                see("inner")
            see("outer")
        assert _seen(tracked) == [
            {"user_id": 7, "project_id": 1, "step": "inner"},
            {"user_id": 7, "step": "outer"},
        ]

    def test_the_same_value_again_is_no_conflict(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            request_scope.user_id = 7
            request_scope.project_id = 1
            request_scope.project_id = 1
            assert request_scope.values() == {"user_id": 7, "project_id": 1}

    def test_it_hides_an_outer_value(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            with request_scope():
                request_scope.user_id = 8
                assert request_scope.user_id == 8
            assert request_scope.user_id == 7

    def test_there_is_nothing_to_delete(self, tracked: Recorder) -> None:
        with request_scope(user_id=7), pytest.raises(AttributeError, match=r"open a nested `with request_scope\.fresh"):
            del request_scope.user_id

    def test_outside_of_every_scope_it_is_an_error_in_strict_mode(self, tracked: Recorder) -> None:
        with pytest.raises(ScopeError) as raised:
            request_scope.user_id = 7
        assert str(raised.value) == (
            "request_scope.user_id = …: no request scope is open; write `with request_scope():` around it."
        )

    def test_outside_of_every_scope_it_is_counted_in_production(self, production: Recorder) -> None:
        request_scope.user_id = 7
        assert request_scope.user_id is None
        assert production.client.stats().refused == {"error": 1}


def _wrong_call() -> Entry:
    return request_scope(usr_id=7)


def _wrong_fresh() -> Entry:
    return request_scope.fresh(usr_id=7)


def _wrong_assignment() -> None:
    request_scope.usr_id = 7


def _wrong_reading() -> object:
    return request_scope.usr_id


class TestUnknownNames:
    @pytest.mark.parametrize("use", [_wrong_call, _wrong_fresh, _wrong_assignment, _wrong_reading])
    def test_are_an_error_in_strict_mode(self, tracked: Recorder, use: Callable[[], object]) -> None:
        with pytest.raises(ScopeError) as raised:
            use()
        assert str(raised.value) == (
            "request_scope: no declared scope has a field 'usr_id' (did you mean 'user_id'?). "
            f"The fields are: {', '.join(sorted(scope_names()))}."
        )

    @pytest.mark.parametrize("use", [_wrong_call, _wrong_fresh, _wrong_assignment, _wrong_reading])
    def test_are_counted_and_logged_in_production(
        self, production: Recorder, caplog: pytest.LogCaptureFixture, use: Callable[[], object]
    ) -> None:
        with request_scope(user_id=7), caplog.at_level(logging.ERROR, "instrument"):
            use()
            use()
            see()
        assert production.client.stats().refused == {"error": 2}
        assert len(caplog.records) == 1
        assert _seen(production) == [{"user_id": 7}]

    def test_the_log_names_the_line_and_what_is_wrong(
        self, production: Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        with request_scope(usr_id="canary"):
            pass
        at = here(-2)
        (record,) = caplog.records
        assert record.getMessage().startswith(f"request_scope at {at}: request_scope: no declared scope has a field")
        assert "(did you mean 'user_id'?)" in record.getMessage()
        assert "canary" not in caplog.text

    def test_the_names_beside_it_are_kept(self, production: Recorder) -> None:
        with request_scope(user_id=7, usr_id=8):
            assert request_scope.values() == {"user_id": 7}

    def test_a_message_field_that_no_scope_has_is_unknown(self, tracked: Recorder) -> None:
        with pytest.raises(ScopeError, match="no declared scope has a field 'step'"):
            request_scope(step="x")

    def test_private_names_are_no_fields(self, tracked: Recorder) -> None:
        with pytest.raises(AttributeError):
            _ = request_scope._anything


class TestConflicts:
    """A second, different value means that two branches of a request share its scope."""

    def test_are_an_error_in_strict_mode(self, tracked: Recorder) -> None:
        with request_scope(project_id=1), pytest.raises(ScopeError) as raised:
            request_scope.project_id = 2
        assert str(raised.value) == (
            "request_scope.project_id = …: this request scope already has another project_id. Two branches of one "
            "request share it: open a nested `with request_scope(...)` for each."
        )

    def test_in_production_later_messages_that_need_the_field_are_refused(
        self, production: Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        with request_scope(user_id=7, project_id=1):
            assert own() == "owned"
            request_scope.project_id = 2
            assert request_scope.project_id is None
            assert own() == "owned"
            assert own() == "owned"
        assert [type(each) for each in production.events] == [ContextOwned]
        assert production.client.stats().refused == {"error": 1, "ambiguous": 2}
        assert len(caplog.records) == 2
        assert (
            caplog.records[1]
            .getMessage()
            .endswith(
                "field 'project_id': two branches of one request gave it different values; "
                "open a nested `with request_scope(...)` for each (logged once for this place; counted from now on)"
            )
        )

    def test_messages_that_do_not_need_the_field_go_on(self, production: Recorder) -> None:
        class ContextUserOnly(Track, ContextScope):
            pass

        @tracks(ContextUserOnly)
        def handle() -> None: ...

        with request_scope(user_id=7, project_id=1):
            request_scope.project_id = 2
            handle()
        assert production.events == [ContextUserOnly(user_id=7)]

    def test_a_nested_scope_is_not_touched_by_the_conflict_of_an_outer_one(self, production: Recorder) -> None:
        with request_scope(project_id=1):
            request_scope.project_id = 2
            with request_scope(project_id=3):
                own()
        assert [each.project_id for each in production.events] == [3]

    async def test_two_branches_of_one_request_are_noticed(self, production: Recorder) -> None:
        async def branch(project: int) -> None:
            request_scope.project_id = project

        with request_scope(user_id=7):
            await asyncio.gather(branch(1), branch(2))
            own()
        assert production.events == []
        assert production.client.stats().refused == {"error": 1, "ambiguous": 1}

    async def test_a_nested_scope_for_each_branch_is_the_way(self, tracked: Recorder) -> None:
        async def branch(project: int) -> None:
            with request_scope():
                request_scope.project_id = project
                await asyncio.sleep(0)
                own()

        with request_scope(user_id=7):
            await asyncio.gather(branch(1), branch(2))
        assert sorted(each.project_id for each in tracked.events) == [1, 2]

    def test_a_value_that_cannot_be_compared_is_a_conflict(self, production: Recorder) -> None:
        class Incomparable:
            def __eq__(self, other: object) -> bool:
                raise ValueError("canary")

            __hash__ = None  # type: ignore[assignment]

        with request_scope(project_id=1):
            request_scope.project_id = Incomparable()
            assert request_scope.project_id is None
        assert production.client.stats().refused == {"error": 1}


class TestSnapshots:
    def test_hold_the_values_of_their_moment(self, tracked: Recorder) -> None:
        with request_scope(user_id=7), request_scope(project_id=1):
            snapshot = request_scope.snapshot()
            request_scope.cluster_id = 3
        with snapshot:
            assert request_scope.values() == {"user_id": 7, "project_id": 1}
        assert snapshot.values == {"user_id": 7, "project_id": 1}

    def test_inherit_nothing_where_they_are_entered(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            snapshot = request_scope.snapshot()
        with request_scope(project_id=9), snapshot:
            assert request_scope.values() == {"user_id": 7}

    def test_run_gives_the_functions_result_and_exception(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            snapshot = request_scope.snapshot()

        def fail() -> None:
            raise KeyError(request_scope.user_id)

        def tell(a: int, *, b: int) -> tuple[int, int, object]:
            return a, b, request_scope.user_id

        assert snapshot.run(tell, 1, b=2) == (1, 2, 7)
        with pytest.raises(KeyError, match="7"):
            snapshot.run(fail)
        assert request_scope.user_id is None

    def test_are_not_late_in_another_thread_after_the_request(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            snapshot = request_scope.snapshot()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(snapshot.run, see).result(10)
        assert _seen(tracked) == [{"user_id": 7}]
        assert _marks(tracked) == [{}]

    def test_several_threads_enter_one_at_once_each_with_a_scope_of_its_own(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            snapshot = request_scope.snapshot()
        barrier = threading.Barrier(4, timeout=10)

        def work(project: int) -> dict[str, Any]:
            with snapshot:
                barrier.wait()
                request_scope.project_id = project
                barrier.wait()
                values = request_scope.values()
                barrier.wait()
            return values if request_scope.values() == {} else {}

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(work, range(4)))
        assert found == [{"user_id": 7, "project_id": project} for project in range(4)]

    def test_leave_out_what_two_branches_disagreed_about(self, production: Recorder) -> None:
        with request_scope(user_id=7, project_id=1):
            request_scope.project_id = 2
            snapshot = request_scope.snapshot()
        assert snapshot.values == {"user_id": 7}


class TestTasksAndThreads:
    async def test_what_a_task_opens_no_other_task_sees(self, tracked: Recorder) -> None:
        async def request(user: int) -> None:
            with request_scope(user_id=user):
                await asyncio.sleep(0)
                see(str(user))
                await asyncio.sleep(0)
                assert request_scope.user_id == user

        await asyncio.gather(*map(request, range(5)))
        assert {each.step: each.user_id for each in tracked.events} == {str(user): user for user in range(5)}
        assert request_scope.user_id is None

    async def test_a_task_inherits_the_scope_that_is_open_where_it_is_made(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            task = asyncio.create_task(asyncio.to_thread(see, "in a thread"))
            await task
        assert _seen(tracked) == [{"user_id": 7, "step": "in a thread"}]

    def test_an_empty_context_inherits_nothing(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            thread = threading.Thread(target=contextvars.Context().run, args=(see, "alone"))
            thread.start()
            thread.join(10)
        assert _seen(tracked) == [{"step": "alone"}]

    async def test_what_a_dependency_assigns_in_a_thread_pool_the_handler_sees(self, tracked: Recorder) -> None:
        """As FastAPI runs a plain function: in a copy of the context, of which changed variables are lost."""

        def current_user() -> None:
            request_scope.user_id = 7

        @tracks(ContextSeen)
        async def handler(step: str) -> None: ...

        with request_scope():
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, contextvars.copy_context().run, current_user)
            await handler("after the dependency")
        assert _seen(tracked) == [{"user_id": 7, "step": "after the dependency"}]


class TestClosedScopes:
    async def test_what_begins_after_the_request_is_late_and_has_none_of_its_fields(self, tracked: Recorder) -> None:
        over = asyncio.Event()

        async def background() -> None:
            see("in time")
            await over.wait()
            see("late")

        with request_scope(user_id=7, project_id=1):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        over.set()
        await task
        assert _seen(tracked) == [{"user_id": 7, "project_id": 1, "step": "in time"}, {"step": "late"}]
        assert _marks(tracked) == [{}, {"late": True}]
        assert tracked.client.stats().late == 1

    def test_a_client_call_is_marked_too(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            context = contextvars.copy_context()
            context.run(tracked.client.track, ContextSeen(step="in time"))
        context.run(tracked.client.track, ContextSeen(step="late"), context={"ip": "192.0.2.1"})
        assert _marks(tracked) == [{}, {"late": True}]
        assert json.loads(tracked.envelopes[1].body)["context"]["ip"] == "192.0.2.1"
        assert tracked.client.stats().late == 1

    def test_a_late_message_that_needs_a_field_of_the_request_says_so(self, production: Recorder) -> None:
        errors: list[str] = []
        with recording(strict=False, on_error=lambda error, _: errors.append(str(error))):
            with request_scope(user_id=7, project_id=1):
                context = contextvars.copy_context()
            assert context.run(own) == "owned"
        (error,) = errors
        assert error == (
            "ContextOwned: field 'project_id': Field required; for 'project_id' were tried: argument 'project_id' "
            "(the handler has no such parameter), request scope 'project_id'; "
            "the call began after its request scope was closed"
        )

    def test_the_policy_strip_is_the_default(self, tracked: Recorder) -> None:
        assert tracked.client.settings.late == "strip"

    def test_the_policy_refuse_sends_nothing_late(self) -> None:
        with recording(strict=False, late="refuse") as tracked:
            with request_scope(user_id=7):
                context = contextvars.copy_context()
                context.run(see, "in time")
            context.run(see, "late")
            receipt = context.run(tracked.client.track, ContextSeen(step="late"))
        assert [each.step for each in tracked.events] == ["in time"]
        assert isinstance(receipt.error, Refusal)
        assert receipt.error.reason is Reason.LATE
        assert str(receipt.error) == "ContextSeen: it was sent after its request scope was closed"
        assert tracked.client.stats().refused == {"late": 2}
        assert tracked.client.stats().late == 0

    def test_the_nearest_open_ancestor_is_what_is_left(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            with request_scope(project_id=1), request_scope(cluster_id=3):
                context = contextvars.copy_context()
            context.run(see, "late")
            assert context.run(request_scope.values) == {"user_id": 7}
        assert _seen(tracked) == [{"user_id": 7, "step": "late"}]
        assert _marks(tracked) == [{"late": True}]

    def test_an_assignment_after_the_close_writes_the_nearest_open_ancestor(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            with request_scope(project_id=1):
                context = contextvars.copy_context()
            context.run(setattr, request_scope, "cluster_id", 3)
            assert request_scope.values() == {"user_id": 7, "cluster_id": 3}

    def test_a_new_scope_in_an_outlived_context_is_not_late(self, tracked: Recorder) -> None:
        def work() -> None:
            with request_scope(user_id=8):
                see("of its own")

        with request_scope(user_id=7, project_id=1):
            context = contextvars.copy_context()
        context.run(work)
        assert _seen(tracked) == [{"user_id": 8, "step": "of its own"}]
        assert _marks(tracked) == [{}]

    def test_an_outer_scope_that_closes_first_takes_its_fields_along(self, tracked: Recorder) -> None:
        outer, inner = request_scope(user_id=7), request_scope(project_id=1)
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        assert request_scope.values() == {"project_id": 1}
        see("not late: the innermost is open")
        inner.__exit__(None, None, None)
        assert request_scope.values() == {}
        assert _seen(tracked) == [{"project_id": 1, "step": "not late: the innermost is open"}]
        assert _marks(tracked) == [{}]

    def test_a_streaming_answer_is_not_late_though_its_scope_closed_midway(self, tracked: Recorder) -> None:
        @tracks(ContextSeen)
        def stream(step: str) -> Generator[int]:
            yield 1
            yield 2

        with request_scope(user_id=7):
            answer = stream("streamed")
            assert next(answer) == 1
        assert list(answer) == [2]
        assert _seen(tracked) == [{"user_id": 7, "step": "streamed"}]
        assert _marks(tracked) == [{}]

    async def test_a_streaming_answer_that_starts_after_the_close_is_not_late_either(self, tracked: Recorder) -> None:
        @tracks(ContextSeen)
        async def stream(step: str) -> AsyncIterator[int]:
            yield 1

        with request_scope(user_id=7):
            answer = stream("streamed")
        assert [each async for each in answer] == [1]
        assert _seen(tracked) == [{"user_id": 7, "step": "streamed"}]
        assert _marks(tracked) == [{}]


class TestLeavingInAnotherContext:
    """A generator's block may be entered in one context and left in another; nothing is held but the frame."""

    async def test_an_async_generator_that_another_task_ends(self, tracked: Recorder) -> None:
        inherited: list[contextvars.Context] = []

        @asynccontextmanager
        async def dependency() -> AsyncGenerator[None]:
            with request_scope(user_id=7):
                inherited.append(contextvars.copy_context())
                yield

        async def enter() -> None:
            await manager.__aenter__()

        async def leave() -> None:
            await manager.__aexit__(None, None, None)

        manager = dependency()
        await asyncio.create_task(enter())
        inherited[0].run(see, "open")
        await asyncio.create_task(leave())
        inherited[0].run(see, "closed")
        assert _seen(tracked) == [{"user_id": 7, "step": "open"}, {"step": "closed"}]
        assert _marks(tracked) == [{}, {"late": True}]
        assert request_scope.user_id is None

    def test_an_entry_left_in_an_empty_context(self, tracked: Recorder) -> None:
        entry = request_scope(user_id=7)
        context = contextvars.copy_context()
        context.run(entry.__enter__)
        contextvars.Context().run(entry.__exit__, None, None, None)
        assert context.run(request_scope.values) == {}
        context.run(see, "after")
        assert _marks(tracked) == [{"late": True}]

    def test_the_scope_of_the_context_it_is_left_in_stays(self, tracked: Recorder) -> None:
        entry = request_scope(user_id=7)
        contextvars.copy_context().run(entry.__enter__)
        with request_scope(user_id=8):
            entry.__exit__(None, None, None)
            assert request_scope.user_id == 8

    def test_leaving_what_was_never_entered_does_nothing(self, tracked: Recorder) -> None:
        with request_scope(user_id=7):
            request_scope(user_id=8).__exit__(None, None, None)
            assert request_scope.user_id == 7


class TestALeakingGenerator:
    def test_is_warned_of_in_strict_mode(self, tracked: Recorder) -> None:
        def leaking() -> Generator[None]:
            with request_scope(user_id=7):
                yield

        at = here(-3)
        with pytest.warns(InstrumentWarning) as warned:
            assert [request_scope.user_id for _ in leaking()] == [7]
        (warning,) = warned
        assert str(warning.message) == (
            f"{at}: request_scope is opened inside the generator leaking: whoever consumes it sees the scope too. "
            "Open it around the generator."
        )
        assert f"{warning.filename}:{warning.lineno}" == at

    def test_is_not_warned_of_in_production(self, production: Recorder, recwarn: pytest.WarningsRecorder) -> None:
        def leaking() -> Generator[None]:
            with request_scope(user_id=7):
                yield

        list(leaking())
        assert list(recwarn) == []

    def test_a_context_manager_enters_for_others_on_purpose(self, tracked: Recorder) -> None:
        @contextmanager
        def as_user(user: int) -> Generator[None]:
            with request_scope(user_id=user):
                yield

        with as_user(7):
            see()
        assert request_scope.user_id is None
        assert _seen(tracked) == [{"user_id": 7}]

    async def test_so_does_an_asynchronous_one(self, tracked: Recorder) -> None:
        @asynccontextmanager
        async def as_user(user: int) -> AsyncGenerator[None]:
            with request_scope(user_id=user):
                yield

        async with as_user(7):
            see()
        assert _seen(tracked) == [{"user_id": 7}]

    @pytest.fixture
    def as_user(self, tracked: Recorder) -> Iterator[None]:
        with request_scope(user_id=7):
            yield

    def test_so_does_a_fixture_of_pytest(self, as_user: None, tracked: Recorder) -> None:
        assert tracked.events == []

    def test_around_the_generator_is_the_way(self, tracked: Recorder) -> None:
        def numbers() -> Generator[int]:
            see("inside")
            yield 1

        with request_scope(user_id=7):
            assert list(numbers()) == [1]
        assert _seen(tracked) == [{"user_id": 7, "step": "inside"}]


class _ModelFrame:
    """What a frame is, without contexts: a box of values that is open or closed."""

    def __init__(self, values: dict[str, int], around: _ModelFrame | None, *, inherits: bool) -> None:
        self.values = values
        self.around = around
        self.parent = around if inherits else None
        self.conflicts: set[str] = set()
        self.open = True

    def nearest_open(self) -> _ModelFrame | None:
        frame: _ModelFrame | None = self
        while frame is not None and not frame.open:
            frame = frame.around
        return frame


FIELDS = ("user_id", "project_id", "cluster_id")


class _Branch:
    """One context, with the innermost frame that the model says it has."""

    def __init__(self, context: contextvars.Context, frame: _ModelFrame | None) -> None:
        self.context = context
        self.frame = frame

    def current(self) -> _ModelFrame | None:
        return None if self.frame is None else self.frame.nearest_open()


class InterleavedContexts(RuleBasedStateMachine):
    """Random interleavings over several contexts; every value is used once, so that none can cross unnoticed."""

    branches = Bundle("branches")
    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.recording = recording(strict=False)
        self.recorder = self.recording.__enter__()
        self.values = iter(range(1, 10_000))
        self.all: list[_Branch] = []

    def teardown(self) -> None:
        self.recording.__exit__(None, None, None)

    @rule(target=branches)
    def begin(self) -> _Branch:
        return self._add(_Branch(contextvars.Context(), None))

    @rule(target=branches, branch=branches)
    def fork(self, branch: _Branch) -> _Branch:
        """As a task or a thread-pool call does: a copy of the context, over the same frames."""
        return self._add(_Branch(branch.context.run(contextvars.copy_context), branch.frame))

    @rule(target=entries, branch=branches, fields=st.sets(st.sampled_from(FIELDS)), inherits=st.booleans())
    def enter(self, branch: _Branch, fields: set[str], inherits: bool) -> tuple[Entry, _ModelFrame, _Branch]:
        values = {name: next(self.values) for name in sorted(fields)}
        entry = request_scope(**values) if inherits else request_scope.fresh(**values)
        branch.context.run(entry.__enter__)
        branch.frame = _ModelFrame(values.copy(), branch.current(), inherits=inherits)
        return entry, branch.frame, branch

    @rule(entered=consumes(entries))
    def leave(self, entered: tuple[Entry, _ModelFrame, _Branch]) -> None:
        entry, _, branch = entered
        branch.context.run(entry.__exit__, None, None, None)
        self._left(entered, branch)

    @rule(entered=consumes(entries), elsewhere=branches)
    def leave_elsewhere(self, entered: tuple[Entry, _ModelFrame, _Branch], elsewhere: _Branch) -> None:
        elsewhere.context.run(entered[0].__exit__, None, None, None)
        self._left(entered, elsewhere)

    @rule(branch=branches, name=st.sampled_from(FIELDS))
    def assign(self, branch: _Branch, name: str) -> None:
        value = next(self.values)
        branch.context.run(setattr, request_scope, name, value)
        frame = branch.current()
        if frame is not None and frame.values.setdefault(name, value) != value:
            frame.conflicts.add(name)

    @rule(branch=branches)
    def emit(self, branch: _Branch) -> None:
        self.recorder.clear()
        branch.context.run(see)
        expected = self._expected(branch)
        if expected is None:
            assert self.recorder.events == []
            return
        assert _seen(self.recorder) == [expected]
        late = branch.frame is not None and not branch.frame.open
        assert _marks(self.recorder) == [{"late": True} if late else {}]

    @invariant()
    def every_context_reads_its_own(self) -> None:
        for branch in self.all:
            assert branch.context.run(request_scope.values) == self._readable(branch)

    def _add(self, branch: _Branch) -> _Branch:
        self.all.append(branch)
        return branch

    @staticmethod
    def _left(entered: tuple[Entry, _ModelFrame, _Branch], where: _Branch) -> None:
        frame = entered[1]
        frame.open = False
        if where.frame is frame:
            where.frame = None if frame.around is None else frame.around.nearest_open()

    def _expected(self, branch: _Branch) -> dict[str, int] | None:
        """Return the fields of a message; `None` where it is refused."""
        found: dict[str, int] = {}
        for name in FIELDS:
            frame = branch.current()
            while frame is not None:
                if frame.open and name in frame.conflicts:
                    return None
                if frame.open and name in frame.values:
                    found[name] = frame.values[name]
                    break
                frame = frame.parent
        return found

    def _readable(self, branch: _Branch) -> dict[str, int]:
        chain: list[_ModelFrame] = []
        frame = branch.current()
        while frame is not None:
            if frame.open:
                chain.append(frame)
            frame = frame.parent
        found: dict[str, int] = {}
        for each in reversed(chain):
            found.update(each.values)
            for name in each.conflicts:
                found.pop(name, None)
        return found


TestInterleavedContexts = InterleavedContexts.TestCase
TestInterleavedContexts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# What one request does: open a scope with some fields, assign a field, emit, or close what it opened last.
_scripts = st.lists(
    st.tuples(st.sampled_from(["enter", "assign", "emit", "leave"]), st.sampled_from(FIELDS)), max_size=12
)


class _Request:
    """One request by a script, with values that are its own alone, and what its messages must have had."""

    def __init__(self, number: int, script: list[tuple[str, str]]) -> None:
        self.number = number
        self.script = script
        self.values = iter(range(number * 1_000 + 1, number * 1_000 + 1_000))
        self.stack: list[tuple[Entry, dict[str, int]]] = []
        self.expected: list[dict[str, Any]] = []

    def step(self, action: str, name: str) -> None:
        if action == "enter":
            values = {name: next(self.values)}
            entry = request_scope(**values)
            entry.__enter__()
            self.stack.append((entry, values))
        elif action == "assign" and self.stack and name not in self.stack[-1][1]:
            self.stack[-1][1][name] = value = next(self.values)
            setattr(request_scope, name, value)
        elif action == "emit":
            fields: dict[str, int] = {}
            for _, values in self.stack:
                fields |= values
            self.expected.append({**fields, "step": str(self.number)})
            see(str(self.number))
        elif action == "leave" and self.stack:
            self.stack.pop()[0].__exit__(None, None, None)

    def end(self) -> None:
        while self.stack:
            self.step("leave", "")


def _check(requests: list[_Request], tracked: Recorder) -> None:
    for request in requests:
        assert [each for each in _seen(tracked) if each["step"] == str(request.number)] == request.expected


@given(st.lists(_scripts, min_size=2, max_size=5))
@settings(max_examples=25, deadline=None)
def test_no_value_crosses_between_concurrent_tasks(scripts: list[list[tuple[str, str]]]) -> None:
    requests = [_Request(number, script) for number, script in enumerate(scripts, start=1)]

    async def serve(request: _Request) -> None:
        for action, name in request.script:
            request.step(action, name)
            await asyncio.sleep(0)
        request.end()

    async def serve_all() -> None:
        await asyncio.gather(*map(serve, requests))

    with recording() as tracked:
        asyncio.run(serve_all())
    _check(requests, tracked)


@given(st.lists(_scripts, min_size=2, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_value_crosses_between_concurrent_threads(scripts: list[list[tuple[str, str]]]) -> None:
    requests = [_Request(number, script) for number, script in enumerate(scripts, start=1)]
    barrier = threading.Barrier(len(requests), timeout=10)

    def serve(request: _Request) -> None:
        barrier.wait()
        for action, name in request.script:
            request.step(action, name)
        request.end()

    with recording() as tracked, ThreadPoolExecutor(len(requests)) as pool:
        for served in [pool.submit(contextvars.Context().run, serve, request) for request in requests]:
            served.result(10)
    _check(requests, tracked)


@pytest.mark.parametrize(("given", "shown"), [(7, "an object of int"), (Scope, "the class Scope")])
def test_what_is_no_instance_of_a_scope_is_refused_with_what_to_write(given: Any, shown: str) -> None:
    for opened in (request_scope, request_scope.fresh):
        with pytest.raises(TypeError) as raised:
            opened(given)
        assert str(raised.value) == (
            "request_scope takes an instance of a scope class, as in request_scope(UserScope(user_id=7)), or fields by "
            f"name, as in request_scope(user_id=7); not {shown}."
        )
