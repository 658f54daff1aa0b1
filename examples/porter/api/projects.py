"""Projects."""

# FastAPI reads the annotations of routes at run time, and parts of their paths go to dependencies.
# ruff: noqa: FAST003, TC001

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from examples.porter.analytics.bindings import by_user
from examples.porter.analytics.events import ProjectCreate, ProjectDelete
from examples.porter.api.dependencies import CurrentProject, CurrentRepository, CurrentUser
from examples.porter.models import Project
from instrument import tracks

router = APIRouter(prefix="/projects", tags=["projects"])


class NewProject(BaseModel):
    """What a new project is told by."""

    name: str


@router.post("", status_code=201)
@tracks(by_user(ProjectCreate, project_id="result.id"))
def create_project(form: NewProject, user: CurrentUser, repository: CurrentRepository) -> Project:
    """Make a project."""
    return repository.add_project(user.id, form.name)


@router.delete("/{project_id}", status_code=204)
@tracks(by_user(ProjectDelete))
def delete_project(project: CurrentProject, user: CurrentUser, repository: CurrentRepository) -> None:
    """Delete a project with all that is in it."""
    del user  # only told
    repository.delete_project(project.id)
