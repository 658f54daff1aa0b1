"""Where the fields of a message come from: sources, and the order in which places are tried without one."""

from __future__ import annotations

import json
from collections import ChainMap, UserDict
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import BaseModel, Field

from instrument import Binding, BindingError, Call, Identify, Reason, Refusal, Scope, Track, request_scope, tracks
from instrument.testing import recording
from tests.places import here

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from instrument.testing import Recorder


class BoundScope(Scope):
    user_id: int


class BoundProject(BoundScope):
    project_id: int = Field(serialization_alias="proj_id")


class BoundCluster(BoundProject):
    cluster_id: int


class BoundDone(Track, BoundCluster):
    size: int
    note: str = "none"


class BoundStarted(Track, BoundProject):
    size: int


class BoundFailed(Track, BoundProject):
    error: str | None = None
    size: int = 0


class BoundNoted(Track, BoundScope):
    note: str | None = "none"


@dataclass
class Cluster:
    id: int = 3
    size: int = 5
    tags: dict[str, Any] = field(default_factory=lambda: {"size": 6, "deep": {"er": 7}})


def _done(**fields: Any) -> BoundDone:
    return BoundDone(**{"user_id": 7, "project_id": 1, "cluster_id": 3, "size": 5, **fields})


class TestFromCall:
    def test_names_the_class_and_its_sources(self) -> None:
        def computed(call: Call) -> int:
            return 1

        binding = BoundDone.from_call(size="cluster.size", note=computed)
        assert isinstance(binding, Binding)
        assert binding.model is BoundDone
        assert dict(binding.sources) == {"size": "cluster.size", "note": computed}
        assert repr(BoundDone.from_call(size="cluster.size")) == "BoundDone.from_call(size='cluster.size')"

    def test_works_on_scopes_too(self) -> None:
        assert BoundCluster.from_call(cluster_id="result.id").model is BoundCluster

    def test_bindings_are_values(self) -> None:
        one, same = BoundDone.from_call(size="a.b"), BoundDone.from_call(size="a.b")
        assert one == same
        assert len({one, same, BoundDone.from_call(size="a.c")}) == 2

    def test_a_field_that_the_class_does_not_have(self) -> None:
        with pytest.raises(BindingError) as raised:
            BoundCluster.from_call(clusterid="result.id")
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: BoundCluster.from_call: BoundCluster has no field 'clusterid' (did you mean 'cluster_id'?). "
            "Its fields are: user_id, project_id, cluster_id."
        )

    def test_the_key_that_is_sent_is_no_field(self) -> None:
        with pytest.raises(BindingError, match=r"BoundProject has no field 'proj_id'"):
            BoundProject.from_call(proj_id="project.id")

    @pytest.mark.parametrize("source", [3, None, b"cluster.id", ["cluster", "id"]])
    def test_a_source_that_is_neither_text_nor_callable(self, source: Any) -> None:
        with pytest.raises(BindingError) as raised:
            BoundCluster.from_call(cluster_id=source)
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: BoundCluster.from_call: field 'cluster_id': a source is a parameter's name, a dotted path, or "
            f"a callable, not {type(source).__name__}."
        )

    @pytest.mark.parametrize("source", ["", ".", "cluster.", ".id", "cluster..id"])
    def test_a_path_with_a_hole(self, source: str) -> None:
        with pytest.raises(BindingError) as raised:
            BoundCluster.from_call(cluster_id=source)
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: BoundCluster.from_call: field 'cluster_id': {source!r} is no dotted path; "
            "write for instance 'cluster.id' or 'result.id'."
        )

    def test_a_path_that_is_longer_than_any(self) -> None:
        with pytest.raises(BindingError) as raised:
            BoundCluster.from_call(cluster_id=".".join(["cluster"] * 500))
        at = here(-1)
        assert str(raised.value) == (
            f"{at}: BoundCluster.from_call: field 'cluster_id': a dotted path has 32 names at most, not 500; "
            "give a callable instead."
        )

    def test_a_source_for_a_field_named_as_the_method_s_own_parameter(self, tracked: Recorder) -> None:
        class BoundOddlyNamed(Track, BoundScope):
            cls: int
            self: int

        @tracks(BoundOddlyNamed.from_call(cls="a", self="b"))
        def handle(user_id: int, a: int, b: int) -> None: ...

        handle(7, 1, 2)
        assert [each.properties for each in tracked.events] == [{"cls": 1, "self": 2}]


