from __future__ import annotations

from typing import TYPE_CHECKING

from examples.quart_app.app import TalkFollowed, WordsIndexed, WordsRefused, WordsSaid, app

if TYPE_CHECKING:
    from instrument.testing import Recorder

HEADERS = {"x-user": "ann"}


async def test_words_are_said_and_indexed_in_the_background(tracked: Recorder) -> None:
    async with app.test_app() as running:
        response = await running.test_client().post("/rooms/den", data="what a day", headers=HEADERS)
        assert (response.status_code, await response.get_json()) == (201, {"words": 3})
    assert tracked.events == [WordsSaid(user_id="ann", room="den", words=3), WordsIndexed(user_id="ann", room="den")]


async def test_silence_is_refused(tracked: Recorder) -> None:
    assert (await app.test_client().post("/rooms/den", headers=HEADERS)).status_code == 422
    assert tracked.events == [WordsRefused(user_id="ann", room="den", reason="status 422")]


async def test_a_talk_was_followed_when_its_last_word_was_sent(tracked: Recorder) -> None:
    response = await app.test_client().get("/rooms/den", headers=HEADERS)
    assert await response.get_data(as_text=True) == "hello from den "
    assert tracked.events == [TalkFollowed(user_id="ann", room="den")]
