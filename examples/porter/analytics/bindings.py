"""Where handlers keep what an event needs, if not under its name. `[tracks.go]`

Most fields need nothing of this: a handler's parameter of the field's name is found, and so are the ids that the
request scope holds. What is left is said here once, and not at each handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from examples.porter.analytics.scopes import ApplicationScope, ClusterScope, RegistryScope
from instrument import Outcome

if TYPE_CHECKING:
    from examples.porter.analytics.events import Contact, OfCluster, OfRegistry
    from instrument import Binding, Call, Source

    SomeContact = TypeVar("SomeContact", bound=Contact)
    SomeOfCluster = TypeVar("SomeOfCluster", bound=OfCluster)
    SomeOfRegistry = TypeVar("SomeOfRegistry", bound=OfRegistry)

cluster = ClusterScope.from_call(cluster_id="result.id")
"""For handlers that return the cluster that they made."""

registry = RegistryScope.from_call(registry_id="result.id")
"""For handlers that return the registry that they made."""

application = ApplicationScope.from_call(
    app_name="result.name", app_namespace="result.namespace", chart_name="result.chart"
)
"""For handlers that return the application that they made or changed."""


def by_user(event: type[SomeContact], **sources: Source) -> Binding[SomeContact]:
    """Bind the contact to the handler's parameter `user`.

    Args:
        event: an event that shows whom to write to.
        sources: where the rest is kept.
    """
    return event.from_call(email="user.email", name="user.name", company="user.company", **sources)


def of_cluster(event: type[SomeOfCluster]) -> Binding[SomeOfCluster]:
    """Bind what is told of a cluster's infrastructure to the handler's parameter `infra`."""
    return event.from_call(cluster_type="infra.kind", infra_id="infra.id")


def of_registry(event: type[SomeOfRegistry]) -> Binding[SomeOfRegistry]:
    """Bind what is told of a registry's infrastructure to the handler's parameter `infra`."""
    return event.from_call(registry_type="infra.kind", infra_id="infra.id")


def error_message(call: Call) -> str:
    """Tell why a call failed; the text of a cancellation is for who looks after the server, if there is any."""
    return call.outcome.value if call.outcome is Outcome.CANCELLED else str(call.error)
