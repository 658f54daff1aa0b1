"""The database: SQLite, one statement a method."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from examples.porter.errors import ConflictError, NotFoundError
from examples.porter.models import Application, Cluster, Infra, Project, Registry, Row, Stack, User

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

R = TypeVar("R", bound=Row)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
    company TEXT NOT NULL, is_github INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES users, name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS infras (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, kind TEXT NOT NULL,
    region TEXT NOT NULL, status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS clusters (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, name TEXT NOT NULL,
    infra_id INTEGER UNIQUE REFERENCES infras, candidate_id INTEGER UNIQUE
);
CREATE TABLE IF NOT EXISTS registries (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, name TEXT NOT NULL,
    infra_id INTEGER UNIQUE REFERENCES infras, UNIQUE (project_id, name)
);
CREATE TABLE IF NOT EXISTS applications (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    cluster_id INTEGER NOT NULL REFERENCES clusters ON DELETE CASCADE, owner_id INTEGER NOT NULL REFERENCES users,
    name TEXT NOT NULL, namespace TEXT NOT NULL, chart TEXT NOT NULL, image_uri TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE, UNIQUE (cluster_id, namespace, name)
);
CREATE TABLE IF NOT EXISTS stacks (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE, name TEXT NOT NULL,
    image_uri TEXT NOT NULL, UNIQUE (project_id, name)
);
"""


class Repository:
    """The rows of one database; every method may be called from any thread.

    Args:
        path: the file; made if there is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript("PRAGMA foreign_keys = ON;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add_user(self, first_name: str, last_name: str, email: str, company: str, *, is_github: bool) -> User:
        """Keep a user."""
        return self._insert(
            User,
            "INSERT INTO users (first_name, last_name, email, company, is_github) "
            "VALUES (:first_name, :last_name, :email, :company, :is_github)",
            first_name=first_name,
            last_name=last_name,
            email=email,
            company=company,
            is_github=is_github,
        )

    def user(self, user_id: int) -> User:
        """Return a user."""
        return self._select(User, "SELECT * FROM users WHERE id = ?", user_id)

    def add_project(self, owner_id: int, name: str) -> Project:
        """Keep a project."""
        return self._insert(
            Project,
            "INSERT INTO projects (owner_id, name) VALUES (:owner_id, :name)",
            owner_id=owner_id,
            name=name,
        )

    def project(self, project_id: int, owner_id: int) -> Project:
        """Return a user's project."""
        return self._select(Project, "SELECT * FROM projects WHERE id = ? AND owner_id = ?", project_id, owner_id)

    def delete_project(self, project_id: int) -> None:
        """Delete a project with all that is in it."""
        self._execute("DELETE FROM projects WHERE id = :id", {"id": project_id})

    def add_infra(self, project_id: int, kind: str, region: str) -> Infra:
        """Keep what a provider is about to be asked."""
        return self._insert(
            Infra,
            "INSERT INTO infras (project_id, kind, region, status) VALUES (:project_id, :kind, :region, :status)",
            project_id=project_id,
            kind=kind,
            region=region,
            status="creating",
        )

    def infra(self, infra_id: int) -> Infra:
        """Return what a provider was asked."""
        return self._select(Infra, "SELECT * FROM infras WHERE id = ?", infra_id)

    def set_infra_status(self, infra_id: int, status: str) -> None:
        """Keep what became of what a provider was asked."""
        self._execute("UPDATE infras SET status = :status WHERE id = :id", {"id": infra_id, "status": status})

    def add_cluster(
        self, project_id: int, name: str, *, infra_id: int | None = None, candidate_id: int | None = None
    ) -> Cluster:
        """Keep a cluster."""
        return self._insert(
            Cluster,
            "INSERT INTO clusters (project_id, name, infra_id, candidate_id) "
            "VALUES (:project_id, :name, :infra_id, :candidate_id)",
            project_id=project_id,
            name=name,
            infra_id=infra_id,
            candidate_id=candidate_id,
        )

    def cluster(self, cluster_id: int, project_id: int) -> Cluster:
        """Return a project's cluster."""
        return self._select(Cluster, "SELECT * FROM clusters WHERE id = ? AND project_id = ?", cluster_id, project_id)

    def delete_cluster(self, cluster_id: int) -> None:
        """Delete a cluster with its applications."""
        self._execute("DELETE FROM clusters WHERE id = :id", {"id": cluster_id})

    def add_registry(self, project_id: int, name: str, *, infra_id: int | None = None) -> Registry:
        """Keep a registry."""
        return self._insert(
            Registry,
            "INSERT INTO registries (project_id, name, infra_id) VALUES (:project_id, :name, :infra_id)",
            project_id=project_id,
            name=name,
            infra_id=infra_id,
        )

    def add_application(
        self, cluster: Cluster, owner_id: int, *, name: str, namespace: str, chart: str, image_uri: str
    ) -> Application:
        """Keep an application, with a token of its own."""
        return self._insert(
            Application,
            "INSERT INTO applications (project_id, cluster_id, owner_id, name, namespace, chart, image_uri, token) "
            "VALUES (:project_id, :cluster_id, :owner_id, :name, :namespace, :chart, :image_uri, :token)",
            project_id=cluster.project_id,
            cluster_id=cluster.id,
            owner_id=owner_id,
            name=name,
            namespace=namespace,
            chart=chart,
            image_uri=image_uri,
            token=secrets.token_urlsafe(16),
        )

    def redeploy_application(self, token: str, image_uri: str) -> Application:
        """Change the image of the application that has a token, and return it."""
        self._execute(
            "UPDATE applications SET image_uri = :image_uri WHERE token = :token",
            {"token": token, "image_uri": image_uri},
        )
        return self._select(Application, "SELECT * FROM applications WHERE token = ?", token)

    def add_stack(self, project_id: int, name: str, image_uri: str) -> Stack:
        """Keep a stack."""
        return self._insert(
            Stack,
            "INSERT INTO stacks (project_id, name, image_uri) VALUES (:project_id, :name, :image_uri)",
            project_id=project_id,
            name=name,
            image_uri=image_uri,
        )

    def stack(self, project_id: int, name: str) -> Stack:
        """Return a project's stack."""
        return self._select(Stack, "SELECT * FROM stacks WHERE project_id = ? AND name = ?", project_id, name)

    def set_stack_image(self, stack_id: int, image_uri: str) -> None:
        """Change the image of a stack."""
        self._execute(
            "UPDATE stacks SET image_uri = :image_uri WHERE id = :id", {"id": stack_id, "image_uri": image_uri}
        )

    def delete_stack(self, stack_id: int) -> None:
        """Delete a stack."""
        self._execute("DELETE FROM stacks WHERE id = :id", {"id": stack_id})

    def _insert(self, model: type[R], statement: str, **values: Any) -> R:
        return model(id=self._execute(statement, values), **values)

    def _execute(self, statement: str, values: Mapping[str, Any]) -> int:
        with self._lock:
            try:
                return self._connection.execute(statement, values).lastrowid or 0
            except sqlite3.IntegrityError as error:
                raise ConflictError("there is such a thing already") from error

    def _select(self, model: type[R], statement: str, *values: Any) -> R:
        with self._lock:
            row = self._connection.execute(statement, values).fetchone()
        if row is None:
            raise NotFoundError(f"there is no such {model.__name__.lower()}")
        return model(**dict(row))
