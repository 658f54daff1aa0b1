"""What is asked of the provider: the long work, whose beginning and end are tracked where it is done.

Methods, coroutines, generators and asynchronous generators are decorated alike. Who acts, and in which project, is
no parameter of theirs: the request scope holds it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.porter.analytics import bindings
from examples.porter.analytics.bindings import by_user, of_cluster, of_registry
from examples.porter.analytics.events import (
    ClusterDestroyingStart,
    ClusterDestroyingSuccess,
    ClusterPreflightChecksFailed,
    ClusterProvisioningError,
    ClusterProvisioningStart,
    ClusterProvisioningSuccess,
    PreProvisionCheck,
    RegistryProvisioningError,
    RegistryProvisioningStart,
    RegistryProvisioningSuccess,
    StackBuildFailure,
    StackBuildProgressing,
    StackBuildSuccess,
)
from instrument import tracks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from examples.porter.cloud import BuildLogs, Cloud
    from examples.porter.models import Cluster, Infra, Registry, User
    from examples.porter.repository import Repository


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Makes and tears down what a cloud provider has.

    Attributes:
        repository: where is kept what was made.
        cloud: the provider.
    """

    repository: Repository
    cloud: Cloud

    @tracks(
        of_cluster(ClusterProvisioningSuccess),
        start=of_cluster(ClusterProvisioningStart),
        failure=of_cluster(ClusterProvisioningError),
        scope=bindings.cluster,
    )
    async def provision_cluster(self, infra: Infra, name: str) -> Cluster:
        """Make a cluster. Cancelled, it has failed, and the provider is told nothing more."""
        with self._kept(infra):
            await self.cloud.create_cluster(infra.kind, infra.region)
        return self.repository.add_cluster(infra.project_id, name, infra_id=infra.id)

    @tracks(of_cluster(ClusterDestroyingSuccess), start=of_cluster(ClusterDestroyingStart))
    async def destroy_cluster(self, cluster: Cluster, infra: Infra) -> None:
        """Tear down a cluster."""
        await self.cloud.destroy_cluster(infra.region)
        self.repository.delete_cluster(cluster.id)
        self.repository.set_infra_status(infra.id, "destroyed")

    @tracks(
        of_registry(RegistryProvisioningSuccess),
        start=of_registry(RegistryProvisioningStart),
        failure=of_registry(RegistryProvisioningError),
        scope=bindings.registry,
    )
    def provision_registry(self, infra: Infra, name: str) -> Registry:
        """Make a registry."""
        with self._kept(infra):
            self.cloud.create_registry(infra.kind, infra.region)
        return self.repository.add_registry(infra.project_id, name, infra_id=infra.id)

    @tracks(
        start=by_user(PreProvisionCheck),
        failure=by_user(
            ClusterPreflightChecksFailed,
            error_message=bindings.error_message,
            cluster_name="name",
            cloud_provider="provider",
        ),
    )
    def preflight(self, user: User, name: str, kind: str, region: str, provider: str) -> Generator[str]:
        """Check whether a cluster could be made, and tell each check that is passed."""
        del user, name, provider  # only told
        yield from self.cloud.check(kind, region)

    @tracks(
        by_user(StackBuildSuccess),
        start=by_user(StackBuildProgressing),
        failure=by_user(StackBuildFailure, error_message=bindings.error_message, b64_build_logs="logs.base64"),
    )
    async def build_stack(
        self, user: User, stack_name: str, image_uri: str, logs: BuildLogs, *, validate_apply_v2: bool
    ) -> AsyncGenerator[str]:
        """Build a stack, and tell each step that is done."""
        del user, stack_name, validate_apply_v2  # only told
        async for line in self.cloud.build(image_uri, logs):
            yield line

    @contextmanager
    def _kept(self, infra: Infra) -> Generator[None]:
        try:
            yield
        except BaseException:  # a cancellation is an end too
            self.repository.set_infra_status(infra.id, "error")
            raise
        self.repository.set_infra_status(infra.id, "created")
