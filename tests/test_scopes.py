"""Scopes: identifying fields that nest by inheritance, and become properties of every message that has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.errors import PydanticUserError

from instrument import DeclarationError, Scope, Track, __version__, request_scope
from instrument.declared import Declared
from instrument.messages import registry
from instrument.scopes import scope_names
from instrument.testing import FixedStamps, recording
from tests.places import here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instrument.testing import Recorder


class OwnerScope(Scope):
    user_id: int


class ProjectOfOwner(OwnerScope):
    project_id: int = Field(serialization_alias="proj_id")


class ClusterOfProject(ProjectOfOwner):
    cluster_id: UUID


class RegistryOfProject(ProjectOfOwner):
    registry_id: int


class ApplicationOfCluster(ClusterOfProject):
    application_name: str = Field(serialization_alias="app_name")
    namespace: str = Field(default="default", serialization_alias="app_namespace")


class NestedScopesApplied(Track, ApplicationOfCluster):
    replicas: int


class BothBranchesLinked(Track, ClusterOfProject, RegistryOfProject):
    pass


class VisitorScope(Scope):
    anonymous_id: str


class VisitorCounted(Track, VisitorScope):
    pass


CLUSTER = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def tracked() -> Iterator[Recorder]:
    with recording(stamps=FixedStamps()) as recorder:
        yield recorder


def _received(tracked: Recorder) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in tracked.envelopes]


def test_fields_of_nested_scopes_are_one_flat_constructor_and_one_flat_message(tracked: Recorder) -> None:
    applied = NestedScopesApplied(user_id=7, project_id=3, cluster_id=CLUSTER, application_name="shop", replicas=2)
    assert tracked.client.track(applied)
    assert _received(tracked) == [
        {
            "type": "track",
            "event": "Nested Scopes Applied",
            "userId": "7",
            "properties": {
                "proj_id": 3,
                "cluster_id": "12345678-1234-5678-1234-567812345678",
                "app_name": "shop",
                "app_namespace": "default",
                "replicas": 2,
            },
            "messageId": "00000000-0000-7000-8000-000000000001",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "context": {"library": {"name": "instrument-analytics", "version": __version__}},
            "integrations": {},
        }
    ]


def test_two_scopes_that_share_a_base_have_its_fields_once(tracked: Recorder) -> None:
    linked = BothBranchesLinked(user_id=7, project_id=3, cluster_id=CLUSTER, registry_id=5)
    assert tracked.client.track(linked)
    assert _received(tracked)[0]["properties"] == {"proj_id": 3, "cluster_id": str(CLUSTER), "registry_id": 5}


def test_a_scope_without_a_user_identifies_by_the_anonymous_id(tracked: Recorder) -> None:
    assert tracked.client.track(VisitorCounted(anonymous_id="cookie-1"))
    (received,) = _received(tracked)
    assert received["anonymousId"] == "cookie-1"
    assert "userId" not in received
    assert received["properties"] == {}


def test_a_scope_is_frozen_hashable_and_equal_by_value() -> None:
    scope = ProjectOfOwner(user_id=7, project_id=3)
    with pytest.raises(ValidationError, match="frozen"):
        scope.project_id = 4
    assert {scope, ProjectOfOwner(user_id=7, project_id=3)} == {scope}
    assert scope != ProjectOfOwner(user_id=7, project_id=4)


def test_a_field_that_no_scope_declares_is_refused_by_the_constructor() -> None:
    with pytest.raises(ValidationError, match=r"projectid\n  Extra inputs are not permitted"):
        ProjectOfOwner(user_id=7, project_id=3, projectid=3)  # type: ignore[call-arg]


def test_an_errors_text_holds_no_value() -> None:
    with pytest.raises(ValidationError) as raised:
        OwnerScope(user_id="canary")  # type: ignore[arg-type]
    assert "canary" not in str(raised.value)


def test_the_fields_of_every_scope_are_what_a_request_scope_may_hold(tracked: Recorder) -> None:
    fields = {"user_id", "anonymous_id", "project_id", "cluster_id", "registry_id", "application_name", "namespace"}
    assert fields <= scope_names()
    assert "replicas" not in scope_names()
    with request_scope(ApplicationOfCluster(user_id=7, project_id=3, cluster_id=CLUSTER, application_name="shop")):
        assert request_scope.values() == {
            "user_id": 7,
            "project_id": 3,
            "cluster_id": CLUSTER,
            "application_name": "shop",
            "namespace": "default",
        }


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("event", "Scope has it for the Segment spec"),
        ("properties", "Scope has it for the Segment spec"),
        ("traits", "Scope has it for the Segment spec"),
        ("json", "pydantic has it for itself"),
        ("copy", "pydantic has it for itself"),
        ("schema", "pydantic has it for itself"),
        ("dict", "pydantic has it for itself"),
        ("validate", "pydantic has it for itself"),
        ("construct", "pydantic has it for itself"),
        ("model_dump", "pydantic has it for itself"),
        ("model_fields", "pydantic has it for itself"),
        ("from_call", "every scope and message has it"),
    ],
)
def test_a_field_cannot_have_a_name_that_is_needed_otherwise(name: str, owner: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        type("ReservedNameScope", (Scope,), {"__annotations__": {name: int}, "__module__": __name__})
    at = here(-1)
    assert str(raised.value) == (
        f"{at}: ReservedNameScope.{name}: a field cannot have this name, since {owner}. "
        f'Write `{name}_: … = Field(serialization_alias="{name}")`: the message then still has the key {name!r}.'
    )


def test_a_field_cannot_have_the_name_of_the_configuration() -> None:
    # Older versions of pydantic refuse it themselves.
    with pytest.raises((DeclarationError, PydanticUserError), match="model_config"):
        type("ConfigurationScope", (Scope,), {"__annotations__": {"model_config": int}, "__module__": __name__})


def test_the_proposed_alias_is_a_way_out(tracked: Recorder) -> None:
    with registry.isolated():

        class ProposedAliasTaken(Track, OwnerScope):
            json_: str = Field(serialization_alias="json")
            event_: str = Field(serialization_alias="event")

        assert tracked.client.track(ProposedAliasTaken(user_id=7, json_="{}", event_="click"))
    assert _received(tracked)[0]["properties"] == {"json": "{}", "event": "click"}


def test_every_declared_class_names_where_it_stands() -> None:
    class Somewhere(Scope):
        user_id: int

    assert str(Somewhere.__declared_at__) == here(-3)


def test_a_field_inherited_from_a_plain_model_is_checked_too() -> None:
    class Plain(BaseModel):
        event: str

    with pytest.raises(DeclarationError, match=r"^.*: PlainScope\.event: a field cannot have this name"):

        class PlainScope(Scope, Plain):
            pass


def test_class_variables_and_private_attributes_are_no_fields() -> None:
    from typing import ClassVar

    class WithConstants(Scope):
        event: ClassVar[str] = "a constant"
        _json: str = "private"

        user_id: int

    assert set(WithConstants.model_fields) == {"user_id"}
    assert WithConstants.event == "a constant"


class Loose(BaseModel):
    model_config = ConfigDict(frozen=False, extra="allow", allow_inf_nan=True, hide_input_in_errors=False)


class LoosenedByAMixin(Loose, OwnerScope):
    ratio: float = 0.0


class LoosenedByItself(OwnerScope):
    model_config = ConfigDict(frozen=False, extra="ignore", allow_inf_nan=True, hide_input_in_errors=False)

    ratio: float = 0.0


class LoosenedBelow(LoosenedByItself):
    pass


@pytest.mark.parametrize("scope", [LoosenedByAMixin, LoosenedByItself, LoosenedBelow])
class TestALoosenedConfiguration:
    def test_leaves_instances_frozen(self, scope: type[LoosenedByItself]) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            scope(user_id=7).ratio = 1.0

    def test_leaves_other_fields_forbidden(self, scope: type[LoosenedByItself]) -> None:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            scope(user_id=7, other=1)  # type: ignore[call-arg]

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_leaves_numbers_finite(self, scope: type[LoosenedByItself], number: float) -> None:
        with pytest.raises(ValidationError, match="Input should be a finite number"):
            scope(user_id=7, ratio=number)

    def test_leaves_values_out_of_errors(self, scope: type[LoosenedByItself]) -> None:
        with pytest.raises(ValidationError) as raised:
            scope(user_id="canary")  # type: ignore[arg-type]
        assert "canary" not in str(raised.value)


def test_other_configuration_is_the_classes_own(tracked: Recorder) -> None:
    class Camel(OwnerScope):
        model_config = ConfigDict(alias_generator=lambda name: name.upper(), str_strip_whitespace=True)

        region: str

    with registry.isolated():

        class ConfiguredScopeUsed(Track, Camel):
            pass

        assert tracked.client.track(ConfiguredScopeUsed(user_id=7, region=" eu "))
    (received,) = _received(tracked)
    assert received["userId"] == "7"
    assert received["properties"] == {"REGION": "eu"}


def test_scopes_know_nothing_of_messages() -> None:
    assert issubclass(Scope, Declared)
    assert not hasattr(Scope, "__segment_spec__")
