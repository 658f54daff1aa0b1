"""Flask sees a decorated view as the function under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, Response, abort, jsonify, redirect, request, stream_with_context, url_for
from flask.views import MethodView

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from werkzeug.wrappers import Response as AnyResponse

    from instrument import Call
    from instrument.testing import Recorder


class FlaskScope(Scope):
    user_id: int


class FlaskNoteRead(Track, FlaskScope):
    note_id: int


class FlaskNoteRefused(Track, FlaskScope):
    note_id: int
    status: int | None = None


class FlaskNoteStreamed(Track, FlaskScope):
    note_id: int


def requested_by(_: Call) -> int:
    return int(request.args["user"])


reads = tracks(
    FlaskNoteRead.from_call(user_id=requested_by),
    failure=FlaskNoteRefused.from_call(user_id=requested_by, status="error.code"),
)

app = Flask(__name__)
notes = Blueprint("notes", __name__, url_prefix="/notes")


@app.get("/view/<int:note_id>")
@reads
def read(note_id: int) -> dict[str, int]:
    if note_id == 0:
        abort(404)
    return {"note_id": note_id}


@notes.get("/<int:note_id>")
@reads
def read_in_blueprint(note_id: int) -> Response:
    return jsonify(note_id=note_id)


@app.get("/elsewhere/<int:note_id>")
@reads
def elsewhere(note_id: int) -> AnyResponse:
    return redirect(url_for("read", note_id=note_id))


@app.get("/returned/<int:note_id>")
@tracks(
    FlaskNoteRead.from_call(user_id=requested_by),
    failure=FlaskNoteRefused.from_call(user_id=requested_by, status=lambda call: call.result[1]),
    failed_if=lambda call: call.result[1] >= 400,
)
def returned(note_id: int) -> tuple[dict[str, int], int]:
    return {"note_id": note_id}, 404 if note_id == 0 else 200


@tracks(FlaskNoteStreamed)
def parts(user_id: int, note_id: int) -> Iterator[str]:
    yield '{"note_id":'
    yield f"{note_id}}}"


@app.get("/streamed/<int:note_id>")
def streamed(note_id: int) -> Response:
    return Response(stream_with_context(parts(requested_by_now(), note_id)), mimetype="application/json")


def requested_by_now() -> int:
    return int(request.args["user"])


class NoteView(MethodView):
    @reads
    def get(self, note_id: int) -> dict[str, int]:
        return {"note_id": note_id}

    @reads
    def post(self, note_id: int) -> dict[str, int]:
        abort(409)


app.add_url_rule("/class/<int:note_id>", view_func=NoteView.as_view("note"))
app.register_blueprint(notes)
READ = FlaskNoteRead(user_id=7, note_id=3)


@pytest.fixture
def client() -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("path", ["view", "notes", "returned", "class"])
def test_a_decorated_view_answers_and_emits(client: FlaskClient, tracked: Recorder, path: str) -> None:
    response = client.get(f"/{path}/3?user=7")
    assert (response.status_code, response.json) == (200, {"note_id": 3})
    assert tracked.events == [READ]


def test_an_aborted_view_is_answered_as_ever_and_emits_the_failure(client: FlaskClient, tracked: Recorder) -> None:
    assert client.get("/view/0?user=7").status_code == 404
    assert client.post("/class/3?user=7").status_code == 409
    assert tracked.events == [
        FlaskNoteRefused(user_id=7, note_id=0, status=404),
        FlaskNoteRefused(user_id=7, note_id=3, status=409),
    ]


def test_a_returned_error_is_a_failure_by_failed_if(client: FlaskClient, tracked: Recorder) -> None:
    assert client.get("/returned/0?user=7").status_code == 404
    assert tracked.events == [FlaskNoteRefused(user_id=7, note_id=0, status=404)]


def test_a_redirect_that_is_returned_is_a_success(client: FlaskClient, tracked: Recorder) -> None:
    response = client.get("/elsewhere/3?user=7")
    assert (response.status_code, response.location) == (302, "/view/3")
    assert tracked.events == [READ]


def test_a_decorated_generator_is_streamed_and_emits_when_it_was_sent(client: FlaskClient, tracked: Recorder) -> None:
    response = client.get("/streamed/3?user=7", buffered=False)
    assert tracked.events == []
    assert response.get_json() == {"note_id": 3}
    assert tracked.events == [FlaskNoteStreamed(user_id=7, note_id=3)]


def test_the_endpoint_has_the_name_of_the_function_under_the_decorator() -> None:
    endpoints: dict[str, Any] = app.view_functions
    assert {"read", "notes.read_in_blueprint", "note"} <= set(endpoints)


def test_a_decorated_hook_runs_before_each_request(tracked: Recorder) -> None:
    hooked = Flask(__name__)

    @hooked.before_request
    @tracks(FlaskNoteRead.from_call(user_id=requested_by, note_id=lambda _: 3))
    def check() -> tuple[str, int] | None:
        return ("stopped", 403) if request.args.get("stop") else None

    hooked.get("/")(lambda: "open")
    assert hooked.test_client().get("/?user=7").text == "open"
    assert hooked.test_client().get("/?user=7&stop=1").status_code == 403
    assert tracked.events == [READ, READ]
