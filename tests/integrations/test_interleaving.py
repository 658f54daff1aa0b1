"""No scope crosses from one request into another, in whatever order the steps of many requests come."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from instrument import Scope, Track, request_scope, tracks
from instrument.integrations.asgi import ScopeMiddleware as AsgiMiddleware
from instrument.integrations.wsgi import ScopeMiddleware as WsgiMiddleware
from instrument.testing import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, MutableMapping, Sequence


class TurnScope(Scope):
    user_id: str
    turn_project: int | None = None


class TurnTaken(Track, TurnScope):
    of: str
    project: int | None


@tracks(TurnTaken)
def take_turn(of: str, project: int | None) -> None: ...


class Step:
    """What a coroutine awaits to let others go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


ACTIONS = ("emit", "assign", "nested", "step", "raise")
PROGRAMS = st.lists(st.lists(st.sampled_from(ACTIONS), max_size=6), min_size=1, max_size=5)


def _act(action: str, user: str, project: int | None) -> int | None:
    """Do one step of a request; return its project after it."""
    if action == "emit":
        take_turn(user, project)
    elif action == "assign" and project is None:
        request_scope.turn_project = project = int(user)
    elif action == "nested":
        with request_scope(turn_project=-1):
            take_turn(user, -1)
    return project


class Crashed(Exception):
    pass


def _asgi(program: Sequence[str], user: str) -> Callable[[], bool]:
    """Return a function that takes one step of a request, and says whether there is another."""

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        project = None
        for action in program:
            await Step()
            if action == "raise":
                raise Crashed
            project = _act(action, user, project)

    async def scope_from(scope: MutableMapping[str, Any]) -> dict[str, str]:
        await Step()
        return {"user_id": scope["user"]}

    scope: dict[str, Any] = {"type": "http", "user": user, "headers": []}
    coroutine: Any = AsgiMiddleware(app, scope_from)(scope, None, None)  # type: ignore[arg-type]
    context = contextvars.Context()  # as an event loop has it for each task
    return lambda: _goes_on(lambda: context.run(coroutine.send, None))


def _wsgi(program: Sequence[str], user: str) -> Callable[[], bool]:
    """Return the same for a response of WSGI, whose parts are sent by one thread for all requests."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        project = None
        for action in program:
            if action == "raise":
                raise Crashed
            project = _act(action, user, project)
            yield b""

    def request() -> Iterator[None]:
        middleware: Any = WsgiMiddleware(app, lambda environ: {"user_id": environ["user"]})
        body = middleware({"user": user}, None)
        try:
            for _ in body:
                yield
        finally:
            body.close()

    steps = request()
    return lambda: _goes_on(lambda: next(steps))


def _goes_on(step: Callable[[], object]) -> bool:
    try:
        step()
    except (StopIteration, Crashed):
        return False
    return True


@given(
    programs=PROGRAMS,
    kinds=st.lists(st.sampled_from([_asgi, _wsgi]), min_size=5, max_size=5),
    turns=st.lists(st.integers(0, 59), max_size=50),
)
def test_every_event_has_the_user_of_its_own_request(programs: Any, kinds: Any, turns: list[int]) -> None:
    with recording() as recorder:
        running = [
            kind(program, str(number)) for number, (program, kind) in enumerate(zip(programs, kinds, strict=False))
        ]
        remaining = iter(turns)
        while running:
            step = running[next(remaining, 0) % len(running)]
            if not step():
                running.remove(step)
            assert request_scope.values() == {}
        assert all(event.user_id == event.of for event in recorder.events)
        assert all(event.turn_project == event.project for event in recorder.events)
        emitted = [sum(action in ("emit", "nested") for action in _until_raised(program)) for program in programs]
        assert len(recorder.events) == sum(emitted)
        assert recorder.client.stats().late == 0


def _until_raised(program: Sequence[str]) -> Sequence[str]:
    return program[: program.index("raise")] if "raise" in program else program