class TestTheOrder:
    """The binding's source; a parameter; the request scope; the default. The identity: the request scope first."""

    def test_a_source_wins_over_a_parameter_of_the_fields_name(self, tracked: Recorder) -> None:
        @tracks(BoundDone.from_call(size="real_size"))
        def handle(user_id: int, project_id: int, cluster_id: int, size: int, real_size: int) -> None: ...

        handle(7, 1, 3, 4, 5)
        assert tracked.events == [_done(size=5)]

    def test_a_source_wins_over_the_request_scope(self, tracked: Recorder) -> None:
        @tracks(BoundDone, scope=BoundCluster.from_call(project_id="cluster.size", user_id="cluster.id"))
        def handle(cluster: Cluster, cluster_id: int, size: int) -> None: ...

        with request_scope(user_id=70, project_id=10):
            handle(Cluster(id=7, size=1), 3, 5)
        assert tracked.events == [_done()]

    def test_a_parameter_wins_over_the_request_scope(self, tracked: Recorder) -> None:
        @tracks(BoundDone)
        def handle(project_id: int, cluster_id: int, size: int) -> None: ...

        with request_scope(user_id=7, project_id=10, cluster_id=30):
            handle(1, 3, 5)
        assert tracked.events == [_done()]

    def test_the_request_scope_gives_what_no_parameter_has(self, tracked: Recorder) -> None:
        @tracks(BoundDone)
        def handle(size: int) -> None: ...

        with request_scope(user_id=7, project_id=1, cluster_id=3):
            handle(5)
        assert tracked.events == [_done()]

    def test_the_request_scope_never_gives_a_field_that_is_of_the_event_alone(self, tracked: Recorder) -> None:
        class BoundNoteScope(Scope):
            note: str

        @tracks(BoundNoted)
        def handle() -> None: ...

        with request_scope(user_id=7, note="of another scope"):
            handle()
        assert tracked.events == [BoundNoted(user_id=7, note="none")]
        assert "note" in BoundNoteScope.model_fields

    def test_the_default_is_the_last_resort(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def handle(user_id: int) -> None: ...

        handle(7)
        assert tracked.events == [BoundNoted(user_id=7, note="none")]

    def test_a_parameters_default_counts_as_an_argument(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def handle(user_id: int = 7, note: str | None = None) -> None: ...

        handle()
        assert tracked.events == [BoundNoted(user_id=7, note=None)]

    def test_an_optional_parameter_of_a_scope_field_hides_the_request_scope(self, tracked: Recorder) -> None:
        @tracks(BoundDone)
        def handle(size: int, project_id: int = 1, cluster_id: int = 3) -> None: ...

        with request_scope(user_id=7, project_id=10, cluster_id=30):
            handle(5)
        assert tracked.events == [_done()]

    def test_keyword_arguments_of_any_name_are_looked_at_first_and_then_the_request_scope(
        self, tracked: Recorder
    ) -> None:
        @tracks(BoundDone)
        def handle(**options: int) -> None: ...

        with request_scope(user_id=7, project_id=10, cluster_id=3):
            handle(project_id=1, size=5)
        assert tracked.events == [_done()]

    def test_an_object_with_the_field_is_not_guessed_at(self) -> None:
        with pytest.raises(BindingError) as raised:

            @tracks(BoundDone)
            def handle(cluster: Cluster, size_: int) -> None: ...

        assert "field 'size': no source is possible (did you mean 'size_'?)" in str(raised.value)


class TestTheIdentity:
    def test_comes_from_the_request_scope_before_a_parameter(self) -> None:
        @tracks(BoundNoted)
        def block(user_id: int) -> None: ...

        with recording(strict=False) as tracked, request_scope(user_id=7):
            block(8)
        assert tracked.events == [BoundNoted(user_id=7)]

    def test_comes_from_a_parameter_where_there_is_no_request_scope(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def block(user_id: int) -> None: ...

        block(8)
        assert tracked.events == [BoundNoted(user_id=8)]

    def test_strict_mode_asks_where_the_two_differ(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def block(user_id: int) -> None: ...

        with request_scope(user_id=7), pytest.raises(Refusal) as raised:
            block(8)
        assert raised.value.reason is Reason.AMBIGUOUS
        assert str(raised.value) == (
            "field 'user_id': the request scope and the parameter 'user_id' of "
            "tests.test_bindings:TestTheIdentity.test_strict_mode_asks_where_the_two_differ.<locals>.block differ. "
            "A parameter is often the user acted upon: say which is meant, with "
            '`from_call(user_id="user_id")` for the parameter.'
        )

    def test_strict_mode_is_content_where_the_two_agree(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def rename(user_id: int) -> None: ...

        with request_scope(user_id=7):
            rename(7)
        assert tracked.events == [BoundNoted(user_id=7)]

    def test_an_explicit_source_is_the_answer(self, tracked: Recorder) -> None:
        @tracks(BoundNoted.from_call(user_id="user_id"))
        def block(user_id: int) -> None: ...

        with request_scope(user_id=7):
            block(8)
        assert tracked.events == [BoundNoted(user_id=8)]

    def test_no_one_is_unresolved_at_the_call(self) -> None:
        @tracks(BoundNoted)
        def handle() -> str:
            return "handled"

        errors: list[BaseException] = []
        with recording(strict=False, on_error=lambda error, _: errors.append(error)) as tracked:
            assert handle() == "handled"
        assert tracked.client.stats().refused == {"unresolved": 1}
        (error,) = errors
        assert str(error) == (
            "BoundNoted: field 'user_id': Field required; for 'user_id' were tried: request scope 'user_id', "
            "argument 'user_id' (the handler has no such parameter)"
        )


class Settings(NamedTuple):
    size: int = 5


class Slotted:
    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 5


class Lazy:
    @property
    def size(self) -> int:
        return 5


class Model(BaseModel):
    size: int = 5


class TestPaths:
    @pytest.mark.parametrize(
        "holder",
        [
            {"size": 5},
            MappingProxyType({"size": 5}),
            UserDict(size=5),
            ChainMap({}, {"size": 5}),
            SimpleNamespace(size=5),
            Settings(),
            Slotted(),
            Lazy(),
            Model(),
            Cluster(),
        ],
        ids=lambda holder: type(holder).__name__,
    )
    def test_go_over_attributes_and_the_keys_of_mappings(self, tracked: Recorder, holder: object) -> None:
        @tracks(BoundDone.from_call(size="holder.size"))
        def handle(user_id: int, project_id: int, cluster_id: int, holder: object) -> None: ...

        handle(7, 1, 3, holder)
        assert tracked.events == [_done()]

    def test_go_as_deep_as_wanted(self, tracked: Recorder) -> None:
        @tracks(BoundDone.from_call(size="holder.tags.deep.er"))
        def handle(user_id: int, project_id: int, cluster_id: int, holder: Cluster) -> None: ...

        handle(7, 1, 3, Cluster())
        assert tracked.events == [_done(size=7)]

    def test_take_a_key_before_a_method_of_that_name(self, tracked: Recorder) -> None:
        @tracks(BoundDone.from_call(size="holder.items", note="holder.keys.x"))
        def handle(user_id: int, project_id: int, cluster_id: int, holder: dict[str, Any]) -> None: ...

        handle(7, 1, 3, {"items": 5, "keys": {"x": "y"}})
        assert tracked.events == [_done(note="y")]

    def test_start_at_self(self, tracked: Recorder) -> None:
        class Service:
            user = SimpleNamespace(id=7)

            @tracks(BoundNoted.from_call(user_id="self.user.id"))
            def handle(self) -> None: ...

        Service().handle()
        assert tracked.events == [BoundNoted(user_id=7)]

    def test_start_at_cls(self, tracked: Recorder) -> None:
        class Service:
            owner = 7

            @classmethod
            @tracks(BoundNoted.from_call(user_id="cls.owner"))
            def handle(cls) -> None: ...

        Service.handle()
        assert tracked.events == [BoundNoted(user_id=7)]

    def test_start_at_the_rest_of_the_keywords(self, tracked: Recorder) -> None:
        @tracks(BoundNoted.from_call(note="options.remark"))
        def handle(user_id: int, **options: str) -> None: ...

        handle(7, remark="seen")
        assert tracked.events == [BoundNoted(user_id=7, note="seen")]

    def test_start_at_a_keyword_of_any_name(self, tracked: Recorder) -> None:
        @tracks(BoundNoted.from_call(note="remark"))
        def handle(user_id: int, **options: str) -> None: ...

        handle(7, remark="seen")
        handle(7)
        assert tracked.events == [BoundNoted(user_id=7, note="seen"), BoundNoted(user_id=7, note="none")]

    def test_result_error_and_duration_win_over_parameters_of_these_names(self, tracked: Recorder) -> None:
        @tracks(BoundNoted.from_call(note="result.note"))
        def handle(user_id: int, result: SimpleNamespace) -> SimpleNamespace:
            return SimpleNamespace(note="returned")

        handle(7, SimpleNamespace(note="given"))
        assert tracked.events == [BoundNoted(user_id=7, note="returned")]

    def test_a_step_that_is_not_there_refuses_the_message(self) -> None:
        @tracks(BoundDone.from_call(size="holder.tags.missing"))
        def handle(user_id: int, project_id: int, cluster_id: int, holder: Cluster) -> str:
            return "handled"

        errors: list[BaseException] = []
        with recording(strict=False, on_error=lambda error, _: errors.append(error)) as tracked:
            assert handle(7, 1, 3, Cluster()) == "handled"
        assert tracked.events == []
        assert tracked.client.stats().refused == {"source_failed": 1}
        assert str(errors[0]) == ("BoundDone: field 'size': reading path 'holder.tags.missing' raised AttributeError")


class TestCallables:
    def test_are_given_the_call(self, tracked: Recorder) -> None:
        calls: list[Call] = []

        def size_of(call: Call) -> int:
            calls.append(call)
            return int(call.arguments["cluster"].size)

        @tracks(BoundDone.from_call(size=size_of))
        def handle(user_id: int, project_id: int, cluster_id: int, cluster: Cluster) -> str:
            return "done"

        cluster = Cluster()
        handle(7, 1, cluster_id=3, cluster=cluster)
        assert tracked.events == [_done()]
        (call,) = calls
        assert call.arguments == {"user_id": 7, "project_id": 1, "cluster_id": 3, "cluster": cluster}
        assert (call.result, call.error, call.outcome.value) == ("done", None, "success")
        assert call.duration >= 0

    @pytest.mark.parametrize(
        "source",
        [lambda call: 5, partial(lambda size, call: size, 5), type("Sizer", (), {"__call__": lambda s, c: 5})()],
    )
    def test_are_of_any_kind(self, tracked: Recorder, source: Callable[[Call], int]) -> None:
        @tracks(BoundDone.from_call(size=source))
        def handle(user_id: int, project_id: int, cluster_id: int) -> None: ...

        handle(7, 1, 3)
        assert tracked.events == [_done()]

    def test_that_raise_refuse_the_message_and_say_nothing_of_the_value(self) -> None:
        def fail(call: Call) -> int:
            raise ValueError("canary")

        @tracks(BoundDone.from_call(size=fail))
        def handle(user_id: int, project_id: int, cluster_id: int) -> str:
            return "handled"

        errors: list[BaseException] = []
        with recording(strict=False, on_error=lambda error, _: errors.append(error)) as tracked:
            assert handle(7, 1, 3) == "handled"
        assert tracked.client.stats().refused == {"source_failed": 1}
        assert str(errors[0]) == (
            "BoundDone: field 'size': reading callable "
            "TestCallables.test_that_raise_refuse_the_message_and_say_nothing_of_the_value.<locals>.fail "
            "raised ValueError"
        )

    def test_may_ask_a_start_event_for_arguments_only(self) -> None:
        @tracks(start=BoundStarted.from_call(size=lambda call: call.result))
        def handle(user_id: int, project_id: int) -> int:
            return 5

        with recording(strict=False) as tracked:
            assert handle(7, 1) == 5
        assert tracked.client.stats().refused == {"source_failed": 1}


class TestWhenSourcesAreRead:
    """Plain parameters as they were given; paths of the start event before the body, all others after it."""

    def test_a_start_event_reads_paths_before_the_body_and_a_success_after_it(self, tracked: Recorder) -> None:
        @tracks(
            BoundDone.from_call(size="cluster.size", cluster_id="cluster.id"),
            start=BoundStarted.from_call(size="cluster.size"),
        )
        def grow(user_id: int, project_id: int, cluster: Cluster) -> None:
            cluster.id, cluster.size = 4, 50

        grow(7, 1, Cluster(id=0, size=5))
        assert tracked.events == [BoundStarted(user_id=7, project_id=1, size=5), _done(cluster_id=4, size=50)]

    def test_a_failure_event_reads_paths_after_the_body(self, tracked: Recorder) -> None:
        @tracks(failure=BoundFailed.from_call(size="cluster.size", error="error"))
        def grow(user_id: int, project_id: int, cluster: Cluster) -> None:
            cluster.size = 50
            raise OSError("no room")

        with pytest.raises(OSError, match="no room"):
            grow(7, 1, Cluster())
        assert tracked.events == [BoundFailed(user_id=7, project_id=1, size=50, error="no room")]

    def test_a_parameter_that_the_body_rebinds_is_as_it_was_given(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def handle(user_id: int, note: str) -> None:
            note = "rebound"  # noqa: F841
            user_id = 8  # noqa: F841

        handle(7, "given")
        assert tracked.events == [BoundNoted(user_id=7, note="given")]

    def test_what_the_body_assigns_to_the_request_scope_its_own_success_has(self, tracked: Recorder) -> None:
        @tracks(BoundDone)
        def create(size: int) -> None:
            request_scope.cluster_id = 3

        with request_scope(user_id=7, project_id=1):
            create(5)
        assert tracked.events == [_done()]

    def test_the_error_can_be_followed_by_a_path(self, tracked: Recorder) -> None:
        @tracks(failure=BoundFailed.from_call(error="error.filename", size="error.errno"))
        def read(user_id: int, project_id: int) -> None:
            raise FileNotFoundError(2, "No such file", "a.csv")

        with pytest.raises(FileNotFoundError):
            read(7, 1)
        assert tracked.events == [BoundFailed(user_id=7, project_id=1, error="a.csv", size=2)]

    def test_the_duration_is_in_seconds(self, tracked: Recorder) -> None:
        class BoundTimed(Track, BoundScope):
            seconds: float

        @tracks(BoundTimed.from_call(seconds="duration"))
        def handle(user_id: int) -> None: ...

        handle(7)
        (timed,) = tracked.of(BoundTimed)
        assert 0 <= timed.seconds < 10


class TestProvenance:
    """In debug mode each envelope tells where its fields came from."""

    @staticmethod
    def _notes(tracked: Recorder) -> list[dict[str, Any]]:
        return [json.loads(each.body)["context"]["instrument"] for each in tracked.envelopes]

    def test_of_every_kind_of_place(self) -> None:
        def noted(call: Call) -> str:
            return "x"

        @tracks(
            BoundDone.from_call(cluster_id="result.id", note=noted), start=BoundStarted.from_call(size="options.size")
        )
        def create(size: int, options: SimpleNamespace) -> Cluster:
            return Cluster()

        at = f"{__file__}:{create.__code__.co_firstlineno}"
        name = "tests.test_bindings:TestProvenance.test_of_every_kind_of_place.<locals>.create"
        with recording(debug=True) as tracked, request_scope(user_id=7, project_id=1):
            create(5, SimpleNamespace(size=4))
        notes = self._notes(tracked)
        assert notes[0]["request"] == notes[1]["request"]
        assert notes == [
            {
                "provenance": {
                    "user_id": "request scope 'user_id'",
                    "project_id": "request scope 'project_id'",
                    "size": "path 'options.size'",
                },
                "handler": name,
                "place": at,
                "request": notes[0]["request"],
            },
            {
                "provenance": {
                    "user_id": "request scope 'user_id'",
                    "project_id": "request scope 'project_id'",
                    "cluster_id": "result 'result.id'",
                    "size": "argument 'size'",
                    "note": "callable TestProvenance.test_of_every_kind_of_place.<locals>.noted",
                },
                "handler": name,
                "place": at,
                "request": notes[0]["request"],
            },
        ]

    def test_of_a_default_and_of_an_identity_that_came_from_an_argument(self) -> None:
        @tracks(BoundNoted)
        def handle(user_id: int) -> None: ...

        with recording(debug=True) as tracked:
            handle(7)
        assert self._notes(tracked)[0]["provenance"] == {"user_id": "argument 'user_id'", "note": "default"}

    def test_of_a_late_message(self) -> None:
        import contextvars

        @tracks(BoundNoted)
        def handle(user_id: int) -> None: ...

        with recording(debug=True) as tracked:
            with request_scope(user_id=8):
                context = contextvars.copy_context()
            context.run(handle, 7)
        (notes,) = self._notes(tracked)
        assert (notes["late"], notes["provenance"]["user_id"]) == (True, "argument 'user_id'")

    def test_is_not_told_otherwise(self, tracked: Recorder) -> None:
        @tracks(BoundNoted)
        def handle(user_id: int) -> None: ...

        handle(7)
        assert "instrument" not in json.loads(tracked.envelopes[0].body)["context"]


class TestOneEngine:
    def test_a_generator_reads_its_sources_when_it_is_exhausted(self, tracked: Recorder) -> None:
        @tracks(BoundDone.from_call(size="cluster.size"), start=BoundStarted.from_call(size="cluster.size"))
        def grow(user_id: int, project_id: int, cluster_id: int, cluster: Cluster) -> Generator[int]:
            yield cluster.size
            cluster.size = 50

        assert list(grow(7, 1, 3, Cluster())) == [5]
        assert tracked.events == [BoundStarted(user_id=7, project_id=1, size=5), _done(size=50)]

    def test_other_specs_resolve_alike(self, tracked: Recorder) -> None:
        from instrument import identifies

        class BoundKnown(Identify, BoundScope):
            email: str

        @identifies(BoundKnown.from_call(email="result.email"))
        def sign_up(email: str) -> SimpleNamespace:
            return SimpleNamespace(email=email.lower())

        with request_scope(user_id=7):
            sign_up("A@B.example")
        assert tracked.messages == [BoundKnown(user_id=7, email="a@b.example")]
