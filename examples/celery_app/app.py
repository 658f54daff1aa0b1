# mypy: disable-error-code="misc, untyped-decorator"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUntypedFunctionDecorator=false, reportFunctionMemberAccess=false
# Celery has no types of its own.
"""The application: its tasks, and what orders them. A worker of it, with a directory as its broker:

REPORTS_BROKER=/tmp/reports celery -A examples.celery_app.app worker
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from celery import Celery

from examples.celery_app.events import ReportOrdered, ReportRendered, ReportRenderingFailed
from instrument import Call, request_scope, tracks
from instrument.integrations.celery import connect

BROKER = Path(os.environ.get("REPORTS_BROKER") or tempfile.mkdtemp(prefix="reports-"))
CRASHED = BROKER / "crashed"

app = Celery("reports", broker="filesystem://", set_as_current=False)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_lost_wait=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "data_folder_in": str(BROKER / "queue"),
        "data_folder_out": str(BROKER / "queue"),
        "control_folder": str(BROKER / "control"),
        "polling_interval": 0.02,
    },
)
connect()


class PrinterJammedError(Exception):
    """Nobody can do anything about it just now."""


def attempt(call: Call) -> int:
    """Say which attempt at a report this is; the first is 0."""
    return int(call.arguments["self"].request.retries)


@app.task(bind=True, max_retries=2, default_retry_delay=0)
@tracks(
    ReportRendered.from_call(attempt=attempt),
    failure=ReportRenderingFailed.from_call(attempt=attempt, error="error"),
    message_id="self.request.id",  # a task that is delivered twice tells of its report once
)
def render(self: Any, report: str) -> str:
    """Render a report; its name says what goes wrong."""
    if report == "jams once" and self.request.retries == 0:
        raise self.retry(exc=PrinterJammedError(report))
    if report == "jams":
        raise self.retry(exc=PrinterJammedError(report))
    if report == "crashes once" and not CRASHED.exists():
        CRASHED.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return report.upper()


@tracks(ReportOrdered)
def order(report: str) -> str:
    """Order a report for whoever is asking; return the id of the task."""
    return str(render.delay(report).id)


def order_for(user_id: int, report: str) -> str:
    """Do what a web application does for each request."""
    with request_scope(user_id=user_id):
        return order(report)
