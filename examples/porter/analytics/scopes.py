"""Scopes: the ids that events share. `[track_scopes.go]`

A scope nests in the one it inherits from: what happens in a cluster happens in its project, and is done by a user.
"""

from __future__ import annotations

from pydantic import Field

from instrument import Scope


class UserScope(Scope):
    """The user who acts: the identity, sent as Segment's `userId` and never as a property."""

    user_id: int


class ProjectScope(UserScope):
    """The project that something happens in."""

    project_id: int = Field(serialization_alias="proj_id")


class ClusterScope(ProjectScope):
    """The cluster that something happens in."""

    cluster_id: int


class RegistryScope(ProjectScope):
    """The image registry that something happens in."""

    registry_id: int


class ApplicationScope(ClusterScope):
    """The application that something happens to: a release of a chart in a namespace of a cluster."""

    app_name: str
    app_namespace: str
    chart_name: str
