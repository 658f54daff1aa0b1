from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.testing import TestClient

from examples.litestar_app.app import TemperatureRefused, TemperatureReported, app

if TYPE_CHECKING:
    from instrument.testing import Recorder

HEADERS = {"x-owner": "ann"}


def test_a_temperature_is_told_of_its_station(tracked: Recorder) -> None:
    with TestClient(app) as client:
        assert client.post("/stations/3/temperature?celsius=100", headers=HEADERS).json() == {"fahrenheit": 212.0}
    assert tracked.events == [TemperatureReported(user_id="ann", station=3, celsius=100)]


def test_what_cannot_be_is_refused(tracked: Recorder) -> None:
    with TestClient(app) as client:
        assert client.post("/stations/3/temperature?celsius=-300", headers=HEADERS).status_code == 400
    assert tracked.events == [TemperatureRefused(user_id="ann", station=3, celsius=-300, status=400)]
