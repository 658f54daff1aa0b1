"""Applications: launched by users, deployed again by webhooks."""

# FastAPI reads the annotations of routes at run time, and parts of their paths go to dependencies.
# ruff: noqa: FAST003, TC001

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel

from examples.porter.analytics import bindings
from examples.porter.analytics.events import (
    ApplicationDeploymentWebhook,
    ApplicationLaunchStart,
    ApplicationLaunchSuccess,
)
from examples.porter.api.dependencies import CurrentCluster, CurrentRepository, CurrentUser
from examples.porter.errors import UnknownKindError
from examples.porter.models import Application
from instrument import tracks

router = APIRouter(tags=["applications"])

_CHARTS = frozenset({"web", "worker", "job"})


class Launch(BaseModel):
    """What a user launches; `flow_id` ties the steps of the form together."""

    flow_id: str
    name: str
    chart: str
    image_uri: str
    namespace: str = "default"


class Redeployment(BaseModel):
    """What a webhook says: which image there is now."""

    image_uri: str


@router.post("/projects/{project_id}/clusters/{cluster_id}/applications", status_code=201)
@tracks(
    ApplicationLaunchSuccess.from_call(flow_id="form.flow_id"),
    start=ApplicationLaunchStart.from_call(flow_id="form.flow_id"),
    scope=bindings.application,
)
def launch_application(
    form: Launch, cluster: CurrentCluster, user: CurrentUser, repository: CurrentRepository
) -> Application:
    """Launch an application in a cluster."""
    if form.chart not in _CHARTS:
        raise UnknownKindError(f"there is no such chart: choose one of {', '.join(sorted(_CHARTS))}")
    return repository.add_application(
        cluster, user.id, name=form.name, namespace=form.namespace, chart=form.chart, image_uri=form.image_uri
    )


@router.post("/webhooks/{token}")
@tracks(
    ApplicationDeploymentWebhook.from_call(
        user_id="result.owner_id",
        project_id="result.project_id",
        cluster_id="result.cluster_id",
        image_uri="form.image_uri",
    ),
    scope=bindings.application,
    message_id="x_delivery_id",
)
def redeploy(
    token: str, form: Redeployment, x_delivery_id: Annotated[str, Header()], repository: CurrentRepository
) -> Application:
    """Deploy an application again.

    Nobody is signed in: the token tells which application, and the event is its owner's. A webhook that is
    delivered twice has one id, and so has its event: whoever receives that drops the second.
    """
    del x_delivery_id  # only told
    return repository.redeploy_application(token, form.image_uri)
