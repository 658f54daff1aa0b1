from __future__ import annotations

from typing import TYPE_CHECKING

from examples.lambda_app.app import Event, LinkRefused, LinkShortened, handler

if TYPE_CHECKING:
    from instrument.testing import Recorder


def request(body: str) -> Event:
    return {"headers": {"x-user-id": "7"}, "body": body}


def test_a_link_is_shortened_for_who_is_signed_in(tracked: Recorder) -> None:
    assert handler(request("https://example.org"), None)["statusCode"] == 200
    assert tracked.events == [LinkShortened(user_id=7, characters=19)]


def test_an_answer_with_an_error_is_a_failure(tracked: Recorder) -> None:
    assert handler(request("example"), None)["statusCode"] == 422
    assert tracked.events == [LinkRefused(user_id=7, status=422)]
