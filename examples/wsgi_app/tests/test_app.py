from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.test import Client

from examples.wsgi_app.app import SquareCalculated, app

if TYPE_CHECKING:
    from instrument.testing import Recorder


def test_threads_calculate_for_who_asked(tracked: Recorder) -> None:
    assert Client(app).get("/?number=3&number=5", headers={"X-Pupil": "ann"}).text == "9 25"
    assert sorted(tracked.events, key=lambda event: event.number) == [
        SquareCalculated(user_id="ann", number=3),
        SquareCalculated(user_id="ann", number=5),
    ]
