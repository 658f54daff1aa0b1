"""A running application with its own database, and what the tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi.testclient import TestClient

from examples.porter.app import create_app
from examples.porter.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from instrument.testing import Recorder

ADA = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "company": "Engines"}


class Answer(NamedTuple):
    """The status and the parsed body."""

    status: int
    body: Any


class Api:
    """The application as its users see it: each request is sent as one of them.

    Args:
        client: sends the requests.
    """

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def __call__(self, request: str, user: int | None = 1, json: object = None, **headers: str) -> Answer:
        """Send a request such as `POST /projects`."""
        method, path = request.split()
        signed = {} if user is None else {"X-User-Id": str(user)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self._client.request(method, path, json=json, headers=signed | named)
        is_json = response.content and response.headers.get("content-type") == "application/json"
        return Answer(response.status_code, response.json() if is_json else response.text)

    def make(self, request: str, json: object, user: int | None = 1) -> Any:
        """Make something, and return it."""
        answer = self(request, user, json)
        assert answer.status == 201, answer
        return answer.body


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(tmp_path / "porter.db", cloud=Cloud(step=0), patience=0.05)


@pytest.fixture
def api(app: FastAPI, tracked: Recorder) -> Iterator[Api]:
    """An application that knows one user, 1, with one project, 1; what that has emitted is forgotten."""
    client = TestClient(app)
    with client:
        api = Api(client)
        api.make("POST /users", ADA)
        api.make("POST /projects", {"name": "Analytical Engine"})
        tracked.clear()
        yield api
