from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from examples.starlette_app.app import EntryRefused, EntryWritten, app

if TYPE_CHECKING:
    from instrument.testing import Recorder

client = TestClient(app, cookies={"ajs_anonymous_id": "a1"})


def test_an_entry_is_written_by_who_the_cookie_names(tracked: Recorder) -> None:
    assert client.post("/books/alps", content="What a view", headers={"user-agent": "Browser/1"}).text == "thank you"
    assert tracked.events == [EntryWritten(anonymous_id="a1", book="alps", characters=11)]
    context = json.loads(tracked.envelopes[0].body)["context"]
    assert (context["userAgent"], context["page"]["path"]) == ("Browser/1", "/books/alps")


def test_an_empty_entry_is_refused(tracked: Recorder) -> None:
    assert client.post("/books/alps").status_code == 422
    assert tracked.events == [EntryRefused(anonymous_id="a1", book="alps", reason="status 422")]
