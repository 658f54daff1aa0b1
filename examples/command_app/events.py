"""The events of the command line."""

from __future__ import annotations

from instrument import Scope, Track


class OperatorScope(Scope):
    """Who runs the command."""

    user_id: str


class SiteDeployed(Track, OperatorScope):
    """A site was deployed."""

    site: str


class SiteDeploymentFailed(Track, OperatorScope):
    """A site was not deployed."""

    site: str
    outcome: str
