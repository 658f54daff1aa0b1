"""The application: `uvicorn examples.litestar_app.app:app`."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, post
from litestar.exceptions import ClientException
from litestar.middleware import DefineMiddleware
from litestar.params import FromPath, FromQuery  # noqa: TC002 - read by Litestar

from instrument import Scope, Track, tracks
from instrument.integrations.litestar import ScopeMiddleware


class StationScope(Scope):
    """Which station reports."""

    user_id: str
    station: int


class TemperatureReported(Track, StationScope):
    """A station told a temperature."""

    celsius: float


class TemperatureRefused(Track, StationScope):
    """A station told what cannot be."""

    celsius: float
    status: int


def station(request: Request[Any, Any, Any]) -> StationScope:
    """Litestar has routed the request when it comes here."""
    return StationScope(user_id=request.headers["x-owner"], station=request.path_params["station"])


@post("/stations/{station:int}/temperature", sync_to_thread=True)
@tracks(TemperatureReported, failure=TemperatureRefused.from_call(status="error.status_code"))
def report(station: FromPath[int], celsius: FromQuery[float]) -> dict[str, float]:
    """Take a temperature; in a thread, to which the scope goes along."""
    del station
    if celsius < -273.15:
        raise ClientException("there is nothing as cold")
    return {"fahrenheit": celsius * 1.8 + 32}


app = Litestar(
    [report],
    middleware=[DefineMiddleware(ScopeMiddleware, scope_from=station)],
    openapi_config=None,
    logging_config=None,
)
