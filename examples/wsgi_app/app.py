"""The application: `gunicorn examples.wsgi_app.app:app`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from instrument import Scope, Track, tracks
from instrument.integrations.executors import ScopedExecutor
from instrument.integrations.wsgi import ScopeMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class PupilScope(Scope):
    """Who calculates."""

    user_id: str


class SquareCalculated(Track, PupilScope):
    """A number was multiplied by itself."""

    number: int


threads = ScopedExecutor(ThreadPoolExecutor(4))


@tracks(SquareCalculated)
def square(number: int) -> int:
    """Multiply a number by itself: in a thread of the pool, with the scope of the request that asks."""
    return number * number


def calculator(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the squares of the numbers in the query."""
    numbers = [int(number) for number in parse_qs(environ["QUERY_STRING"])["number"]]
    squares = threads.map(square, numbers)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(map(str, squares)).encode()]


def pupil(environ: WSGIEnvironment) -> PupilScope:
    """Find out who calculates."""
    return PupilScope(user_id=environ["HTTP_X_PUPIL"])


app = ScopeMiddleware(calculator, scope_from=pupil)
