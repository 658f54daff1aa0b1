from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.testclient import TestClient

from examples.fastapi_app.app import CopyArchived, NewsletterRefused, NewsletterSent, app

if TYPE_CHECKING:
    from instrument.testing import Recorder

client = TestClient(app, headers={"x-user": "7"})


def test_a_newsletter_is_sent_and_archived_by_who_is_signed_in(tracked: Recorder) -> None:
    assert client.post("/newsletters/spring").json() == "sent by 7"
    assert tracked.events == [
        NewsletterSent(user_id=7, newsletter="spring"),
        CopyArchived(user_id=7, newsletter="spring"),
    ]


def test_a_draft_is_refused(tracked: Recorder) -> None:
    assert client.post("/newsletters/draft").status_code == 409
    assert tracked.events == [NewsletterRefused(user_id=7, newsletter="draft", reason="it is a draft")]


def test_nobody_sends_nothing(tracked: Recorder) -> None:
    assert TestClient(app).post("/newsletters/spring").status_code == 401
    assert tracked.events == []
