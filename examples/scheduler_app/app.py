"""The application: what schedules a reminder, and what gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.apscheduler import add_job

if TYPE_CHECKING:
    from datetime import datetime

    from apscheduler.schedulers.base import BaseScheduler  # pyright: ignore[reportMissingTypeStubs]


class GuestScope(Scope):
    """Who is to be reminded."""

    user_id: int


class ReminderGiven(Track, GuestScope):
    """A guest was reminded."""

    of: str


@tracks(ReminderGiven)
def remind(of: str) -> str:
    """Remind a guest."""
    return f"Do not forget: {of}"


def ask_for_reminder(scheduler: BaseScheduler, user_id: int, of: str, at: datetime) -> None:
    """Do what a web application does for each request."""
    with request_scope(user_id=user_id):
        add_job(scheduler, remind, "date", run_date=at, args=[of])
