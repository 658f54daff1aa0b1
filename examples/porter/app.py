"""The application: an API that manages clusters, registries, applications and stacks in the cloud."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from examples.porter.analytics import segment
from examples.porter.api import accounts, applications, infrastructure, projects, stacks
from examples.porter.cloud import Cloud
from examples.porter.errors import (
    CloudError,
    ConflictError,
    NotFoundError,
    NotSignedInError,
    PorterError,
    TookTooLongError,
    UnknownKindError,
)
from examples.porter.provisioning import Provisioning
from examples.porter.repository import Repository

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator

    from fastapi import Request

_STATUS: dict[type[Exception], int] = {
    NotSignedInError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    UnknownKindError: 422,
    CloudError: 502,
    TookTooLongError: 504,
}


def create_app(database: str | os.PathLike[str], *, cloud: Cloud | None = None, patience: float = 30.0) -> FastAPI:
    """Make the application.

    Args:
        database: the SQLite file; made if there is none.
        cloud: the provider.
        patience: seconds that a cluster may take to be made, before it is cancelled.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        repository = Repository(database)
        app.state.provisioning = Provisioning(repository, cloud or Cloud())
        app.state.patience = patience
        try:
            async with segment.delivered():
                yield
        finally:
            repository.close()

    app = FastAPI(title="Porter", lifespan=lifespan)
    app.add_exception_handler(PorterError, _answer)
    for module in (accounts, projects, infrastructure, applications, stacks):
        app.include_router(module.router)
    return app


async def _answer(request: Request, error: Exception) -> JSONResponse:
    del request
    return JSONResponse({"detail": str(error)}, status_code=_STATUS[type(error)])
