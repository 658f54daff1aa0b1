"""What the application emits: for each kind of handler the success, the failure, and the cancellation."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from examples.porter.analytics.events import (
    ApplicationDeploymentWebhook,
    ApplicationLaunchStart,
    ApplicationLaunchSuccess,
    ClusterConnectionStart,
    ClusterConnectionSuccess,
    ClusterDestroyingStart,
    ClusterDestroyingSuccess,
    ClusterPreflightChecksFailed,
    ClusterProvisioningError,
    ClusterProvisioningStart,
    ClusterProvisioningSuccess,
    GithubConnectionStart,
    GithubConnectionSuccess,
    PorterAppUpdateFailure,
    PreProvisionCheck,
    ProjectCreate,
    ProjectDelete,
    ProvisioningAttempted,
    ProvisioningFailure,
    RegistryConnectionStart,
    RegistryConnectionSuccess,
    RegistryProvisioningError,
    RegistryProvisioningStart,
    RegistryProvisioningSuccess,
    StackBuildFailure,
    StackBuildProgressing,
    StackBuildSuccess,
    StackDeletion,
    StackLaunchFailure,
    StackLaunchStart,
    StackLaunchSuccess,
    UserCreate,
    UserVerifyEmail,
)
from examples.porter.analytics.identifiers import UserIdentify
from examples.porter.cloud import FULL_REGION, SLOW_REGION
from examples.porter.tests.conftest import ADA, Answer

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fastapi import FastAPI

    from examples.porter.tests.conftest import Api
    from instrument.testing import Recorder

CONTACT: Any = {"email": "ada@example.org", "name": "Ada Lovelace", "company": "Engines"}
BY_ADA: Any = {"user_id": 1, "project_id": 1}
LAUNCH: Any = {"flow_id": "flow-7", "name": "site", "chart": "web", "image_uri": "site:1"}
OF_ENGINE: Any = {**BY_ADA, **CONTACT, "stack_name": "engine"}


def eks(**more: str) -> dict[str, str]:
    return {"name": "production", "kind": "eks", **more}


class TestAccounts:
    def test_registering_identifies_the_user_and_then_tracks_it(self, api: Api, tracked: Recorder) -> None:
        grace = {"first_name": "Grace", "last_name": "Hopper", "email": "grace@example.org", "company": "Navy"}

        api.make("POST /users", {**grace, "referral_method": "friend", "is_github": True}, user=None)

        assert tracked.messages == [
            UserIdentify(user_id=2, email="grace@example.org", is_github=True),
            UserCreate(
                user_id=2, email="grace@example.org", name="Grace Hopper", company="Navy", referral_method="friend"
            ),
        ]

    def test_an_address_that_is_taken_emits_nothing(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /users", None, ADA).status == 409

        assert tracked.messages == []

    def test_verifying_the_address_is_tracked(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /users/verified-email").status == 200

        assert tracked.messages == [UserVerifyEmail(user_id=1, email="ada@example.org")]

    def test_connecting_github_is_tracked_around_a_block(self, api: Api, tracked: Recorder) -> None:
        user = api.make("POST /users", {**ADA, "email": "ada@analytical.org", "is_github": True}, user=None)["id"]
        tracked.clear()

        assert api("POST /users/github", user).status == 200

        assert tracked.messages == [GithubConnectionStart(user_id=user), GithubConnectionSuccess(user_id=user)]

    def test_a_block_that_raises_has_only_begun(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /users/github").status == 409

        assert tracked.messages == [GithubConnectionStart(user_id=1)]

    @pytest.mark.parametrize("user", [None, 99])
    def test_who_is_not_signed_in_emits_nothing(self, api: Api, tracked: Recorder, user: int | None) -> None:
        assert api("POST /projects", user, {"name": "Difference Engine"}).status == 401

        assert tracked.messages == []


class TestProjects:
    def test_making_and_deleting_one_are_tracked(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects", {"name": "Difference Engine"})
        assert api("DELETE /projects/2").status == 204

        assert tracked.messages == [
            ProjectCreate(user_id=1, project_id=2, **CONTACT),
            ProjectDelete(user_id=1, project_id=2, **CONTACT),
        ]

    def test_a_project_of_another_user_emits_nothing(self, api: Api, tracked: Recorder) -> None:
        other = api.make("POST /users", {**ADA, "email": "ada@analytical.org"}, user=None)["id"]
        tracked.clear()

        assert api("DELETE /projects/1", other).status == 404

        assert tracked.messages == []


class TestProvisioningAClusterInACoroutine:
    attempted = ProvisioningAttempted(**BY_ADA, **CONTACT, region="eu-west-1", provider="aws")
    start = ClusterProvisioningStart(**BY_ADA, cluster_type="eks", infra_id=1)

    def test_success(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters", eks())

        assert tracked.messages == [
            self.attempted,
            self.start,
            ClusterProvisioningSuccess(**BY_ADA, cluster_id=1, cluster_type="eks", infra_id=1),
        ]

    def test_failure(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /projects/1/clusters", json=eks(kind="mainframe")).status == 422

        assert tracked.messages == [
            ProvisioningAttempted(**BY_ADA, **CONTACT, region="eu-west-1", provider="unknown"),
            ClusterProvisioningStart(**BY_ADA, cluster_type="mainframe", infra_id=1),
            ClusterProvisioningError(**BY_ADA, cluster_type="mainframe", infra_id=1),
            ProvisioningFailure(
                **BY_ADA,
                **CONTACT,
                region="eu-west-1",
                error_message="there is no such kind: choose one of aks, eks, gke",
            ),
        ]

    def test_cancellation_by_a_time_limit(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /projects/1/clusters", json=eks(region=SLOW_REGION)).status == 504

        assert tracked.messages == [
            ProvisioningAttempted(**BY_ADA, **CONTACT, region=SLOW_REGION, provider="aws"),
            self.start,
            ClusterProvisioningError(**BY_ADA, cluster_type="eks", infra_id=1),
            ProvisioningFailure(
                **BY_ADA, **CONTACT, region=SLOW_REGION, error_message="the cluster was not ready in time"
            ),
        ]

    def test_destroying_it(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters", eks())
        tracked.clear()

        assert api("DELETE /projects/1/clusters/1").status == 204

        destroyed: Any = {**BY_ADA, "cluster_id": 1, "cluster_type": "eks", "infra_id": 1}
        assert tracked.messages == [ClusterDestroyingStart(**destroyed), ClusterDestroyingSuccess(**destroyed)]

    async def test_many_users_at_once_are_never_confused(self, app: FastAPI, tracked: Recorder) -> None:
        http = client_of(app)
        async with app.router.lifespan_context(app), http:
            users = [
                (await http.post("/users", json={**ADA, "email": f"{number}@example.org"})).json()["id"]
                for number in range(8)
            ]
            made = await asyncio.gather(
                *[http.post("/projects", json={"name": "p"}, headers={"X-User-Id": str(user)}) for user in users]
            )
            owners = {project.json()["id"]: project.json()["owner_id"] for project in made}
            await asyncio.gather(
                *[
                    http.post(f"/projects/{project}/clusters", json=eks(), headers={"X-User-Id": str(owner)})
                    for project, owner in owners.items()
                ]
            )

        assert sorted(owners.values()) == users
        assert {event.project_id: event.user_id for event in tracked.of(ProjectCreate)} == owners
        assert {event.project_id: event.user_id for event in tracked.of(ClusterProvisioningStart)} == owners
        assert {event.project_id: event.user_id for event in tracked.of(ClusterProvisioningSuccess)} == owners


class TestProvisioningARegistryInAMethod:
    def test_success(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/registries", {"name": "images", "kind": "ecr"})

        assert tracked.messages == [
            RegistryProvisioningStart(**BY_ADA, registry_type="ecr", infra_id=1),
            RegistryProvisioningSuccess(**BY_ADA, registry_id=1, registry_type="ecr", infra_id=1),
        ]

    def test_failure(self, api: Api, tracked: Recorder) -> None:
        form = {"name": "images", "kind": "ecr", "region": FULL_REGION}

        assert api("POST /projects/1/registries", json=form).status == 502

        assert tracked.messages == [
            RegistryProvisioningStart(**BY_ADA, registry_type="ecr", infra_id=1),
            RegistryProvisioningError(**BY_ADA, registry_type="ecr", infra_id=1),
        ]


class TestConnecting:
    def test_a_cluster(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters/candidates/4", {"name": "old"})

        assert tracked.messages == [
            ClusterConnectionStart(**BY_ADA, cc_id=4),
            ClusterConnectionSuccess(**BY_ADA, cluster_id=1, cc_id=4),
        ]

    def test_a_cluster_twice(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters/candidates/4", {"name": "old"})
        tracked.clear()

        assert api("POST /projects/1/clusters/candidates/4", json={"name": "old"}).status == 409

        assert tracked.messages == [ClusterConnectionStart(**BY_ADA, cc_id=4)]

    def test_a_registry(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/registries/connections/flow-7", {"name": "old"})

        assert tracked.messages == [
            RegistryConnectionStart(**BY_ADA, flow_id="flow-7"),
            RegistryConnectionSuccess(**BY_ADA, registry_id=1, flow_id="flow-7"),
        ]


class TestPreflightChecksInAGenerator:
    start = PreProvisionCheck(**BY_ADA, **CONTACT)

    def test_success(self, api: Api, tracked: Recorder) -> None:
        answer = api("POST /projects/1/clusters/preflight", json=eks())

        assert answer == Answer(200, "credentials: passed\nquota: passed\nnetwork: passed\n")
        assert tracked.messages == [self.start]

    def test_failure(self, api: Api, tracked: Recorder) -> None:
        answer = api("POST /projects/1/clusters/preflight", json=eks(region=FULL_REGION))

        assert answer == Answer(200, "credentials: passed\nfailed: the region has no capacity left\n")
        assert tracked.messages == [
            self.start,
            ClusterPreflightChecksFailed(
                **BY_ADA,
                **CONTACT,
                cluster_name="production",
                cloud_provider="aws",
                error_message="the region has no capacity left",
            ),
        ]

    async def test_abandoned_by_a_client_that_goes_away(self, app: FastAPI, tracked: Recorder) -> None:
        async with app.router.lifespan_context(app):
            await prepare(app)
            tracked.clear()

            received = await go_away(app, "/projects/1/clusters/preflight", eks(region=FULL_REGION), while_sending=True)

        assert received == b"credentials: passed\n"
        assert tracked.messages == [self.start]


class TestApplications:
    def test_launching_one(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters", eks())
        tracked.clear()

        api.make("POST /projects/1/clusters/1/applications", LAUNCH)

        assert tracked.messages == [
            ApplicationLaunchStart(**BY_ADA, cluster_id=1, flow_id="flow-7"),
            ApplicationLaunchSuccess(
                **BY_ADA, cluster_id=1, app_name="site", app_namespace="default", chart_name="web", flow_id="flow-7"
            ),
        ]

    def test_a_chart_that_does_not_exist(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters", eks())
        tracked.clear()

        answer = api("POST /projects/1/clusters/1/applications", json={**LAUNCH, "chart": "mainframe"})

        assert answer.status == 422
        assert tracked.messages == [ApplicationLaunchStart(**BY_ADA, cluster_id=1, flow_id="flow-7")]

    def test_a_webhook_that_is_delivered_twice_keeps_its_id(self, api: Api, tracked: Recorder) -> None:
        api.make("POST /projects/1/clusters", eks())
        token = api.make("POST /projects/1/clusters/1/applications", LAUNCH)["token"]
        tracked.clear()

        for delivery in ("delivery-1", "delivery-1", "delivery-2"):
            assert api(f"POST /webhooks/{token}", None, {"image_uri": "site:2"}, X_Delivery_Id=delivery).status == 200

        event = ApplicationDeploymentWebhook(
            **BY_ADA, cluster_id=1, app_name="site", app_namespace="default", chart_name="web", image_uri="site:2"
        )
        assert tracked.messages == [event, event, event]
        assert [each.message_id for each in tracked.envelopes] == ["delivery-1", "delivery-1", "delivery-2"]

    def test_a_webhook_of_nothing_emits_nothing(self, api: Api, tracked: Recorder) -> None:
        assert api("POST /webhooks/none", None, {"image_uri": "site:2"}, X_Delivery_Id="delivery-1").status == 404

        assert tracked.messages == []


class TestStacks:
    def test_launching_and_deleting_one(self, api: Api, tracked: Recorder) -> None:
        api.make("PUT /projects/1/stacks/engine?validate_apply_v2=true", {"image_uri": "engine:1"})
        assert api("DELETE /projects/1/stacks/engine?delete_workflow_file=true").status == 204

        assert tracked.messages == [
            StackLaunchStart(**BY_ADA, **CONTACT, validate_apply_v2=True),
            StackLaunchSuccess(**OF_ENGINE, validate_apply_v2=True),
            StackDeletion(**OF_ENGINE, validate_apply_v2=False, delete_workflow_file=True),
        ]

    def test_launching_one_without_a_tag(self, api: Api, tracked: Recorder) -> None:
        form = {"image_uri": "engine"}

        assert api("PUT /projects/1/stacks/engine?validate_apply_v2=true", json=form).status == 502

        assert tracked.messages == [
            StackLaunchStart(**BY_ADA, **CONTACT, validate_apply_v2=True),
            StackLaunchFailure(**OF_ENGINE, validate_apply_v2=True, error_message="the image has no tag"),
        ]

    def test_an_update_that_answers_with_a_problem_is_a_failure(self, api: Api, tracked: Recorder) -> None:
        api.make("PUT /projects/1/stacks/engine", {"image_uri": "engine:1"})
        tracked.clear()

        assert api("PATCH /projects/1/stacks/engine", json={"image_uri": "engine:2"}).body["problem"] is None
        assert api("PATCH /projects/1/stacks/engine", json={"image_uri": "engine:2"}).status == 200

        assert tracked.messages == [
            PorterAppUpdateFailure(
                **OF_ENGINE,
                validate_apply_v2=False,
                error_message="the stack runs this image already",
                error_stack_trace="",
            )
        ]

    def test_an_update_that_raises_is_a_failure_with_its_traceback(self, api: Api, tracked: Recorder) -> None:
        assert api("PATCH /projects/1/stacks/none", json={"image_uri": "engine:2"}).status == 404

        [failure] = tracked.messages
        assert failure == PorterAppUpdateFailure(
            **BY_ADA,
            **CONTACT,
            stack_name="none",
            validate_apply_v2=False,
            error_message="there is no such stack",
            error_stack_trace=failure.error_stack_trace,
        )
        assert "in update_stack" in failure.error_stack_trace


class TestBuildingAStackInAnAsyncGenerator:
    def test_success(self, api: Api, tracked: Recorder) -> None:
        api.make("PUT /projects/1/stacks/engine", {"image_uri": "engine:1"})
        tracked.clear()

        answer = api("POST /projects/1/stacks/engine/builds")

        assert answer == Answer(200, "clone: done\ncompile: done\npush: done\n")
        assert tracked.messages == [
            StackBuildProgressing(**OF_ENGINE, validate_apply_v2=False),
            StackBuildSuccess(**OF_ENGINE, validate_apply_v2=False),
        ]

    def test_failure(self, api: Api, tracked: Recorder) -> None:
        api.make("PUT /projects/1/stacks/engine", {"image_uri": "engine:broken"})
        tracked.clear()

        answer = api("POST /projects/1/stacks/engine/builds")

        assert answer == Answer(200, "clone: done\nfailed: exit code 2\n")
        assert tracked.messages == [
            StackBuildProgressing(**OF_ENGINE, validate_apply_v2=False),
            StackBuildFailure(
                **OF_ENGINE,
                validate_apply_v2=False,
                error_message="exit code 2",
                b64_build_logs=base64.b64encode(b"clone").decode(),
            ),
        ]

    async def test_cancellation_by_a_client_that_goes_away(self, app: FastAPI, tracked: Recorder) -> None:
        async with app.router.lifespan_context(app):
            await prepare(app, image_uri="engine:endless")
            tracked.clear()

            received = await go_away(app, "/projects/1/stacks/engine/builds")

        assert received == b"clone: done\n"
        assert tracked.messages == [
            StackBuildProgressing(**OF_ENGINE, validate_apply_v2=False),
            StackBuildFailure(
                **OF_ENGINE,
                validate_apply_v2=False,
                error_message="cancelled",
                b64_build_logs=base64.b64encode(b"clone").decode(),
            ),
        ]


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """Return a client whose requests go straight to the application."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://porter")


async def prepare(app: FastAPI, image_uri: str = "engine:1") -> None:
    """Make a user, a project and a stack."""
    http = client_of(app)
    async with http:
        await http.post("/users", json=ADA)
        http.headers["X-User-Id"] = "1"
        await http.post("/projects", json={"name": "Analytical Engine"})
        await http.put("/projects/1/stacks/engine", json={"image_uri": image_uri})


async def go_away(app: FastAPI, path: str, form: object = None, *, while_sending: bool = False) -> bytes:
    """Send a request to the application, go away when the first piece of the answer is there, and return that.

    Args:
        app: the application.
        path: where the request is posted to.
        form: its body.
        while_sending: go away while the server is still busy sending the piece.
    """
    body = httpx.Request("POST", "http://porter", json=form).read()
    requests: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    received: list[bytes] = []
    first_piece = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await first_piece.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            received.append(message["body"])
            first_piece.set()
            if while_sending:
                await asyncio.Event().wait()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"x-user-id", b"1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return b"".join(received)
