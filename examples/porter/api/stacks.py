"""Stacks: launched, built, changed and deleted."""

# FastAPI reads the annotations of routes at run time, and parts of their paths go to dependencies.
# ruff: noqa: TC001

from __future__ import annotations

import traceback
from contextlib import aclosing
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from examples.porter.analytics import bindings
from examples.porter.analytics.bindings import by_user
from examples.porter.analytics.events import (
    PorterAppUpdateFailure,
    StackDeletion,
    StackLaunchFailure,
    StackLaunchStart,
    StackLaunchSuccess,
)
from examples.porter.api.dependencies import CurrentProject, CurrentProvisioning, CurrentRepository, CurrentUser
from examples.porter.cloud import BuildLogs
from examples.porter.errors import CloudError, PorterError
from examples.porter.models import Stack
from instrument import tracks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from instrument import Call

router = APIRouter(prefix="/projects/{project_id}/stacks/{stack_name}", tags=["stacks"])


class Image(BaseModel):
    """What a stack runs."""

    image_uri: str


class Update(BaseModel):
    """What became of a change: a problem is no error of the request, and is answered like a success."""

    stack: Stack
    problem: str | None = None


def was_not_applied(call: Call) -> bool:
    """Whether a change failed, though its handler has answered and not raised."""
    return call.result.problem is not None


def problem(call: Call) -> str:
    """Tell why a change failed, whether its handler answered or raised."""
    return str(call.result.problem) if call.has_result else bindings.error_message(call)


def stack_trace(call: Call) -> str:
    """Give the traceback of a failed call; one that has answered has none."""
    return "" if call.error is None else "".join(traceback.format_tb(call.error.__traceback__))


@router.put("", status_code=201)
@tracks(
    by_user(StackLaunchSuccess),
    start=by_user(StackLaunchStart),
    failure=by_user(StackLaunchFailure, error_message=bindings.error_message),
)
async def launch_stack(
    stack_name: str,
    form: Image,
    project: CurrentProject,
    user: CurrentUser,
    repository: CurrentRepository,
    *,
    validate_apply_v2: bool = False,
) -> Stack:
    """Launch a stack."""
    del user  # only told
    if validate_apply_v2 and ":" not in form.image_uri:
        raise CloudError("the image has no tag")
    return repository.add_stack(project.id, stack_name, form.image_uri)


@router.patch("")
@tracks(
    failure=by_user(PorterAppUpdateFailure, error_message=problem, error_stack_trace=stack_trace),
    failed_if=was_not_applied,
)
def update_stack(
    stack_name: str,
    form: Image,
    project: CurrentProject,
    user: CurrentUser,
    repository: CurrentRepository,
    *,
    validate_apply_v2: bool = False,
) -> Update:
    """Change what a stack runs."""
    del user, validate_apply_v2  # only told
    stack = repository.stack(project.id, stack_name)
    if stack.image_uri == form.image_uri:
        return Update(stack=stack, problem="the stack runs this image already")
    repository.set_stack_image(stack.id, form.image_uri)
    return Update(stack=repository.stack(project.id, stack_name))


@router.delete("", status_code=204)
@tracks(by_user(StackDeletion))
def delete_stack(
    stack_name: str,
    project: CurrentProject,
    user: CurrentUser,
    repository: CurrentRepository,
    *,
    delete_workflow_file: bool = False,
    validate_apply_v2: bool = False,
) -> None:
    """Delete a stack."""
    del user, delete_workflow_file, validate_apply_v2  # only told
    repository.delete_stack(repository.stack(project.id, stack_name).id)


@router.post("/builds")
async def build_stack(
    stack_name: str,
    project: CurrentProject,
    user: CurrentUser,
    provisioning: CurrentProvisioning,
    *,
    validate_apply_v2: bool = False,
) -> StreamingResponse:
    """Build a stack; each step is a line, and so is what fails. Whoever goes away before the end has cancelled it."""
    stack = provisioning.repository.stack(project.id, stack_name)
    steps = provisioning.build_stack(
        user, stack_name, stack.image_uri, BuildLogs(), validate_apply_v2=validate_apply_v2
    )
    return StreamingResponse(_lines(steps), media_type="text/plain")


async def _lines(steps: AsyncGenerator[str]) -> AsyncGenerator[str]:
    try:
        async with aclosing(steps):
            async for step in steps:
                yield f"{step}: done\n"
    except PorterError as error:
        yield f"failed: {error}\n"
