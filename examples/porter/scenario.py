"""What users do in the demo, and what is to arrive of it: success, failure and cancellation of each kind of handler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from examples.porter.analytics.events import (
    ApplicationDeploymentWebhook,
    ApplicationLaunchStart,
    ApplicationLaunchSuccess,
    ClusterPreflightChecksFailed,
    ClusterProvisioningError,
    ClusterProvisioningStart,
    ClusterProvisioningSuccess,
    GithubConnectionStart,
    GithubConnectionSuccess,
    PorterAppUpdateFailure,
    PreProvisionCheck,
    ProjectCreate,
    ProvisioningAttempted,
    ProvisioningFailure,
    RegistryProvisioningError,
    RegistryProvisioningStart,
    RegistryProvisioningSuccess,
    StackBuildFailure,
    StackBuildProgressing,
    StackBuildSuccess,
    StackLaunchStart,
    StackLaunchSuccess,
    UserCreate,
)
from examples.porter.analytics.identifiers import UserIdentify
from examples.porter.cloud import FULL_REGION, SLOW_REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument import Identify, Track

WEBHOOK = "delivery-1"
"""The id of the webhook's delivery, and so of its event."""

_ADA = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.org",
    "company": "Engines",
    "is_github": True,
}
_CHARLES = {**_ADA, "first_name": "Charles", "last_name": "Babbage", "email": "charles@example.org", "is_github": False}
_CONTACT: Any = {"email": "ada@example.org", "name": "Ada Lovelace", "company": "Engines"}
_BY_ADA: Any = {"user_id": 1, "project_id": 1}
_SITE: Any = {**_BY_ADA, "cluster_id": 1, "app_name": "site", "app_namespace": "default", "chart_name": "web"}
_ENGINE: Any = {**_BY_ADA, **_CONTACT, "stack_name": "engine", "validate_apply_v2": False}
_MAINFRAME: Any = {**_ENGINE, "stack_name": "mainframe"}
_CLONED = "Y2xvbmU="
"""The logs of a build that has cloned its sources, in base 64."""


@dataclass(frozen=True)
class Step:
    """A request, and the messages that it is to bring about.

    Attributes:
        handler: what kind of handler gets it.
        outcome: how the handler ends.
        request: method and path; `{token}` stands for what an earlier answer has under this name.
        status: what is to be answered.
        messages: what is to arrive.
        form: the body.
        user: who sends it.
        leaves: when the client goes away without the whole answer, if it does.
    """

    handler: str
    outcome: Literal["success", "failure", "cancelled", "abandoned", "not cancelled"]
    request: str
    status: int
    messages: Sequence[Track | Identify] = ()
    form: dict[str, Any] = field(default_factory=dict[str, Any])
    user: int | None = 1
    leaves: Literal["waiting", "reading"] | None = None


def _infra(kind: str, region: str = "eu-west-1") -> dict[str, Any]:
    return {"name": "production", "kind": kind, "region": region}


