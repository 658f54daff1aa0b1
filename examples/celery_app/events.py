"""The events of the reports."""

from __future__ import annotations

from instrument import Scope, Track


class UserScope(Scope):
    """Who ordered the report."""

    user_id: int


class ReportOrdered(Track, UserScope):
    """A report was ordered, and will be rendered by a worker."""

    report: str


class ReportRendered(Track, UserScope):
    """A worker has rendered a report."""

    report: str
    attempt: int


class ReportRenderingFailed(Track, UserScope):
    """A report could not be rendered, and will not be tried again."""

    report: str
    attempt: int
    error: str
