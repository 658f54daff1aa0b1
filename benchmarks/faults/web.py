"""A WSGI application that sends a message for every request, and one while it is imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.faults.clients import Job, Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

job = Job.given()
send = Sending(job)
send(0, 0)


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Send the message whose number is the query."""
    send(1 + os.getpid() % 900_000, int(environ["QUERY_STRING"]))  # a run for each worker
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