STEPS = (
    Step(
        "function",
        "success",
        "POST /users",
        201,
        [
            UserIdentify(user_id=1, email="ada@example.org", is_github=True),
            UserCreate(user_id=1, **_CONTACT, referral_method="friend"),
        ],
        form={**_ADA, "referral_method": "friend"},
        user=None,
    ),
    Step("function", "failure", "POST /users", 409, form=_ADA, user=None),
    Step(
        "function",
        "success",
        "POST /projects",
        201,
        [ProjectCreate(**_BY_ADA, **_CONTACT)],
        form={"name": "Analytical Engine"},
    ),
    Step(
        "method",
        "success",
        "POST /projects/1/registries",
        201,
        [
            RegistryProvisioningStart(**_BY_ADA, registry_type="ecr", infra_id=1),
            RegistryProvisioningSuccess(**_BY_ADA, registry_id=1, registry_type="ecr", infra_id=1),
        ],
        form={**_infra("ecr"), "name": "one"},
    ),
    Step(
        "method",
        "failure",
        "POST /projects/1/registries",
        502,
        [
            RegistryProvisioningStart(**_BY_ADA, registry_type="gcr", infra_id=2),
            RegistryProvisioningError(**_BY_ADA, registry_type="gcr", infra_id=2),
        ],
        form={**_infra("gcr", FULL_REGION), "name": "two"},
    ),
    Step(
        "method",
        "not cancelled",  # a thread goes on, though nobody waits for it
        "POST /projects/1/registries",
        0,
        [
            RegistryProvisioningStart(**_BY_ADA, registry_type="acr", infra_id=3),
            RegistryProvisioningSuccess(**_BY_ADA, registry_id=2, registry_type="acr", infra_id=3),
        ],
        form={**_infra("acr", SLOW_REGION), "name": "three"},
        leaves="waiting",
    ),
    Step(
        "coroutine",
        "success",
        "POST /projects/1/clusters",
        201,
        [
            ProvisioningAttempted(**_BY_ADA, **_CONTACT, region="eu-west-1", provider="aws"),
            ClusterProvisioningStart(**_BY_ADA, cluster_type="eks", infra_id=4),
            ClusterProvisioningSuccess(**_BY_ADA, cluster_id=1, cluster_type="eks", infra_id=4),
        ],
        form=_infra("eks"),
    ),
    Step(
        "coroutine",
        "failure",
        "POST /projects/1/clusters",
        502,
        [
            ProvisioningAttempted(**_BY_ADA, **_CONTACT, region=FULL_REGION, provider="gcp"),
            ClusterProvisioningStart(**_BY_ADA, cluster_type="gke", infra_id=5),
            ClusterProvisioningError(**_BY_ADA, cluster_type="gke", infra_id=5),
            ProvisioningFailure(
                **_BY_ADA, **_CONTACT, region=FULL_REGION, error_message="the region has no capacity left"
            ),
        ],
        form=_infra("gke", FULL_REGION),
    ),
    Step(
        "coroutine",
        "cancelled",
        "POST /projects/1/clusters",
        504,
        [
            ProvisioningAttempted(**_BY_ADA, **_CONTACT, region=SLOW_REGION, provider="azure"),
            ClusterProvisioningStart(**_BY_ADA, cluster_type="aks", infra_id=6),
            ClusterProvisioningError(**_BY_ADA, cluster_type="aks", infra_id=6),
            ProvisioningFailure(
                **_BY_ADA, **_CONTACT, region=SLOW_REGION, error_message="the cluster was not ready in time"
            ),
        ],
        form=_infra("aks", SLOW_REGION),
    ),
    Step(
        "generator",
        "success",
        "POST /projects/1/clusters/preflight",
        200,
        [PreProvisionCheck(**_BY_ADA, **_CONTACT)],
        form=_infra("eks"),
    ),
    Step(
        "generator",
        "failure",
        "POST /projects/1/clusters/preflight",
        200,
        [
            PreProvisionCheck(**_BY_ADA, **_CONTACT),
            ClusterPreflightChecksFailed(
                **_BY_ADA,
                **_CONTACT,
                cluster_name="production",
                cloud_provider="aws",
                error_message="the region has no capacity left",
            ),
        ],
        form=_infra("eks", FULL_REGION),
    ),
    Step(
        "generator",
        "abandoned",
        "POST /projects/1/clusters/preflight",
        200,
        [PreProvisionCheck(**_BY_ADA, **_CONTACT)],
        form=_infra("eks", SLOW_REGION),
        leaves="reading",
    ),
    Step(
        "coroutine",
        "success",
        "PUT /projects/1/stacks/engine",
        201,
        [StackLaunchStart(**_BY_ADA, **_CONTACT, validate_apply_v2=False), StackLaunchSuccess(**_ENGINE)],
        form={"image_uri": "engine:1"},
    ),
    Step(
        "async generator",
        "success",
        "POST /projects/1/stacks/engine/builds",
        200,
        [StackBuildProgressing(**_ENGINE), StackBuildSuccess(**_ENGINE)],
    ),
    Step("failed_if=", "success", "PATCH /projects/1/stacks/engine", 200, form={"image_uri": "engine:broken"}),
    Step(
        "async generator",
        "failure",
        "POST /projects/1/stacks/engine/builds",
        200,
        [
            StackBuildProgressing(**_ENGINE),
            StackBuildFailure(**_ENGINE, error_message="exit code 2", b64_build_logs=_CLONED),
        ],
    ),
    Step(
        "coroutine",
        "success",
        "PUT /projects/1/stacks/mainframe",
        201,
        [StackLaunchStart(**_BY_ADA, **_CONTACT, validate_apply_v2=False), StackLaunchSuccess(**_MAINFRAME)],
        form={"image_uri": "mainframe:endless"},
    ),
    Step(
        "async generator",
        "cancelled",
        "POST /projects/1/stacks/mainframe/builds",
        200,
        [
            StackBuildProgressing(**_MAINFRAME),
            StackBuildFailure(**_MAINFRAME, error_message="cancelled", b64_build_logs=_CLONED),
        ],
        leaves="reading",
    ),
    Step(
        "failed_if=",
        "failure",
        "PATCH /projects/1/stacks/mainframe",
        200,
        [PorterAppUpdateFailure(**_MAINFRAME, error_message="the stack runs this image already", error_stack_trace="")],
        form={"image_uri": "mainframe:endless"},
    ),
    Step(
        "block",
        "success",
        "POST /users/github",
        200,
        [GithubConnectionStart(user_id=1), GithubConnectionSuccess(user_id=1)],
    ),
    Step(
        "function",
        "success",
        "POST /users",
        201,
        [
            UserIdentify(user_id=2, email="charles@example.org", is_github=False),
            UserCreate(
                user_id=2,
                email="charles@example.org",
                name="Charles Babbage",
                company="Engines",
                referral_method="none",
            ),
        ],
        form=_CHARLES,
        user=None,
    ),
    Step("block", "failure", "POST /users/github", 409, [GithubConnectionStart(user_id=2)], user=2),
    Step(
        "function",
        "success",
        "POST /projects/1/clusters/1/applications",
        201,
        [
            ApplicationLaunchStart(**_BY_ADA, cluster_id=1, flow_id="flow-7"),
            ApplicationLaunchSuccess(**_SITE, flow_id="flow-7"),
        ],
        form={"flow_id": "flow-7", "name": "site", "chart": "web", "image_uri": "site:1"},
    ),
    Step(
        "webhook",
        "success",
        "POST /webhooks/{token}",
        200,
        [ApplicationDeploymentWebhook(**_SITE, image_uri="site:2")],
        form={"image_uri": "site:2"},
        user=None,
    ),
    Step(
        "webhook again",
        "success",
        "POST /webhooks/{token}",
        200,
        [ApplicationDeploymentWebhook(**_SITE, image_uri="site:2")],
        form={"image_uri": "site:2"},
        user=None,
    ),
)
