"""Clusters and registries: made by a provider, or connected."""

# FastAPI reads the annotations of routes at run time, and parts of their paths go to dependencies.
# ruff: noqa: FAST003, TC001

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from examples.porter.analytics import bindings
from examples.porter.analytics.bindings import by_user
from examples.porter.analytics.events import (
    ClusterConnectionStart,
    ClusterConnectionSuccess,
    ProvisioningAttempted,
    ProvisioningFailure,
    RegistryConnectionStart,
    RegistryConnectionSuccess,
)
from examples.porter.api.dependencies import (
    CurrentCluster,
    CurrentProject,
    CurrentProvisioning,
    CurrentRepository,
    CurrentUser,
)
from examples.porter.cloud import PROVIDERS
from examples.porter.errors import ConflictError, PorterError, TookTooLongError
from examples.porter.models import Cluster, Registry
from instrument import tracks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

router = APIRouter(prefix="/projects/{project_id}", tags=["infrastructure"])


class NewInfra(BaseModel):
    """What is asked of a provider."""

    name: str
    kind: str
    region: str = "eu-west-1"

    @property
    def provider(self) -> str:
        """Who has it."""
        return PROVIDERS.get(self.kind, "unknown")


class Named(BaseModel):
    """What is connected."""

    name: str


@router.post("/clusters", status_code=201)
@tracks(
    start=by_user(ProvisioningAttempted, region="form.region", provider="form.provider"),
    failure=by_user(ProvisioningFailure, error_message=bindings.error_message, region="form.region"),
)
async def provision_cluster(
    form: NewInfra, project: CurrentProject, user: CurrentUser, provisioning: CurrentProvisioning, request: Request
) -> Cluster:
    """Have a cluster made; what takes too long is cancelled."""
    del user  # only told
    infra = provisioning.repository.add_infra(project.id, form.kind, form.region)
    made = provisioning.provision_cluster(infra, form.name)
    try:
        return await asyncio.wait_for(made, request.app.state.patience)
    except asyncio.TimeoutError as error:
        raise TookTooLongError("the cluster was not ready in time") from error


@router.post("/clusters/preflight")
def preflight(
    form: NewInfra, project: CurrentProject, user: CurrentUser, provisioning: CurrentProvisioning
) -> StreamingResponse:
    """Check whether a cluster could be made; each passed check is a line, and so is what fails."""
    del project  # only looked up
    checks = provisioning.preflight(user, form.name, form.kind, form.region, form.provider)
    return StreamingResponse(_lines(checks), media_type="text/plain")


@router.post("/clusters/candidates/{cc_id}", status_code=201)
@tracks(ClusterConnectionSuccess, start=ClusterConnectionStart, scope=bindings.cluster)
def connect_cluster(cc_id: int, form: Named, project: CurrentProject, repository: CurrentRepository) -> Cluster:
    """Connect a cluster that exists already: a candidate, until it is."""
    return repository.add_cluster(project.id, form.name, candidate_id=cc_id)


@router.delete("/clusters/{cluster_id}", status_code=204)
async def destroy_cluster(cluster: CurrentCluster, provisioning: CurrentProvisioning) -> None:
    """Have a cluster torn down."""
    if cluster.infra_id is None:
        raise ConflictError("the cluster was not made here, only connected")
    await provisioning.destroy_cluster(cluster, provisioning.repository.infra(cluster.infra_id))


@router.post("/registries", status_code=201)
def provision_registry(form: NewInfra, project: CurrentProject, provisioning: CurrentProvisioning) -> Registry:
    """Have a registry made. This handler blocks its thread: once begun, it ends, whoever has gone away meanwhile."""
    infra = provisioning.repository.add_infra(project.id, form.kind, form.region)
    return provisioning.provision_registry(infra, form.name)


@router.post("/registries/connections/{flow_id}", status_code=201)
@tracks(RegistryConnectionSuccess, start=RegistryConnectionStart, scope=bindings.registry)
def connect_registry(flow_id: str, form: Named, project: CurrentProject, repository: CurrentRepository) -> Registry:
    """Connect a registry that exists already."""
    del flow_id  # only told
    return repository.add_registry(project.id, form.name)


def _lines(checks: Iterable[str]) -> Generator[str]:
    try:
        for check in checks:
            yield f"{check}: passed\n"
    except PorterError as error:
        yield f"failed: {error}\n"
