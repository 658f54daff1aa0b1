"""What routes are given: the database, the provider, who is signed in, and the project and cluster of the path.

This is where the request scope is opened, once for each request of a user, and filled: the handlers' events find
their ids in it. The scope is opened by an `async` dependency, since such a one runs in the request's own context,
which the handler inherits; a plain `def` dependency runs in a copy of it in a worker thread, and so may well assign
ids to the open scope, though not open one that anybody else would see. (A middleware would do as well, but it
comes before it is known who is signed in.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Header, Request

from examples.porter.errors import NotFoundError, NotSignedInError
from examples.porter.models import Cluster, Project, User
from examples.porter.provisioning import Provisioning
from examples.porter.repository import Repository
from instrument import request_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def provisioning(request: Request) -> Provisioning:
    """Return what the application was started with."""
    return cast("Provisioning", request.app.state.provisioning)


CurrentProvisioning = Annotated[Provisioning, Depends(provisioning)]


def repository(provisioning: CurrentProvisioning) -> Repository:
    """Return the database."""
    return provisioning.repository


CurrentRepository = Annotated[Repository, Depends(repository)]


def find_user(repository: CurrentRepository, x_user_id: Annotated[int | None, Header()] = None) -> User:
    """Look up who sent the request."""
    if x_user_id is None:
        raise NotSignedInError("send the header X-User-Id")
    try:
        return repository.user(x_user_id)
    except NotFoundError as error:
        raise NotSignedInError("there is no such user") from error


async def signed_in(user: Annotated[User, Depends(find_user)]) -> AsyncGenerator[User]:
    """Open the request scope of who is signed in."""
    with request_scope(user_id=user.id):
        yield user


CurrentUser = Annotated[User, Depends(signed_in)]


def find_project(project_id: int, user: CurrentUser, repository: CurrentRepository) -> Project:
    """Look up the project of the path, and put it into the request scope."""
    project = repository.project(project_id, user.id)
    request_scope.project_id = project.id
    return project


CurrentProject = Annotated[Project, Depends(find_project)]


def find_cluster(cluster_id: int, project: CurrentProject, repository: CurrentRepository) -> Cluster:
    """Look up the cluster of the path, and put it into the request scope."""
    cluster = repository.cluster(cluster_id, project.id)
    request_scope.cluster_id = cluster.id
    return cluster


CurrentCluster = Annotated[Cluster, Depends(find_cluster)]
