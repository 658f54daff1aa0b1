"""What the application knows about: rows of the database, as values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True)

    id: int


class User(Row):
    """Who signs in."""

    first_name: str
    last_name: str
    email: str
    company: str
    is_github: bool

    @property
    def name(self) -> str:
        """The first and the last name."""
        return f"{self.first_name} {self.last_name}"


class Project(Row):
    """What a user's infrastructure belongs to."""

    owner_id: int
    name: str


class Infra(Row):
    """What was asked of a cloud provider, and what became of it."""

    project_id: int
    kind: str
    region: str
    status: str


class Cluster(Row):
    """A Kubernetes cluster, provisioned (`infra_id`) or connected (`candidate_id`)."""

    project_id: int
    name: str
    infra_id: int | None = None
    candidate_id: int | None = None


class Registry(Row):
    """A registry of images, provisioned (`infra_id`) or connected."""

    project_id: int
    name: str
    infra_id: int | None = None


class Application(Row):
    """A release of a chart in a cluster; whoever has its token may deploy it again."""

    project_id: int
    cluster_id: int
    owner_id: int
    name: str
    namespace: str
    chart: str
    image_uri: str
    token: str


class Stack(Row):
    """Services that are built and deployed together."""

    project_id: int
    name: str
    image_uri: str
